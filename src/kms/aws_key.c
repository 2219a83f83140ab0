/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_key.c - the names of AWS KMS keys.
 */
#include "kms/aws_key.h"

#include <ctype.h>
#include <string.h>

enum { ARN_PARTS = 6, KEY_ID_MAX = 64, ALIAS_MAX = 250, ACCOUNT_DIGITS = 12, ROLE_MAX = 512 };

#define EXAMPLE                                                                                    \
    "aws_kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const struct partition {
    const char *name, *region_prefix, *suffix;
} partitions[] = {
    {"aws-cn", "cn-", "amazonaws.com.cn"},
    {"aws-us-gov", "us-gov-", "amazonaws.com"},
    {"aws-iso", "us-iso-", "c2s.ic.gov"},
    {"aws-iso-b", "us-isob-", "sc2s.sgov.gov"},
    {"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk"},
    {"aws-iso-f", "us-isof-", "csp.hci.ic.gov"},
    {"aws-eusc", "eusc-", "amazonaws.eu"},
    {"aws", "", "amazonaws.com"}, /* last: every region begins so */
};

enum { PARTITIONS = sizeof partitions / sizeof partitions[0] };

const char *aws_partition_of(const char *region)
{
    size_t i = 0;

    while (strncmp(region, partitions[i].region_prefix, strlen(partitions[i].region_prefix)) != 0)
        i++;
    return partitions[i].name;
}

const char *aws_partition_suffix(const char *partition)
{
    for (size_t i = 0; i < PARTITIONS; i++)
        if (strcmp(partition, partitions[i].name) == 0)
            return partitions[i].suffix;
    return NULL;
}

/* 1 to max bytes, alphanumeric or of more. */
static bool is_word(struct view text, size_t max, const char *more)
{
    if (text.len == 0 || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum(text.bytes[i]) && (text.bytes[i] == 0 || !strchr(more, text.bytes[i])))
            return false;
    return true;
}

static bool is_account(struct view text)
{
    if (text.len != ACCOUNT_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit(text.bytes[i]))
            return false;
    return true;
}

static bool begins(struct view text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.bytes, with, strlen(with)) == 0;
}

static struct view behind(struct view text, const char *prefix)
{
    return view_of(text.bytes + strlen(prefix), text.len - strlen(prefix));
}

bool aws_is_region(const char *text)
{
    return is_word(view_text(text), AWS_REGION_BYTES - 1, "-");
}

/* arn:partition:service:region:account:resource; the last part may hold colons. */
static bool split(const char *arn, struct view parts[ARN_PARTS])
{
    for (int i = 0; i < ARN_PARTS; i++) {
        size_t len = i + 1 < ARN_PARTS ? strcspn(arn, ":") : strlen(arn);
        parts[i] = view_of(arn, len);
        if (i + 1 < ARN_PARTS && arn[len] == '\0')
            return false;
        arn += len + 1;
    }
    return begins(parts[0], "arn") && parts[0].len == 3;
}

static bool is_key_resource(struct view r)
{
    return begins(r, "key/") && is_word(behind(r, "key/"), KEY_ID_MAX, "-_");
}

static bool is_alias_resource(struct view r)
{
    return begins(r, "alias/") && is_word(behind(r, "alias/"), ALIAS_MAX, "-_/");
}

/* Where part fits: the callers have bounded it. */
static void copy(char *out, struct view part)
{
    memcpy(out, part.bytes, part.len);
    out[part.len] = '\0';
}

static ks_rc parse_arn(const char *uri, struct aws_key *ret)
{
    struct view parts[ARN_PARTS];

    ENSURE(split(uri, parts), KS_E_USAGE, "\"%.200s\" is no ARN of a key; it looks like " EXAMPLE,
           uri);
    ENSURE(begins(parts[2], "kms") && parts[2].len == 3, KS_E_USAGE,
           "\"%.200s\" names a %.*s, not a key; a key's ARN looks like " EXAMPLE, uri,
           (int)(parts[2].len < 40 ? parts[2].len : 40), (const char *)parts[2].bytes);
    ENSURE(parts[1].len < AWS_PARTITION_BYTES && is_word(parts[3], AWS_REGION_BYTES - 1, "-") &&
               is_account(parts[4]),
           KS_E_USAGE, "\"%.200s\" lacks a region or account; a key's ARN looks like " EXAMPLE,
           uri);
    copy(ret->partition, parts[1]);
    copy(ret->region, parts[3]);
    copy(ret->account, parts[4]);
    ENSURE(aws_partition_suffix(ret->partition), KS_E_USAGE, "\"%.200s\": there is no partition %s",
           uri, ret->partition);
    ret->is_arn = true;
    ret->is_alias = is_alias_resource(parts[5]);
    ENSURE(ret->is_alias || is_key_resource(parts[5]), KS_E_USAGE,
           "\"%.200s\" names no key; a key's ARN looks like " EXAMPLE, uri);
    copy(ret->resource, parts[5]);
    return KS_SUCCESS;
}

