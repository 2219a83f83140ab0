#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh FLAVOUR - configures build/FLAVOUR when needed and builds it.
#
#   release  what is installed: optimised, warnings allowed, without tests
#   gcc      gcc, warnings are errors, with tests
#   clang    clang, warnings are errors, with tests
#   asan     clang with address, leak and undefined-behaviour checks, with tests
#   fuzz     the libFuzzer targets, with the same checks
#   clang-setup  only configures the clang flavour, for compile_commands.json
set -eu

cd "$(dirname "$0")/.."
build=${BUILD:-build}
flavour=${1:?usage: tools/build.sh release|gcc|clang|asan|fuzz}
target=all
# What a check finds ends the test: it must not pass with a line in its log.
sanitize='-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Dc_args=-fno-sanitize-recover=undefined'

case $flavour in
release) compiler=${CC:-cc} options='-Dtests=false' ;;
gcc) compiler=gcc options='-Dwerror=true' ;;
clang | clang-setup) compiler=clang options='-Dwerror=true' ;;
asan) compiler=clang options=$sanitize ;;
fuzz) compiler=clang options="$sanitize -Dfuzzers=true" target=fuzzers ;;
*)
    echo "build.sh: no flavour '$flavour'; one of release gcc clang asan fuzz" >&2
    exit 2
    ;;
esac

# Several worktrees and flavours compile the same files: a compiler cache is used where there is one.
if command -v ccache >/dev/null; then
    compiler="ccache $compiler"
fi

only=${flavour#clang-}
flavour=${flavour%-setup}
if [ ! -f "$build/$flavour/build.ninja" ]; then
    mkdir -p "$build"
    # shellcheck disable=SC2086 # one word per option
    CC=$compiler meson setup $options "$build/$flavour" . >"$build/$flavour-setup.log" 2>&1 || {
        cat "$build/$flavour-setup.log"
        exit 1
    }
fi
if [ "$only" = setup ]; then
    exec ninja -C "$build/$flavour" build.ninja
fi
ninja -C "$build/$flavour" -j "${JOBS:-$(nproc)}" "$target"
