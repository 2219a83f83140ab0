# SPDX-License-Identifier: Apache-2.0
# Goal: the life of a volume that nobody mounts: create, status, inspect, rotations, wraps, settings, lock.
. "$HERE/lib.sh"
store s key orders second
k="--key-file key"
k volume create v --key file:s#orders $k --label Orders --organisation acme --cluster c1 --region eu
ls -A v
k volume status v
k volume inspect v
k volume rotate v --level data
k volume rotate v --level store
k volume rotate v --level cmek
q kms key rotate orders --store s --key-file key
k volume rotate v --level cmek
k volume add-wrap v --key file:s#second $k
k volume add-wrap v --key file:s#second $k
k volume remove-wrap v --wrap 1 --yes
k volume remove-wrap v --wrap 99 --yes
k volume remove-wrap v --wrap 4
k volume remove-wrap v --wrap 4 --yes
k volume remove-wrap v --wrap 5 --yes
k volume rotate v --level cmek --wrap 5 --key file:s#orders $k
k volume set v --lease 30s --probe 5s --grace 0s --rotate-data 0s
k volume set v --probe 20s
k volume set v --grace 25h
k volume status v
k volume inspect v --survey
k volume inspect v --survey -o json
k volume status v -o json
k volume status v -o prometheus
k volume verify v
k volume verify v -o json
k volume lock v
k volume lock v --yes
k volume status v
k volume lock v -y -o json
k volume inspect v | grep revoked
k volume unlock v -o json
k volume unlock v
echo "# two keys, dense, json"
k volume create w --key file:s#orders $k --key file:s#second $k --dense -o json
"$KEYSTEAD" volume inspect w | grep -E 'format|ACTIVE'
echo "# any one of the two opens it"
q kms key disable orders --store s --key-file key
k volume verify w
q kms key disable second --store s --key-file key
k volume verify w
echo "# neither revoke nor restore asks a key service"
k volume lock w --yes
"$KEYSTEAD" volume status w | head -1
k volume unlock w
"$KEYSTEAD" volume status w | head -1
