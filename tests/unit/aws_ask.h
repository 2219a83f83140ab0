/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/aws_ask.h - callers for the tests of policies, and a way to ask a policy in one line.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check.h"
#include "localkms/aws_policy.h"

#define PROVIDER "999988887777"
#define CUSTOMER "111122223333"
#define KEY_ARN "arn:aws:kms:eu-west-1:" CUSTOMER ":key/1234abcd-12ab-34cd-56ef-1234567890ab"

/* caller(letter): u: user alice of the customer; r: session s1 of the customer's role cmek; p: user agent of the provider;
 * q: session s2 of the provider's role agent; R: root of the customer. */
static inline struct aws_identity caller(char letter)
{
    struct aws_identity who = {
        .source_ip = "192.0.2.17", .region = "eu-west-1", .now_s = 1900000000};
    const char *account = letter == 'p' || letter == 'q' ? PROVIDER : CUSTOMER;

    snprintf(who.account, sizeof who.account, "%s", account);
    if (letter == 'u' || letter == 'p') {
        const char *name = letter == 'u' ? "alice" : "agent";
        who.kind = AWS_USER;
        snprintf(who.arn, sizeof who.arn, "arn:aws:iam::%s:user/%s", account, name);
        snprintf(who.principal, sizeof who.principal, "%s", who.arn);
        snprintf(who.user_id, sizeof who.user_id, "AIDA%s0000", name);
    } else if (letter == 'r' || letter == 'q') {
        const char *name = letter == 'r' ? "cmek" : "agent";
        who.kind = AWS_ROLE_SESSION;
        snprintf(who.arn, sizeof who.arn, "arn:aws:sts::%s:assumed-role/%s/s%d", account, name,
                 letter == 'r' ? 1 : 2);
        snprintf(who.principal, sizeof who.principal, "arn:aws:iam::%s:role/%s", account, name);
        snprintf(who.user_id, sizeof who.user_id, "AROA%s00000000:s%d", name,
                 letter == 'r' ? 1 : 2);
    } else {
        who.kind = AWS_ROOT;
        snprintf(who.arn, sizeof who.arn, "arn:aws:iam::%s:root", account);
        snprintf(who.principal, sizeof who.principal, "%s", who.arn);
        snprintf(who.user_id, sizeof who.user_id, "%s", account);
    }
    return who;
}

static inline json_t *ask_json(const char *text)
{
    json_t *value = NULL;

    if (text)
        check_ok(json_read(view_text(text), (struct json_limits){4096, 4}, "test", &value));
    return value;
}

/* ask(policy, kind, letter, action, ...): what the policy text answers. */
struct ask {
    char who;
    const char *action;
    const char *resource;   /* NULL: KEY_ARN */
    const char *context;    /* JSON, or NULL */
    const char *conditions; /* JSON, or NULL */
};

static inline struct policy_answer ask_policy(const char *text, enum policy_kind kind,
                                              const struct ask *ask)
{
    struct aws_identity who = caller(ask->who);
    struct policy_answer answer = {0};
    struct aws_policy *policy = NULL;
    json_t *context = ask_json(ask->context), *conditions = ask_json(ask->conditions);
    struct aws_access access = {
        .action = ask->action,
        .resource = ask->resource ? ask->resource : KEY_ARN,
        .account = CUSTOMER,
        .encryption_context = context,
        .conditions = conditions,
    };

    ks_rc rc = policy_parse(view_text(text), kind, &policy);
    if (!ks_ok(rc))
        fail_msg("%s: %s", text, ks_text(rc));
    policy_ask(policy, &who, &access, &answer);
    policy_free(policy);
    json_decref(context);
    json_decref(conditions);
    return answer;
}
