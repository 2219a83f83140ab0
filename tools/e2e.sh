#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# e2e.sh BUILD_DIR [PYTEST OPTION...] - the end-to-end tests, with the program of that build and real engines.
set -eu

cd "$(dirname "$0")/.."
build=${1:?usage: tools/e2e.sh BUILD_DIR [PYTEST OPTION...]}
shift
KEYSTEAD_BIN=$(realpath "$build")/src/cli/keystead
export KEYSTEAD_BIN
[ -x "$KEYSTEAD_BIN" ] || {
    echo "e2e: no program at $KEYSTEAD_BIN" >&2
    exit 1
}
exec "$(tools/deps.sh --venv)/bin/python" -m pytest -p no:cacheprovider --timeout=600 -q tests/e2e "$@"
