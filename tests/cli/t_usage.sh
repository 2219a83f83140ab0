# SPDX-License-Identifier: Apache-2.0
# Goal: each way of typing a command wrongly gives exit 2 and says what would be right; nothing is made.
. "$HERE/lib.sh"
echo "# commands"
k volume moutn a b
k mount a b
k volume
k kms key
k node
k node --dir x
k kms key lst
k volume unmout x
k frobnicate
k -x
k --verbose
k help volume moutn
k help nothing at all
k "$(printf 'a\033[31mb')"
k completion zsh
echo "# arguments"
k volume unmount
k volume mount a
k volume unmount a b
k kms key show --store s
k volume status ""
echo "# options"
k volume status . --jsno
k volume mount a b --forground
k volume status . --yes
k volume rotate x
k volume rotate x --level foo
k volume rotate x --level
k volume rotate x --level cme
k volume rotate x --level data --wrap 1
k volume rotate x --level data --key file:/s#k
k volume rotate x --level cmek --level data
k volume lock x --yes=now
k kms key list
k kms key list --store=
k kms key list --store s --store t
k kms key list --store s --key-file a --passphrase-file b
k kms key schedule-deletion a --store s --days -1
k kms key schedule-deletion a --store s --days 1.5
k kms key schedule-deletion a --store s --days 366
k kms key schedule-deletion a --store s --days 99999999999
k volume remove-wrap x
k volume remove-wrap x --wrap one
k volume create v --key-file f
k volume create v --key file:s#k --key-file f --key-file g
k volume create v --key aws_kms:x --auth-principal r --auth-principal r
k volume create v --auth-principal r --key aws_kms:x
k volume create v --key file:/srv#a --auth-principal r
k volume create v --key aws_kms:alias/x
k volume create v --key aws_kms:arn:aws:kms:eu-west-1:111122223333:key/x --auth-principal r
k volume create v
k volume create v --key
k volume create v --key orders
k volume create v --key file:
k volume create v --key file:/srv
k volume create v --key "file:#a"
k volume create v --key nosuch:/srv#a
k volume create v --label "" --key file:/srv#a
k volume add-wrap v --key file:a#b --key file:c#d
k volume set v
for id in "" 7 00112233445566778899AABBCCDDEEFF 00112233445566778899aabbccddeef 00112233445566778899aabbccddeeff0 00112233-4455-6677-8899-aabbccddeeff; do
    k volume mount v m --volume-id "$id"
done
k version -o
k version -o xml
k version -ojson -ojson
echo "# spans of time"
for time in 5 5x s -5s 1.5s 5sm " 5s" 4000d 99999999999999999999s ""; do
    k volume set v --lease "$time"
done
echo "# errors for programs"
k version -o json --yes
k volume status /nowhere -o json
echo "# nothing was made"
ls
