#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-peers.sh BUILD_DIR [PYTEST OPTION...] - the tests against key services and clients that are not ours, with the
# program and the contract test of that build. tools/peers.sh installs the peers.
set -eu

cd "$(dirname "$0")/.."
KEYSTEAD_BUILD=$(realpath "${1:?usage: tools/check-peers.sh BUILD_DIR [PYTEST OPTION...]}")
shift
export KEYSTEAD_BUILD
[ -x "$KEYSTEAD_BUILD/tests/contract/kms_contract_test" ] || {
    echo "check-peers: $KEYSTEAD_BUILD is not a build with tests: tools/build.sh gcc" >&2
    exit 1
}
python=$(tools/peers.sh --python)
[ -x "$python" ] || python=$(tools/deps.sh --venv)/bin/python # all but a few tests skip then
exec "$python" -m pytest -p no:cacheprovider --timeout=600 -q -rs tests/peers "$@"
