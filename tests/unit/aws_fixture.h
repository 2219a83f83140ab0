/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/aws_fixture.h - what the tests of the AWS driver share: an environment of their own, a home directory, a
 * scripted server and a clock that stands still.
 */
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include "kms/aws_kms.h"
#include "tmpdir.h"
#include "wire_server.h"

#define REGION "eu-west-1"
#define KEY_ID "1234abcd-12ab-34cd-56ef-1234567890ab"
#define KEY_ARN "arn:aws:kms:" REGION ":111122223333:key/" KEY_ID
#define ROLE_ARN "arn:aws:iam::111122223333:role/cmek"

enum { FIXTURE_WALL = 1800000000, FIXTURE_VARS = 16 }; /* 2027-01-15T08:00:00Z */

#define IN_AN_HOUR "2027-01-15T09:00:00Z"
#define IN_A_MINUTE "2027-01-15T08:01:00Z"
#define AN_HOUR_AGO "2027-01-15T07:00:00Z"

struct aws_fixture {
    struct tmpdir home;
    struct wire_server *server;
    struct clock_manual clock;
    struct {
        char name[64], value[512];
    } vars[FIXTURE_VARS];
    struct kms_note note;
};

static inline const char *fixture_env(void *arg, const char *name)
{
    struct aws_fixture *f = arg;

    for (size_t i = 0; i < FIXTURE_VARS; i++)
        if (strcmp(f->vars[i].name, name) == 0)
            return f->vars[i].value;
    return NULL;
}

/* NULL: not set any more. */
static inline void fixture_set(struct aws_fixture *f, const char *name, const char *value)
{
    size_t i = 0;

    while (i < FIXTURE_VARS && f->vars[i].name[0] && strcmp(f->vars[i].name, name) != 0)
        i++;
    const char *text = value ? value : "";
    assert_true(i < FIXTURE_VARS && strlen(text) < sizeof f->vars[i].value);
    memcpy(f->vars[i].value, text, strlen(text) + 1);
    snprintf(f->vars[i].name, sizeof f->vars[i].name, "%s", name);
}

/* Below the home directory. */
static inline void fixture_write(struct aws_fixture *f, const char *name, const char *text)
{
    char path[200];

    snprintf(path, sizeof path, "%s/.aws", f->home.path);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/.aws/%s", f->home.path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* No credentials; every service of AWS is the scripted server. */
static inline void fixture_begin(struct aws_fixture *f)
{
    memset(f, 0, sizeof *f);
    f->home = tmpdir_make();
    check_ok(wire_server_start(NULL, &f->server));
    clock_manual_init(&f->clock, 50000, FIXTURE_WALL);
    fixture_set(f, "HOME", f->home.path);
    fixture_set(f, "AWS_ENDPOINT_URL", wire_server_url(f->server));
    fixture_set(f, "AWS_EC2_METADATA_DISABLED", "true");
}

static inline void fixture_end(struct aws_fixture *f)
{
    wire_server_stop(f->server);
    tmpdir_remove(&f->home);
}

static inline void fixture_keys(struct aws_fixture *f)
{
    fixture_set(f, "AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
}

static inline struct kms_call fixture_call(struct aws_fixture *f)
{
    memset(&f->note, 0, sizeof f->note);
    return (struct kms_call){f->clock.now_ms + 10000, &f->clock.clock, &f->note};
}

/* A reply of STS with credentials of that access key. */
static inline void fixture_role(struct aws_fixture *f, const char *access_key, const char *until)
{
    char body[1000];

    snprintf(body, sizeof body,
             "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
             "<AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId>"
             "<SecretAccessKey>s3cret</SecretAccessKey><SessionToken>t0ken</SessionToken>"
             "<Expiration>%s</Expiration></Credentials><AssumedRoleUser><Arn>x</Arn>"
             "</AssumedRoleUser></AssumeRoleResult><ResponseMetadata><RequestId>sts-1</RequestId>"
             "</ResponseMetadata></AssumeRoleResponse>",
             access_key, until);
    wire_server_answer(f->server, 200, "Content-Type: text/xml\r\n", body);
}

static inline void fixture_sts_error(struct aws_fixture *f, int status, const char *code)
{
    char body[500];

    snprintf(body, sizeof body,
             "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>because</Message>"
             "</Error><RequestId>sts-2</RequestId></ErrorResponse>",
             code);
    wire_server_answer(f->server, status, "", body);
}

/* A part of the body of request i. */
static inline bool fixture_sent(struct aws_fixture *f, size_t i, const char *part)
{
    const struct wire_request *r = wire_server_request(f->server, i);

    return memmem(r->body.bytes, r->body.len, part, strlen(part)) != NULL;
}

/* The value of a header of request i. */
static inline const char *fixture_header(struct aws_fixture *f, size_t i, const char *name)
{
    static char value[2048];

    value[0] = '\0';
    wire_request_header(wire_server_request(f->server, i), name, value, sizeof value);
    return value;
}
