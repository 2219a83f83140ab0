# SPDX-License-Identifier: Apache-2.0
# Goal: what people and programs see of a fleet, and what the control plane is asked for it; nothing is taken away unless its name was typed.
. "$HERE/lib.sh"
python3 -B "$HERE/fleet_server.py" . &
server=$!
trap 'kill $server' EXIT
wait_for test -s url
url=$(cat url)
export HOME=$PWD XDG_CONFIG_HOME=
echo ksk_1_good >good.key
echo ksk_1_bad >bad.key
chmod 600 good.key bad.key

# shows the command as it was, without the port
f() {
    k "$@" 2>&1 | sed "s#$url#URL#g"
}

echo "# profiles"
f cluster list
f profile list
f profile set Dev --server "$url"
f profile set dev --server http://keystead.example.com --key-file good.key
f profile set dev --server "$url" --key-file missing.key
f profile set dev --server "$url" --key-file good.key
f profile set other --server "$url" --key-file bad.key
f organisation list
KEYSTEAD_PROFILE=dev f organisation list
f organisation list --profile none
f profile use none
f profile use dev
f profile list
f profile list -o json
f profile remove other
f profile remove other
f organisation list --server "$url" --key-file bad.key
f organisation list --server "$url" --key-file bad.key -o json
chmod 640 bad.key
f organisation list --server "$url" --key-file bad.key

echo "# who may ask"
f organisation create acme
f organisation create acme -o json
f apikey create ci --role admin --organisation acme --secret-file ci.key
stat -c '%a %n' ci.key
cat ci.key
f apikey create ci --secret-file ci.key
f apikey create ci --organisation none --secret-file new.key
f apikey list
f apikey revoke 6d000000-0000-4000-8000-000000000001
f apikey revoke 6d000000-0000-4000-8000-000000000001 --yes 6d000000-0000-4000-8000-000000000001

echo "# the platform"
f platform show
f platform show -o json
f platform set
f platform set --gcp-project a-project --aws-principal none
k serve setup --dir told --aws-account 111122223333 --aws-principal arn:aws:iam::444455556666:user/nodes
q serve setup --dir told --aws-account 444455556666 --aws-principal arn:aws:iam::444455556666:user/nodes
k platform set --dir told --azure-client-id one
k platform set --dir told --azure-application Nodes
k platform show --dir told

echo "# nodes"
f node list
f node list -o json
f node token --region eu --secret-file join.token
stat -c '%a %n' join.token
f node remove db-eu --yes db-us
f node remove db-eu --yes db-eu
f node remove db-none --yes db-none

echo "# clusters"
cat >cmek_config.yml <<'YAML'
---
region_specs:
- region: eu
  key_spec:
    type: AWS_KMS
    uri: "arn:aws:kms:eu-west-1:111122223333:key/1"
    auth_principal: "arn:aws:iam::111122223333:role/db"
YAML
f cluster list
f cluster list -o json
f cluster show orders
f cluster show orders -o json
f cluster show none
f cluster create orders --regions eu:3,us -f cmek_config.yml
f cluster create orders --regions eu -f cmek_config.yml --engine postgresql --lease 30s --rotate-data 30d --protected yes
f cluster create orders --regions eu --wait
f cluster create orders --regions eu:x
f cluster set orders
f cluster set orders --protected no --grace 10m
f cluster connection orders
f cluster connection orders --secret-file orders.json
cat orders.json
echo
f cluster show ledger
f cluster accept-rollback ledger eu/0
f cluster accept-rollback ledger eu/0 --yes orders
f cluster accept-rollback ledger eu/1 --yes ledger
f cluster accept-rollback orders eu/0 --yes orders
f cluster accept-rollback ledger eu/0 --yes ledger
f cluster accept-rollback ledger 3a000000-0000-4000-8000-000000000001 --yes ledger -o json
f cluster delete orders
f cluster delete orders --yes ledger
f cluster delete orders --yes orders --wait
f cluster delete ledger --yes ledger
f region list
f region list orders
f region add orders eu --nodes 2 -f cmek_config.yml
f region add orders us -f cmek_config.yml
f region scale orders eu --nodes 3
f region remove orders eu --yes eu

echo "# keys"
f cmek status orders
f cmek status orders -o json
f cmek history orders
f cmek enable orders -f cmek_config.yml
f cmek enable orders -f cmek_config.yml --wait -o json
f cmek enable orders -f missing.yml
echo 'region_specs: [{region: eu, key_spec: {type: AWS_KMS, uri: "{YOUR_KEY}"}}]' | f cmek enable orders -f -
f cmek check orders -f cmek_config.yml
f cmek check orders -f cmek_config.yml -o json
f cmek rotate orders
f cmek rotate orders --level data
f cmek rotate orders --region eu --level reencrypt
f cmek rotate orders -f cmek_config.yml --wait
f cmek rotate orders -f cmek_config.yml --level data
f cmek revoke orders
f cmek revoke orders --yes ledger
f cmek revoke orders --region us --yes orders
f cmek restore orders --wait
f cmek disable orders --yes orders

echo "# operations"
f operation list orders
f operation list orders --limit 1 -o json
f operation list
f operation list --state failed --kind cmek-revoke
f operation list --state lost
f operation list --kind a-word-that-is-longer-than-any-kind-of-operation
f operation show 4b000000-0000-4000-8000-000000000001
f operation show 4b000000-0000-4000-8000-000000000009
f operation wait 4b000000-0000-4000-8000-000000000002
f operation wait 4b000000-0000-4000-8000-000000000003
f operation wait 4b000000-0000-4000-8000-000000000001 --timeout 1ms
f operation cancel 4b000000-0000-4000-8000-000000000004

echo "# records"
f audit list --cluster orders --action 'cmek.*'
f audit export
f audit verify
f audit verify -o json
f receipt list orders
f receipt save orders receipts
ls receipts
f receipt save orders good.key

echo "# without a server, on its directory"
f organisation list --dir control
f serve setup --dir no/where
f serve setup --dir control --organisation acme | sed 's/([-0-9a-f]*)/(UUID)/'
f organisation create second --dir control
f organisation list --dir control -o json | grep '"name"' | sort
f apikey create ops --role viewer --organisation second --secret-file ops.key --dir control
stat -c '%a %n' ops.key
f apikey create ops --organisation none --secret-file none.key --dir control
f apikey create ops --cluster orders --secret-file none.key --dir control
f apikey list --dir control -o json | grep -c '"is_revoked": false'
f apikey revoke 6d000000-0000-4000-8000-000000000001 --yes 6d000000-0000-4000-8000-000000000001 --dir control
f audit verify --dir control
f audit export --dir control | sed -E 's/"(at|chain)":"[^"]*"/"\1":"..."/g; s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/(UUID)/g'

echo "# what was asked for"
# How often it is asked again while it waits is a matter of time: once stands for all.
sed 's/since=[^&]*/since=TIME/' requests | awk '!(/wait=1$/ && $0 == last); { last = $0 }'
