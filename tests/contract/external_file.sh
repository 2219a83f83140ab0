#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# external_file.sh KEYSTEAD TEST - the contract's suite from outside, on a key store that `keystead kms` manages. Shows
# that the hook of tests/contract/external.h works; services in the network are reached the same way.
set -eu

case ${2:-} in
'')
    word=$1 dir=$KEYSTEAD_CONTRACT_DIR
    kms() { "$KEYSTEAD_PROGRAM" kms "$@" --store "$dir/store" --key-file "$dir/key" >/dev/null; }
    case $word in
    setup)
        rm -rf "$dir/store" "$dir/away" "$dir/key"
        kms init
        kms key create one
        kms key create two
        printf 'one %s\ntwo %s\nmissing %s\n' "$dir/store#one" "$dir/store#two" "$dir/store#missing"
        ;;
    disable) kms key disable one ;;
    pending) kms key schedule-deletion one --yes ;;
    destroy) kms key schedule-deletion one --days 0 --yes ;;
    rotate) kms key rotate one ;;
    unreachable) mv "$dir/store" "$dir/away" ;;
    no-credential) rm "$dir/key" ;;
    teardown) ;;
    *) exit 77 ;;
    esac
    ;;
*)
    KEYSTEAD_PROGRAM=$1
    KEYSTEAD_CONTRACT_DIR=$(mktemp -d)
    trap 'rm -rf "$KEYSTEAD_CONTRACT_DIR"' EXIT
    KEYSTEAD_CONTRACT_TYPE=FILE
    KEYSTEAD_CONTRACT_PRINCIPAL=$KEYSTEAD_CONTRACT_DIR/key
    KEYSTEAD_CONTRACT_HOOK=$(realpath "$0")
    export KEYSTEAD_PROGRAM KEYSTEAD_CONTRACT_DIR KEYSTEAD_CONTRACT_TYPE KEYSTEAD_CONTRACT_PRINCIPAL KEYSTEAD_CONTRACT_HOOK
    "$2"
    ;;
esac
