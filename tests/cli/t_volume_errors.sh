# SPDX-License-Identifier: Apache-2.0
# Goal: what is no volume, no key, no permission, or damaged is told by name, with the class's exit code.
. "$HERE/lib.sh"
store s key orders
k="--key-file key"
mkdir empty full
touch full/file
echo "# no volume"
k volume status nothing
k volume status empty
k volume status key
k volume mount empty full
k volume inspect full
k volume unmount empty
k volume verify ""
echo "# no room for a volume"
k volume create full --key file:s#orders $k
k volume create no/such/parent --key file:s#orders $k
q volume create v --key file:s#orders $k
k volume create v --key file:s#orders $k
k volume create w --key file:s#nothing $k
k volume create w --key file:nostore#orders $k
k volume create w --key file:s#orders --key-file nofile
k volume create w --key file:s#orders
k volume create w --key file:s#orders $k --lease 10s --probe 6s
k volume create w --key file:s#orders $k --grace 25h
k volume create w --key file:s#orders $k --rotate-data 1500ms
k volume create w --key file:s#orders $k --label "$(head -c 128 /dev/zero | tr '\0' x)"
ls
echo "# the mount point"
k volume mount v nowhere
k volume mount v key
k volume mount v full --on-lock nowhere
k volume mount v full --on-lock key
k volume unmount v
echo "# the key"
q kms key disable orders --store s --key-file key
k volume rotate v --level data
k volume mount v empty --run-dir run
k volume mount v empty --run-dir run -o json
q kms key enable orders --store s --key-file key
mv key key.away
k volume verify v
head -c 32 /dev/urandom >key
k volume verify v
k volume mount v empty --run-dir run
mv key.away key
mv s s.away
k volume verify v
k volume verify v --passphrase-file key
mv s.away s
echo "# a damaged keyring: one copy is enough, none is not"
cp -r v copy
dd if=/dev/zero of=v/keyring.0 bs=1 seek=100 count=8 conv=notrunc status=none
k volume verify v
dd if=/dev/zero of=v/keyring.0 bs=1 seek=100 count=8 conv=notrunc status=none
dd if=/dev/zero of=v/keyring.1 bs=1 seek=100 count=8 conv=notrunc status=none
k volume inspect v
k volume status v
echo "# somebody else has it"
exec 9<copy/lock
flock -n 9
k volume verify copy
k volume inspect copy >/dev/null
flock -u 9

echo "# a key service that protects nothing is for development, and says so"
k volume create null --key null_kms:anything
k volume create null --key null_kms:anything --dev
k volume inspect null
k volume verify null
k volume verify null --dev
