#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# external_softhsm.sh TEST - the contract's suite with AES keys in a SoftHSM token. Skips (77) without SoftHSM and OpenSC. Called
# by the suite with one word, it is the hook of tests/contract/external.h.
set -eu

module=
for path in /usr/lib/softhsm /usr/lib/*/softhsm /usr/lib64/softhsm; do
    [ -e "$path/libsofthsm2.so" ] && module=$path/libsofthsm2.so
done

tool() { pkcs11-tool --module "$module" --token-label contract --login --pin 1234 "$@" >/dev/null 2>&1; }
key() { tool --keygen --key-type AES:32 --sensitive --label "$1" --id "$2"; }

start() {
    rm -rf "$KEYSTEAD_CONTRACT_DIR/tokens" "$KEYSTEAD_CONTRACT_DIR/away"
    mkdir "$KEYSTEAD_CONTRACT_DIR/tokens"
    echo 1234 >"$KEYSTEAD_CONTRACT_DIR/pin"
    softhsm2-util --init-token --free --label contract --so-pin 12345678 --pin 1234 >/dev/null
    key one 01
    key two 01
    for name in one two missing; do
        echo "$name token=contract;object=$name?module-path=$module&pin-source=file:$KEYSTEAD_CONTRACT_DIR/pin"
    done
}

case $1 in
setup) start ;;
rotate) key one 02 ;;
destroy) tool --delete-object --type secrkey --label one ;;
unreachable) mv "$KEYSTEAD_CONTRACT_DIR/tokens" "$KEYSTEAD_CONTRACT_DIR/away" ;;
teardown) ;;
# The driver logs in once and then needs no PIN; wrong ones are tested in drv_pkcs11_test.
disable | pending | no-credential) exit 77 ;;
*)
    if [ -z "$module" ] || ! command -v pkcs11-tool >/dev/null || ! command -v softhsm2-util >/dev/null; then
        echo "SKIP: SoftHSM 2 or OpenSC is not installed"
        exit 77
    fi
    KEYSTEAD_CONTRACT_DIR=$(mktemp -d)
    trap 'rm -rf "$KEYSTEAD_CONTRACT_DIR"' EXIT
    KEYSTEAD_CONTRACT_TYPE=PKCS11
    KEYSTEAD_CONTRACT_HOOK=$(realpath "$0")
    SOFTHSM2_CONF=$KEYSTEAD_CONTRACT_DIR/conf
    export KEYSTEAD_CONTRACT_DIR KEYSTEAD_CONTRACT_TYPE KEYSTEAD_CONTRACT_HOOK SOFTHSM2_CONF
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
        "$KEYSTEAD_CONTRACT_DIR/tokens" >"$SOFTHSM2_CONF"
    "$1"
    ;;
esac
