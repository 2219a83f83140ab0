#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# leftovers.sh before|after DIR - whether the tests cleaned up after themselves.
#
# "before" notes mounts, processes and network namespaces of ours, core files and changed files of the checkout in DIR;
# "after" compares and fails with a list of what is new.
set -u

cd "$(dirname "$0")/.." || exit 1
when=${1:?usage: tools/leftovers.sh before|after DIR}
dir=${2:?usage: tools/leftovers.sh before|after DIR}

# Volume processes of this checkout: "PID COMMAND LINE". Others on this host are not our business.
ours() {
    for process in /proc/[0-9]*; do
        case $(readlink "$process/exe" 2>/dev/null) in
        "$PWD"/*/keystead*) printf '%s ' "${process#/proc/}" && tr '\0' ' ' <"$process/cmdline" && echo ;;
        esac
    done 2>/dev/null
}

# Mounts of ours, and those whose process has died, whoever made them.
mounts() {
    findmnt -rn -t fuse.keystead -o SOURCE,TARGET | while read -r source target; do
        backing=${source#keystead:}
        if ours | grep -qF "$backing" || ! pgrep -f "keystead.*$backing" >/dev/null; then
            echo "$target"
        fi
    done
}

# Those that tests/e2e/harness/network.py makes bear a name made of that of the checkout.
namespaces() {
    ip netns list 2>/dev/null | grep -o "^keystead-$(printf %s "$(pwd -P)" | md5sum | cut -c1-8)-[^ ]*"
}

look() {
    mounts | sed 's/^/mount /'
    ours | sed 's/^/process /'
    namespaces | sed 's/^/network namespace /'
    find . -path ./.git -prune -o \( -name core -o -name 'core.[0-9]*' \) -type f -print | sed 's/^/core /'
    git status --porcelain 2>/dev/null | sed 's/^/tree /'
}

look | sort >"$dir/leftovers.$when"
[ "$when" = after ] || exit 0
new=$(comm -13 "$dir/leftovers.before" "$dir/leftovers.after")
[ -z "$new" ] || {
    echo "left behind by the tests:"
    echo "$new"
    exit 1
}