static ks_rc parse_id(const char *uri, const char *region, struct aws_key *ret)
{
    ENSURE(strncmp(uri, "alias/", 6) != 0, KS_E_USAGE,
           "\"%.200s\" is an alias without account and region; write the ARN of the key: " EXAMPLE,
           uri);
    ENSURE(is_word(view_text(uri), KEY_ID_MAX, "-_"), KS_E_USAGE,
           "\"%.200s\" is no key of AWS KMS; write its ARN: " EXAMPLE, uri);
    ENSURE(region, KS_E_USAGE,
           "key id \"%.64s\" does not say in which region it is; write the ARN of the key, or set "
           "AWS_REGION",
           uri);
    ENSURE(aws_is_region(region), KS_E_USAGE, "\"%.64s\" is no AWS region", region);
    memcpy(ret->region, region, strlen(region) + 1);
    const char *partition = aws_partition_of(region);
    memcpy(ret->partition, partition, strlen(partition) + 1);
    memcpy(ret->resource, uri, strlen(uri) + 1);
    return KS_SUCCESS;
}

ks_rc aws_key_parse(const char *uri, const char *region, struct aws_key *ret)
{
    struct aws_key key = {.is_arn = false};
    size_t len = strlen(uri);

    ENSURE(len < sizeof key.id, KS_E_LIMIT, "the key's name is longer than %zu bytes",
           sizeof key.id - 1);
    memcpy(key.id, uri, len + 1);
    TRY(strncmp(uri, "arn:", 4) == 0 ? parse_arn(uri, &key) : parse_id(uri, region, &key));
    *ret = key;
    return KS_SUCCESS;
}

static bool is_multi_region(const char *resource)
{
    return strncmp(resource, "key/mrk-", 8) == 0;
}

static bool is_answer(const struct aws_key *asked, const struct aws_key *got)
{
    if (strcmp(asked->partition, got->partition) != 0 || got->is_alias)
        return false;
    if (!asked->is_arn)
        return strcmp(asked->resource, got->resource + 4) == 0;
    if (strcmp(asked->account, got->account) != 0)
        return false;
    if (asked->is_alias)
        return strcmp(asked->region, got->region) == 0;
    /* Related multi-Region keys are one key: same id, same material. */
    return strcmp(asked->resource, got->resource) == 0 &&
           (strcmp(asked->region, got->region) == 0 || is_multi_region(asked->resource));
}

ks_rc aws_key_check_answer(const struct aws_key *key, const char *arn)
{
    struct aws_key got = {.is_arn = false};

    ENSURE(strncmp(arn, "arn:", 4) == 0 && ks_ok(aws_key_parse(arn, NULL, &got)) &&
               is_answer(key, &got),
           KS_E_BAD_REPLY, "the reply is about key \"%.200s\", not about the one asked for", arn);
    return KS_SUCCESS;
}

ks_rc aws_role_account(const char *arn, char ret[AWS_ACCOUNT_ID_BYTES])
{
    struct view parts[ARN_PARTS];

    ENSURE(split(arn, parts) && begins(parts[2], "iam") && parts[2].len == 3 && parts[3].len == 0 &&
               is_account(parts[4]) && begins(parts[5], "role/") &&
               is_word(behind(parts[5], "role/"), ROLE_MAX, "/_+=,.@-"),
           KS_E_USAGE,
           "\"%.200s\" is no ARN of a role; it looks like arn:aws:iam::111122223333:role/NAME",
           arn);
    copy(ret, parts[4]);
    return KS_SUCCESS;
}
