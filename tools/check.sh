#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check.sh [--peers] - everything that must pass before a change lands; with --peers, what CI runs: the tests against
# key services that are not ours too.
#
# Each step prints one line with its time and its counts; the output of a step is in
# build/check/STEP.log and is shown when the step fails. A gate (build, lint) counts only when it fails.
# A step of tests that ran no test has failed. The last line is "N passed, N failed" over all steps.
set -u

cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
logs=$build/check
rm -rf "$logs"
mkdir -p "$logs"
started=$(date +%s)
sum_passed=0 sum_failed=0 sum_skipped=0

# report NAME SECONDS STATUS PASSED FAILED SKIPPED
report() {
    sum_passed=$((sum_passed + $4)) sum_failed=$((sum_failed + $5)) sum_skipped=$((sum_skipped + $6))
    if [ "$3" -eq 0 ] && [ "$5" -eq 0 ]; then verdict=ok; else verdict=FAILED; fi
    printf '%-16s %-7s %5d s   %s\n' "$1" "$verdict" "$2" "$7"
    if [ "$verdict" = FAILED ]; then
        echo "---- the end of $logs/$1.log"
        tail -n 80 "$logs/$1.log"
        echo "----"
    fi
}

# gate NAME COMMAND...: must succeed; is no test.
gate() {
    name=$1
    shift
    began=$(date +%s)
    "$@" >"$logs/$name.log" 2>&1 </dev/null
    status=$?
    report "$name" $(($(date +%s) - began)) "$status" 0 $((status != 0)) 0 ""
    return "$status"
}

# tests NAME KIND RESULTS COMMAND...: RESULTS is what the command's test runner writes about each test.
tests() {
    name=$1 kind=$2 results=$3
    shift 3
    began=$(date +%s)
    rm -f "$results"
    "$@" >"$logs/$name.log" 2>&1 </dev/null
    status=$?
    counts=$(tools/tally.py "$kind" "$results" 2>>"$logs/$name.log") || counts="0 1 0"
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        echo "check: the runner ended with $status though no single test failed" >>"$logs/$name.log"
        set -- "$1" 1 "$3"
    fi
    report "$name" $(($(date +%s) - began)) "$status" "$1" "$2" "$3" "$1 passed, $2 failed, $3 skipped"
}

meson_test() {
    meson test -C "$build/$1" --no-rebuild --print-errorlogs --timeout-multiplier "$2"
}

gate deps tools/deps.sh
tools/leftovers.sh before "$logs"
if gate build-gcc tools/build.sh gcc; then
    tests tests-gcc meson "$build/gcc/meson-logs/testlog.json" meson_test gcc 2
fi
gate build-clang tools/build.sh clang
gate lint tools/lint/lint.sh
if gate build-asan tools/build.sh asan; then
    tests tests-asan meson "$build/asan/meson-logs/testlog.json" meson_test asan 5
fi
if gate build-fuzz tools/build.sh fuzz; then
    tests fuzz fuzz "$build/fuzz/results.tsv" tools/fuzz.sh "$build/fuzz"
fi
tests e2e junit "$logs/e2e.xml" tools/e2e.sh "$build/gcc" --junit-xml="$PWD/$logs/e2e.xml"
if [ "${1:-}" = --peers ]; then
    gate peers tools/peers.sh
    tests check-peers junit "$logs/peers.xml" tools/check-peers.sh "$build/gcc" --junit-xml="$PWD/$logs/peers.xml"
fi
gate leftovers tools/leftovers.sh after "$logs"

printf 'check took %d s\n' $(($(date +%s) - started))
[ "$sum_skipped" -eq 0 ] || printf '%d tests were skipped: see %s\n' "$sum_skipped" "$logs"
printf '%d passed, %d failed\n' "$sum_passed" "$sum_failed"
[ "$sum_failed" -eq 0 ] && [ "$sum_passed" -gt 0 ]
