#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the golden tests of the command line: tests/cli/t_<topic>.sh against t_<topic>.out.
#
#   KEYSTEAD=build/gcc/src/cli/keystead tests/cli/run.sh [update] [topic...]
#
# Each test runs in a directory of its own; ids, times and that directory's path are normalised.
# "update" rewrites the .out files: read the diff before committing them. Exit 77 = skipped, with a reason.

here=$(cd "$(dirname "$0")" && pwd)
KEYSTEAD=$(realpath -e "${KEYSTEAD:?names the executable}") || exit 2
export KEYSTEAD HERE="$here" LC_ALL=C.UTF-8 TZ=UTC
unset KEYSTEAD_RUN_DIR

mode=check
if [ "$1" = update ]; then
    mode=update
    shift
fi
[ $# -gt 0 ] || set -- $(cd "$here" && ls t_*.sh | sed 's/^t_//; s/\.sh$//')

normalise() {
    sed -E -e "s#$1#WORK#g" \
        -e 's/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/UUID/g; s/\b[0-9a-f]{64}\b/MATERIAL/g' \
        -e 's/\b[0-9a-f]{32}\b/ID/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z/TIME/g' \
        -e 's/(process|"pid":) [0-9]+/\1 PID/g' \
        -e 's/\[[#-]{20}\] locks in [0-9]+ [a-z]+ /[BAR] locks in N /' \
        -e 's/took [0-9]+ ms/took N ms/; s/took +[0-9]+ ms/took N ms/' \
        -e 's/"(left_ms|duration_ms|handles_cut)": [0-9]+/"\1": N/' \
        -e 's/(files cut +)[0-9]+/\1N/; s/, in [0-9]+ days$/, in N days/' \
        -e 's/^(keystead) [^ ]+$/\1 VERSION/' \
        -e 's/^(  (OpenSSL|libfuse|libsodium) +)[0-9.]+$/\1VERSION/' \
        -e 's/"(keystead|openssl|libfuse|libsodium)": "[^"]*"/"\1": "VERSION"/'
}

failed=0 skipped=0
trap 'rm -rf "$work" "$work.raw" "$work.out"' EXIT
trap 'exit 1' TERM INT
for topic in "$@"; do
    work=$(mktemp -d /tmp/keystead-cli.XXXXXX)
    (cd "$work" && bash "$here/t_$topic.sh") >"$work.raw" 2>&1 </dev/null
    code=$?
    normalise "$work" <"$work.raw" >"$work.out"
    if [ $code -eq 77 ]; then
        echo "skip $topic: $(tail -1 "$work.raw")"
        skipped=$((skipped + 1))
    elif [ $mode = update ] && [ $code -eq 0 ]; then
        cp "$work.out" "$here/t_$topic.out"
        echo "updated $topic"
    elif [ $code -eq 0 ] && diff -u "$here/t_$topic.out" "$work.out"; then
        echo "ok $topic"
    else
        echo "FAILED $topic (exit $code)"
        [ $code -eq 0 ] || tail -5 "$work.raw"
        failed=$((failed + 1))
    fi
    rm -rf "$work" "$work.raw" "$work.out"
done
[ $failed -eq 0 ] || exit 1
[ $skipped -lt $# ] || exit 77
