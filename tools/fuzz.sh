#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh BUILD_DIR [TARGET...] - runs each fuzz target for FUZZ_SECONDS (default 20), two at a time.
#
# First the committed seeds (tests/fuzz/corpus/NAME) and then new inputs, which are kept in
# BUILD_DIR/corpus/NAME. An input that crashes, hangs for 10 s or needs more than 2 GiB is written to
# BUILD_DIR/crashes and fails the run. Results for tools/tally.py go to BUILD_DIR/results.tsv.
set -eu

cd "$(dirname "$0")/.."
build=$(realpath "${1:?usage: tools/fuzz.sh BUILD_DIR [TARGET...]}")
shift
seconds=${FUZZ_SECONDS:-20}
results=$build/results.tsv

run_one() {
    target=$1
    name=$(basename "$target")
    name=${name#fuzz_}
    seeds=tests/fuzz/corpus/$name
    log=$build/fuzz_$name.log
    mkdir -p "$build/corpus/$name" "$build/crashes"
    if [ ! -d "$seeds" ]; then
        printf '%s\tfailed\tno seed corpus %s\n' "$name" "$seeds" >>"$results"
        return
    fi
    dictionary=
    [ ! -f "tests/fuzz/$name.dict" ] || dictionary=-dict=tests/fuzz/$name.dict
    if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        $dictionary -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "$seeds" \
        >"$log" 2>&1 </dev/null; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        printf '%s\tok\t%s inputs\n' "$name" "$runs" >>"$results"
    else
        printf '%s\tfailed\tsee %s and %s/crashes\n' "$name" "$log" "$build" >>"$results"
        tail -n 40 "$log"
    fi
}

if [ "${FUZZ_ONE:-}" ]; then
    run_one "$1"
    exit 0
fi

: >"$results"
[ $# -gt 0 ] || set -- $(find "$build/tests/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -perm /111 | sort)
if [ $# -eq 0 ]; then
    echo "fuzz: no targets in $build/tests/fuzz" >&2
    exit 1
fi
printf '%s\n' "$@" | FUZZ_ONE=1 xargs -n 1 -P 2 "$0" "$build"
sort -o "$results" "$results"
cat "$results"
! grep -q "$(printf '\tfailed\t')" "$results"
