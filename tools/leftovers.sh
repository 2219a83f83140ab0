#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# leftovers.sh before|after DIR - whether the tests cleaned up after themselves.
#
# "before" notes mounts and processes of ours, core files and changed files of the checkout in DIR;
# "after" compares and fails with a list of what is new.
set -u

cd "$(dirname "$0")/.." || exit 1
when=${1:?usage: tools/leftovers.sh before|after DIR}
dir=${2:?usage: tools/leftovers.sh before|after DIR}

look() {
    findmnt -rn -o TARGET,FSTYPE,SOURCE | grep -i keystead | sed 's/^/mount /'
    ps -eo pid=,comm= | awk '$2 ~ /^keystead/ { print "process", $1, $2 }'
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
