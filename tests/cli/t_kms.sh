# SPDX-License-Identifier: Apache-2.0
# Goal: the life of a key in a key store, with every transition that is refused, in both outputs.
. "$HERE/lib.sh"
s="--store s --key-file k"
k kms init $s
stat -c '%a %n' s k
k kms init $s
k kms key list $s
k kms key create orders $s
k kms key create orders $s
k kms key create "bad name" $s
k kms key create ../x $s
k kms key create billing $s -o json
k kms key list $s
k kms key list $s -o json
k kms key show orders $s
k kms key show orders $s -o json
k kms key show nothing $s
k kms key enable orders $s
k kms key disable orders $s
k kms key disable orders $s
k kms key rotate orders $s
k kms key enable orders $s
k kms key rotate orders $s
k kms key cancel-deletion orders $s
k kms key schedule-deletion orders $s
k kms key schedule-deletion orders $s --days 7 --yes
k kms key list $s
k kms key enable orders $s
k kms key cancel-deletion orders $s
k kms key enable orders $s
k kms key schedule-deletion billing $s --days 0 -y
k kms key show billing $s
k kms key cancel-deletion billing $s
echo "# another key file, no store, a damaged key"
head -c 32 /dev/urandom >other
k kms key list --store s --key-file other
k kms key list --store s --key-file nofile
head -c 31 /dev/urandom >short
k kms key list --store s --key-file short
k kms key list --store nostore --key-file k
k kms key list --store s
