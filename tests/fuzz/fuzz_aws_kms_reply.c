/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any bytes as a reply of AWS KMS are an answer about the key that was asked for, with bytes of a length that they may
 * have, or are refused; what is refused is never taken for a denial unless it names one, and leaves no output. And any bytes
 * as an error give a failure.
 */
#include "fuzz.h"

#include <string.h>

#include "kms/aws_kms.h"

#define KEY_ARN "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static void demand_refused_well(ks_rc rc)
{
    fuzz_demand(rc.cls == KS_CLASS_UNREACHABLE || ks_is(rc, KS_E_NO_MEMORY));
}

static void read_as_decrypt(const struct aws_key *key, struct view body)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    ks_rc rc = aws_kms_read_decrypt(key, body, &plain);

    fuzz_demand(ks_ok(rc) == (plain != NULL));
    if (ks_ok(rc))
        fuzz_demand(secret_view(plain).len >= 1 && secret_view(plain).len <= KEY_PLAIN_MAX);
    else
        demand_refused_well(rc);
}

static void read_as_encrypt(const struct aws_key *key, struct view body)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    char arn[KEY_VERSION_BYTES] = "";
    ks_rc rc = aws_kms_read_encrypt(key, body, &blob, arn);

    fuzz_demand(ks_ok(rc) == (blob.len > 0) && ks_ok(rc) == (arn[0] != 0));
    if (ks_ok(rc))
        fuzz_demand(strcmp(arn, KEY_ARN) == 0);
    else
        demand_refused_well(rc);
}

static void read_as_describe(const struct aws_key *key, struct view body)
{
    char version[KEY_VERSION_BYTES] = "";
    ks_rc rc = aws_kms_read_describe(key, body, version);

    fuzz_demand(ks_ok(rc) == (version[0] != 0));
    if (rc.cls == KS_CLASS_DENIED)
        fuzz_demand(memmem(body.bytes, body.len, KEY_ARN, strlen(KEY_ARN)) != NULL ||
                    memchr(body.bytes, '\\', body.len) != NULL);
}

static void read_as_error(struct view body)
{
    CLEANUP(http_reply_done)
    struct http_reply reply = {.status = 400, .body = buf_init(AWS_REPLY_BYTES_MAX)};
    struct aws_error error;
    enum aws_cure cure;

    if (!ks_ok(buf_append(&reply.body, body)))
        return;
    aws_error_read(&reply, &error);
    fuzz_demand(!ks_ok(aws_error_result(&error, reply.status, &cure)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aws_key key;

    fuzz_demand(ks_ok(secret_init()) && ks_ok(aws_key_parse(KEY_ARN, NULL, &key)));
    read_as_decrypt(&key, view_of(data, size));
    read_as_encrypt(&key, view_of(data, size));
    read_as_describe(&key, view_of(data, size));
    read_as_error(view_of(data, size));
    return 0;
}
