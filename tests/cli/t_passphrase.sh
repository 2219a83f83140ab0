# SPDX-License-Identifier: Apache-2.0
# Goal: passphrases come from a file or the terminal, never from anywhere else, and wrong ones are told as such.
. "$HERE/lib.sh"
umask 077
echo "correct horse battery" >right
echo "wrong horse battery" >wrong
echo "short" >short
: >empty
head -c 2000 /dev/zero | tr '\0' x >long
k kms init --store s --passphrase-file short
k kms init --store s --passphrase-file empty
k kms init --store s --passphrase-file long
k kms init --store s --passphrase-file missing
k kms init --store s --passphrase-file right
k kms key create orders --store s --passphrase-file right
k kms key list --store s --passphrase-file wrong
printf 'correct horse battery\r\nsecond line\n' >dos
k kms key list --store s --passphrase-file dos
chmod 644 right
k kms key list --store s --passphrase-file right
chmod 600 right
echo "# without a terminal"
echo "\$ keystead kms key list --store s"
setsid "$KEYSTEAD" kms key list --store s </dev/null
echo "= exit $?"
echo "# on a terminal: echo is off while it is typed, and on again afterwards"
python3 "$HERE/terminal.py" "correct horse battery" -- "$KEYSTEAD" kms key list --store s
python3 "$HERE/terminal.py" "wrong horse battery" -- "$KEYSTEAD" kms key list --store s
python3 "$HERE/terminal.py" "twice the same" "twice the same" -- "$KEYSTEAD" kms init --store t
python3 "$HERE/terminal.py" "once like this" "once like that" -- "$KEYSTEAD" kms init --store u
python3 "$HERE/terminal.py" --interrupt -- "$KEYSTEAD" kms key list --store s
echo "# a confirmation is typed in the open"
python3 "$HERE/terminal.py" "correct horse battery" "+other" -- "$KEYSTEAD" kms key schedule-deletion orders --store s
python3 "$HERE/terminal.py" "correct horse battery" "+orders" -- "$KEYSTEAD" kms key schedule-deletion orders --store s
