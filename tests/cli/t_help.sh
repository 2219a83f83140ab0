# SPDX-License-Identifier: Apache-2.0
# Goal: every command explains itself, the same way through help and --help; groups and the bare program too.
. "$HERE/lib.sh"
k
k --help
k help volume
k kms --help
commands >names.txt
while read -r name; do
    "$KEYSTEAD" help $name >one.txt
    "$KEYSTEAD" $name --help >two.txt
    cmp one.txt two.txt
done <names.txt
explain version help completion
k version
k --version
k version -o json
