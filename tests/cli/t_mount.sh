# SPDX-License-Identifier: Apache-2.0
# Goal: a real mount from the command line: status, lock, unlock, rotation, verify with damage, a killed process.
. "$HERE/lib.sh"
[ -e /dev/fuse ] || { echo "no /dev/fuse"; exit 77; }
[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || { echo "no fusermount3"; exit 77; }
export KEYSTEAD_RUN_DIR=$PWD/run
mkdir "mount point"
m="mount point"
trap '"$KEYSTEAD" volume unmount "$m" >/dev/null 2>&1' EXIT
store s key orders
q volume create v --key file:s#orders --key-file key
k volume mount v "$m" --min-sequence 4294967296
k volume mount v "$m" --min-sequence 9223372036854775807
k volume mount v "$m" --min-sequence 9223372036854775808
k volume mount v "$m" --min-sequence 99999999999999999999
k volume mount v "$m" --volume-id 00112233445566778899aabbccddeeff
k volume mount v "$m"
k volume mount v "$m"
cp -a v copy
mkdir "mount of copy"
k volume mount copy "mount of copy"
k volume lock copy --yes
"$KEYSTEAD" volume status copy | grep -E '^volume|process'
"$KEYSTEAD" volume status v | grep -E '^state'
rm -r copy "mount of copy"
k volume status "$m"
stat -c '%a' run/*.log
yes 0123456789abcdef | head -c 100000 >"$m/file"
mkdir "$m/dir"
ln -s ../file "$m/dir/shortcut"
ln -s "$PWD/$m" link
# which key services were asked depends on when
k volume status "$m" --survey -o json | sed '/"key_services"/,/^  \]/d' | grep -vE '"(reads|writes|syncs|bytes_read|bytes_written|requests_refused|awake_ms|handles|at|wrap|result|message)"'
k volume status "$m" -o json | grep -A2 '"purpose": "USE"'
k volume status "$m" -o prometheus | sed -E '/(reads|writes|syncs|_bytes|refused|awake|lease_left).*[}]/s/[0-9]+$/N/'
k volume status "$m/dir"
"$KEYSTEAD" volume status link | head -2
"$KEYSTEAD" volume status "./$m/" | head -1
(cd "$m" && "$KEYSTEAD" volume status . | head -1)
k volume rotate v --level data
k volume rotate "$m" --level cmek
k volume rotate "$m" --level store
k volume set "$m" --grace 10m
k volume add-wrap "$m" --key file:s#orders --key-file key
k volume remove-wrap "$m" --wrap 99 --yes
k volume verify "$m"
k volume verify v -o json
k volume inspect v >/dev/null
echo "# lock and unlock"
k volume lock "$m"
k volume lock "$m" --yes
cat "$m/file" >/dev/null
"$KEYSTEAD" volume status "$m" | grep -E '^volume|to open it'
k volume lock v --yes -o json
k volume unlock "$m"
wc -c <"$m/file"
echo "# the key's owner takes it away: unlock says so"
q volume lock "$m" --yes
q kms key disable orders --store s --key-file key
k volume unlock "$m"
q kms key enable orders --store s --key-file key
k volume unlock "$m"
echo "# another run directory"
k volume status "$m" --run-dir other
k volume rotate "$m" --level data --run-dir other
k volume unmount "$m" --run-dir other
echo "# a killed process"
pid=$("$KEYSTEAD" volume status "$m" -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
kill -9 "$pid"
wait_for flock -n v/lock true
"$KEYSTEAD" volume status "$m" | grep -E '^volume|process'
mkdir elsewhere
k volume mount v elsewhere
k volume unmount "$m"
k volume mount v "$m"
pid=$("$KEYSTEAD" volume status "$m" -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
kill -9 "$pid"
wait_for flock -n v/lock true
k volume mount v "$m"
wc -c <"$m/file"
exec 8<"$m/file"
k volume unmount "$m"
exec 8<&-
k volume unmount v
k volume unmount v
echo "# damage"
file=$(find v/tree -type f -size +100k)
printf '\377\377\377\377' | dd of="$file" bs=1 seek=9000 conv=notrunc status=none
k volume verify v
k volume verify v -o json
rm "$file"
link=$(find v/tree -type l)
ln -sfn not-what-the-volume-wrote "$link"
k volume verify v
k volume verify v -o json
echo "# foreground, ended by a signal"
"$KEYSTEAD" volume mount v "$m" --foreground 2>log &
pid=$!
wait_for grep "is mounted" log
"$KEYSTEAD" volume status v | head -1
kill -TERM $pid
wait $pid
echo "= exit $?"
cat log
echo "# revoked while the key service denies it: recorded all the same"
q volume create x --key file:s#orders --key-file key --lease 2s --probe 200ms
q volume mount x "$m"
q kms key disable orders --store s --key-file key
wait_for is_in LOCKED x
k volume lock x --yes
"$KEYSTEAD" volume status x | grep -E '^volume|to open it'
cat x/revoked
k volume unmount x
q kms key enable orders --store s --key-file key
k volume mount x "$m"
k volume unlock x
k volume mount x "$m"
k volume unmount x
echo "# a passphrase typed once lasts for every probe"
(umask 077; echo "correct horse battery" >pass)
q kms init --store t --passphrase-file pass
q kms key create typed --store t --passphrase-file pass
q volume create w --key file:t#typed --passphrase-file pass --probe 200ms
python3 "$HERE/terminal.py" "wrong horse battery" -- "$KEYSTEAD" volume mount w "$m"
setsid "$KEYSTEAD" volume mount w "$m"
echo "= exit $?"
python3 "$HERE/terminal.py" "correct horse battery" -- "$KEYSTEAD" volume mount w "$m"
is_probed() { "$KEYSTEAD" volume status w -o json | grep -q '"last_probe": {'; }
wait_for is_probed
"$KEYSTEAD" volume status w | grep -E '^volume|last probe'
q kms key disable typed --store t --passphrase-file pass
wait_for is_in LOCKED w
q kms key enable typed --store t --passphrase-file pass
wait_for is_in OPEN w
k volume unmount w
