# SPDX-License-Identifier: Apache-2.0
# Goal: keys, users and roles of a running key service from the command line, and what is said when something is not there.
. "$HERE/lib.sh"
k kms setup --dir svc --key-file root.key
k kms key list --dir svc
mkfifo log
"$KEYSTEAD" kms serve --dir svc --key-file root.key --listen 127.0.0.1:0 2>log &
service=$!
trap 'kill $service; wait' EXIT
exec 7<log
while read -r line <&7; do case $line in *serving*) break ;; esac; done
cat <&7 >serve.log &
d="--dir svc"
echo "# keys"
k kms key list
k kms key list --store s $d
k kms key create orders $d
k kms key create orders $d
k kms key create 12345678-1234-1234-1234-123456789012 $d
k kms key list $d
k kms key list $d -o json
k kms key show orders $d
k kms key show nothing $d
k kms key disable orders $d
k kms key disable nothing $d
k kms key enable orders $d
k kms key rotate orders $d
k kms key schedule-deletion orders --days 3 $d --yes
k kms key schedule-deletion orders --days 7 $d --yes
k kms key cancel-deletion orders $d
k kms key show orders $d --region nowhere/at/all
k kms key list $d --region eu-west-1
k kms key list $d --account 999900001111
echo "# another account uses a key"
k kms account create 444455556666 $d
k kms user create keystead --account 444455556666 $d
k kms user create keystead --account 444455556666 $d
k kms role create database --of-key orders --trust 444455556666 --external-id org-1 $d
k kms role create database --of-key orders --trust 444455556666 --external-id org-1 $d
k kms role create other --of-key nothing --trust 444455556666 --external-id org-1 $d
k kms role create other --of-key orders --trust nobody --external-id org-1 $d
k kms role delete database $d
k kms role delete database $d
stat -c '%a %n' svc svc/*.credentials
