/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_key.h - the names of AWS KMS keys: ARNs, regions and partitions.
 *
 * Pure: text in, parts out.
 */
#pragma once

#include "base/key_spec.h"

enum {
    AWS_REGION_BYTES = 64,
    AWS_PARTITION_BYTES = 16,
    AWS_ACCOUNT_ID_BYTES = 13,
    AWS_RESOURCE_BYTES = 260,
};

/* A key as it is asked for. */
struct aws_key {
    char id[KEY_URI_BYTES]; /* as AWS takes it: the ARN, or a key id without one */
    char partition[AWS_PARTITION_BYTES], region[AWS_REGION_BYTES];
    char account[AWS_ACCOUNT_ID_BYTES]; /* "" for a key id */
    char resource[AWS_RESOURCE_BYTES];  /* "key/ID", "alias/NAME"; or the key id itself */
    bool is_arn, is_alias;
};

/*
 * aws_key_parse(uri, region, ret): arn:PARTITION:kms:REGION:ACCOUNT:key/ID, ...:alias/NAME, or a key id, which needs the
 * region to look in (NULL: none is known). USAGE with an example for everything else.
 */
ks_rc aws_key_parse(const char *uri, const char *region, struct aws_key *ret) KS_MUST;
/*
 * aws_key_check_answer(key, arn): whether an answer about arn is one about key: the same ARN; for a multi-Region key its
 * replica in any region; for an alias any key of its account and region; for a key id that key of any account.
 * BAD_REPLY.
 */
ks_rc aws_key_check_answer(const struct aws_key *key, const char *arn) KS_MUST;

/* aws_partition_of(region): "aws", "aws-cn", "aws-us-gov", ...
 * aws_partition_suffix(partition): what its host names end with, "amazonaws.com"; NULL for one that is not known. */
const char *aws_partition_of(const char *region);
const char *aws_partition_suffix(const char *partition);
/* aws_is_region(text): whether it could be one, and stands in a host name as it is. */
bool aws_is_region(const char *text);

/* aws_role_account(arn, ret): the account of arn:PARTITION:iam::ACCOUNT:role/PATH/NAME. USAGE for another form. */
ks_rc aws_role_account(const char *arn, char ret[AWS_ACCOUNT_ID_BYTES]) KS_MUST;
