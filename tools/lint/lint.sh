#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# lint.sh - everything that can be said about the source without running it. Says all, then fails.
set -u

cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
failed=0

step() {
    title=$1
    shift
    began=$(date +%s)
    echo "== $title"
    "$@" || {
        failed=$((failed + 1))
        echo "== $title: FAILED"
    }
    echo "   ($(($(date +%s) - began)) s)"
}

c_files() {
    git ls-files -co --exclude-standard "$@" | grep '\.[ch]$' | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

formatting() {
    c_files src tests bench tools | xargs clang-format --dry-run -Werror
}

other_text() {
    bad=$(git ls-files -co --exclude-standard '*.sh' '*.py' '*.md' '*.build' '*.yml' Makefile .ci/run packaging docs |
        sort -u | while read -r f; do [ ! -f "$f" ] || grep -nH '[[:space:]]$' "$f"; done)
    [ -z "$bad" ] || {
        echo "$bad"
        echo "    space at the end of the line"
        return 1
    }
    unlicensed=$(git ls-files -co --exclude-standard '*.sh' '*.py' Makefile '*.service' | while read -r f; do
        [ ! -f "$f" ] || head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f"
    done)
    [ -z "$unlicensed" ] || {
        echo "$unlicensed"
        echo "    no SPDX line among the first three"
        return 1
    }
}

python_compiles() {
    git ls-files -co --exclude-standard '*.py' | while read -r f; do
        [ ! -f "$f" ] || echo "$f"
    done | xargs -r python3 -c '
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)'
}

shell_parses() {
    for f in $(git ls-files -co --exclude-standard '*.sh' .ci/run); do
        [ -f "$f" ] || continue
        case $(head -n 1 "$f") in '#!/bin/sh'*) sh -n "$f" ;; *) bash -n "$f" ;; esac || return 1
    done
}

cppcheck_with_options() {
    cppcheck --quiet --error-exitcode=1 --std=c11 --language=c --enable=warning,performance,portability \
        --inline-suppr --suppressions-list=tools/lint/cppcheck.txt --library=posix -j "${JOBS:-$(nproc)}" \
        -Isrc -D_GNU_SOURCE -DFUSE_USE_VERSION=314 \
        --include=tools/lint/cppcheck.h "$@"
}

# An option that it does not understand makes it find nothing and say so nowhere: first something that it must find.
cppcheck_src() {
    printf 'int beyond(void);\nint beyond(void)\n{\n    int a[2] = {0};\n    return a[2];\n}\n' >"$build/cppcheck/bad.c"
    if cppcheck_with_options "$build/cppcheck/bad.c" >"$build/cppcheck/bad.log" 2>&1; then
        echo "cppcheck does not find what it must find in $build/cppcheck/bad.c"
        return 1
    fi
    cppcheck_with_options --cppcheck-build-dir="$build/cppcheck" src
}

mkdir -p "$build/cppcheck"
tools/build.sh clang-setup >/dev/null
step 'rules, against their own examples' tools/lint/run.py --selftest
step 'the counting of tests, against its own examples' tools/tally.py selftest
step 'rules' tools/lint/run.py
step 'every file is compiled and every test is run' tools/lint/wired.py
step 'docs/ERRORS.md is current' tools/errors_doc.py --check
step 'links of documents' tools/lint/links.py
step 'scripts and documents' other_text
step 'python' python_compiles
step 'shell' shell_parses
step 'clang-format' formatting
step 'each header compiles alone' tools/lint/headers.py
step 'cppcheck' cppcheck_src
step 'clang-tidy' tools/lint/tidy.py
tools/lint/run.py --report

[ "$failed" -eq 0 ] || {
    echo "lint: $failed of its checks failed"
    exit 1
}
echo "lint: all is well"
