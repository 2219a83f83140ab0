# SPDX-License-Identifier: Apache-2.0
# key check and key grants: what is granted, what mends what is not, and what cannot be printed.
. "$HERE/lib.sh"
a=aws_kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
k kms init --store s --key-file kf
k kms key create one --store s --key-file kf
k key check file:s#one --key-file kf
k kms key disable one --store s --key-file kf
k key check file:s#one --key-file kf
k key check file:s#one --key-file kf -o json
k key check file:s#two --key-file kf
k key grants "$a" --as trust --trusted arn:aws:iam::444455556666:role/db --organisation acme
k key grants "$a" --as trust --organisation acme
k key grants "$a" --as trust --trusted 'a"b' --organisation acme
k key grants "$a" --as poem
k key grants vault_transit:https://vault.example.com:8200/v1/transit/keys/orders
k volume create v --auth-principal p
k volume create v --key file:s#one --key-file kf --auth-principal p
