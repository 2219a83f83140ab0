# SPDX-License-Identifier: Apache-2.0
# Goal: re-encryption from the command line, mounted and not: what it rewrites, which keys it destroys, which it keeps
# and why; and what is safe to delete, told without any key.
. "$HERE/lib.sh"
[ -e /dev/fuse ] || { echo "no /dev/fuse"; exit 77; }
[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || { echo "no fusermount3"; exit 77; }
export KEYSTEAD_RUN_DIR=$PWD/run
mkdir m
trap '"$KEYSTEAD" volume unmount m >/dev/null 2>&1' EXIT
store s key orders second
q volume create v --key file:s#orders --key-file key
q volume mount v m
yes 0123456789abcdef | head -c 100000 >m/file
sync m/file
echo "# one data key"
k volume generations v
k volume rekey m
k volume rekey v --rate 0x
k volume generations nothing
echo "# mounted"
q volume rotate m --level data
k volume generations m
k volume rekey m --rate 100
k volume generations m -o json
k volume rekey v -o json
"$KEYSTEAD" volume status m -o json | grep '"rekey"'
echo "# unmounted, two older data keys at once"
q volume rotate m --level data
yes fedcba9876543210 | head -c 50000 >m/other
sync m/other
q volume rotate m --level data
q volume unmount m
k volume rekey v
k volume generations v
k volume verify v
echo "# wraps: which customer keys may go"
q volume rotate v --level cmek
q kms key rotate orders --store s --key-file key
q volume rotate v --level cmek
q volume add-wrap v --key file:s#second --key-file key
"$KEYSTEAD" volume generations v | sed -n '/^  TYPE/,$p'
q volume remove-wrap v --wrap 3 --yes
"$KEYSTEAD" volume generations v | sed -n '/^  TYPE/,$p'
q volume rotate v --level data
echo "# no key: generations answers all the same, rekey does not"
q kms key disable second --store s --key-file key
"$KEYSTEAD" volume rekey v 2>/dev/null
echo "= exit $?"
"$KEYSTEAD" volume generations v | grep OLDER
q kms key enable second --store s --key-file key
echo "# a damaged block keeps its key"
file=$(find v/tree -type f -size +100k)
printf '\377\377\377\377' | dd of="$file" bs=1 seek=9000 conv=notrunc status=none
k volume rekey v
k volume rekey v -o json
k volume generations v
q volume mount v m
k volume rekey m
rm m/file
q volume unmount m
k volume rekey v
k volume generations v
echo "# a lost header keeps the keys, too, until the file is written, removed or restored"
q volume mount v m
yes 0123456789abcdef | head -c 20000 >m/lost
sync m/lost
q volume rotate m --level data
q volume unmount m
file=$(find v/tree -type f -size -40k)
head -c 4096 "$file" >header
head -c 4096 /dev/zero | dd of="$file" conv=notrunc status=none
k volume rekey v
k volume verify v
k volume verify v -o json
q volume mount v m
k volume verify m
q volume unmount m
dd if=header of="$file" conv=notrunc status=none
k volume rekey v
