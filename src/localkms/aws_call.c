/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_call.c - what every operation of AWS KMS has in common.
 *
 * Order: name, signature, parameters, dialled faults, key, permission, state, the operation, audit, answer. Nothing
 * is answered that is not in the audit.
 */
#include "localkms/aws_call.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "localkms/audit.h"
#include "localkms/dial.h"

enum { DEPTH_MAX = 16, ANSWER_BYTES_MAX = 8 << 20, CONTEXT_BYTES_MAX = 16 * 1024 };
static const char TARGET[] = "TrentService.";
static const char CONTENT_TYPE[] = "application/x-amz-json-1.1";

static const struct {
    const char *code;
    int status;
} faults[AWS_FAULT_COUNT] = {
    [AWS_ACCESS_DENIED] = {"AccessDeniedException", 400},
    [AWS_ALREADY_EXISTS] = {"AlreadyExistsException", 400},
    [AWS_DEPENDENCY_TIMEOUT] = {"DependencyTimeoutException", 503},
    [AWS_DISABLED] = {"DisabledException", 400},
    [AWS_DRY_RUN] = {"DryRunOperationException", 400},
    [AWS_EXPIRED_IMPORT_TOKEN] = {"ExpiredImportTokenException", 400},
    [AWS_INCORRECT_KEY] = {"IncorrectKeyException", 400},
    [AWS_INCORRECT_MATERIAL] = {"IncorrectKeyMaterialException", 400},
    [AWS_INVALID_ALIAS_NAME] = {"InvalidAliasNameException", 400},
    [AWS_INVALID_ARN] = {"InvalidArnException", 400},
    [AWS_INVALID_CIPHERTEXT] = {"InvalidCiphertextException", 400},
    [AWS_INVALID_GRANT_ID] = {"InvalidGrantIdException", 400},
    [AWS_INVALID_GRANT_TOKEN] = {"InvalidGrantTokenException", 400},
    [AWS_INVALID_IMPORT_TOKEN] = {"InvalidImportTokenException", 400},
    [AWS_INVALID_KEY_USAGE] = {"InvalidKeyUsageException", 400},
    [AWS_INVALID_MARKER] = {"InvalidMarkerException", 400},
    [AWS_INVALID_STATE] = {"KMSInvalidStateException", 400},
    [AWS_INTERNAL_FAULT] = {"KMSInternalException", 500},
    [AWS_LIMIT_EXCEEDED] = {"LimitExceededException", 400},
    [AWS_MALFORMED_POLICY] = {"MalformedPolicyDocumentException", 400},
    [AWS_NOT_FOUND] = {"NotFoundException", 400},
    [AWS_SERIALIZATION] = {"SerializationException", 400},
    [AWS_TAG] = {"TagException", 400},
    [AWS_THROTTLING] = {"ThrottlingException", 400},
    [AWS_UNKNOWN_OPERATION] = {"UnknownOperationException", 400},
    [AWS_UNSUPPORTED] = {"UnsupportedOperationException", 400},
    [AWS_VALIDATION] = {"ValidationException", 400},
    [AWS_CONFLICT] = {"ConflictException", 400},
};

/* ---- what run functions use ---- */

bool aws_fail(struct aws_call *c, enum aws_fault fault, const char *fmt, ...)
{
    char text[4096];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    mem_free(c->message);
    c->message = NULL;
    c->fault = fault;
    /* Without memory the answer has a code and no text. */
    IGNORE(mem_text(text, &c->message));
    return false;
}

bool aws_fail_rc(struct aws_call *c, ks_rc rc)
{
    return ks_ok(rc) || aws_fail(c, AWS_INTERNAL_FAULT, "%s", ks_text(rc));
}

bool aws_reply(struct aws_call *c, json_t *value)
{
    c->reply = value;
    return value || aws_fail(c, AWS_INTERNAL_FAULT, "no memory for the reply");
}

const json_t *aws_member(const struct aws_call *c, const char *name)
{
    const json_t *value = json_object_get(c->params, name);

    return json_is_null(value) ? NULL : value;
}

const char *aws_text(const struct aws_call *c, const char *name)
{
    return json_string_value(aws_member(c, name));
}

int64_t aws_integer(const struct aws_call *c, const char *name, int64_t preset)
{
    const json_t *value = aws_member(c, name);

    return value ? (int64_t)json_integer_value(value) : preset;
}

bool aws_boolean(const struct aws_call *c, const char *name)
{
    return json_is_true(aws_member(c, name));
}

bool aws_blob(struct aws_call *c, const char *name, struct buf *ret)
{
    const json_t *value = aws_member(c, name);
    struct view text = view_of(json_string_value(value), json_string_length(value));

    return ks_ok(base64_read(text, BASE64_STANDARD, ret)) ||
           aws_fail(c, AWS_SERIALIZATION, "%s is no valid base64", name);
}

struct lk_event aws_event(struct aws_call *c)
{
    return (struct lk_event){
        .request_id = c->request_id,
        .principal = c->who.arn[0] ? c->who.arn : NULL,
        .account = c->who.account[0] ? c->who.account : NULL,
        .source = http_peer(c->x),
        .operation = c->op ? c->op->action : "kms",
        .resource = c->resource[0] ? c->resource : NULL,
        .outcome = c->other_code ? c->other_code
                   : c->fault    ? faults[c->fault].code
                                 : "ok",
    };
}

/* ---- reading the request ---- */

static bool find_op(struct aws_call *c)
{
    const char *target = http_header(c->x, "x-amz-target");

    if (target && strncmp(target, TARGET, strlen(TARGET)) == 0 &&
        strcmp(http_method(c->x), "POST") == 0)
        c->op = aws_op_find(target + strlen(TARGET));
    return c->op || aws_fail(c, AWS_UNKNOWN_OPERATION, "no such operation");
}

static bool authenticate(struct aws_call *c)
{
    struct aws_refusal refusal = {0};

    if (aws_authenticate(c->realm->iam, c->x, c->now_s, &c->who, &refusal))
        return true;
    c->other_code = refusal.code;
    c->other_status = refusal.status;
    return aws_fail(c, AWS_ACCESS_DENIED, "%s", refusal.message);
}

static bool read_params(struct aws_call *c)
{
    struct view body = http_body(c->x);
    ks_rc rc = json_read(body.len ? body : view_text("{}"),
                         (struct json_limits){LK_BODY_BYTES_MAX, DEPTH_MAX}, "body", &c->params);

    if (!ks_ok(rc) || !json_is_object(c->params))
        return aws_fail(c, AWS_SERIALIZATION, "the body is no JSON object");
    c->fault = aws_check(c->op, c->params, &c->message);
    return c->fault == AWS_FAULT_NONE;
}

/* The key as named, for the dial: what is behind the last slash of an ARN. */
static struct dial_subject subject_of(const struct aws_call *c)
{
    const char *key = c->op->key_param ? aws_text(c, c->op->key_param) : NULL;
    const char *slash = key && strncmp(key, "arn:", 4) == 0 ? strrchr(key, '/') : NULL;

    return (struct dial_subject){c->who.account, slash ? slash + 1 : key, c->op->action};
}

static bool meet_dial(struct aws_call *c)
{
    struct dial_subject subject = subject_of(c);

    switch (dial_refusal(c->realm->dial, &subject)) {
    case DIAL_THROTTLE:
        return aws_fail(c, AWS_THROTTLING,
                        "You have exceeded the rate at which you may call KMS. Reduce the "
                        "frequency of your calls.");
    case DIAL_ERROR:
        return aws_fail(c, AWS_INTERNAL_FAULT, "an internal error was dialled");
    case DIAL_DENY:
        return aws_fail(c, AWS_ACCESS_DENIED,
                        "User: %s is not authorized to perform: %s because it was dialled so",
                        c->who.arn, c->op->action);
    case DIAL_NONE:
    case DIAL_LATENCY:
    case DIAL_HANG:
    case DIAL_RESET:
    case DIAL_GARBAGE:
    case DIAL_LAG:
    case DIAL_SKEW:
    case DIAL_EFFECT_COUNT:
        break;
    }
    return true;
}

/* ---- doing it ---- */

static bool find_key(struct aws_call *c)
{
    const char *name = aws_text(c, c->op->key_param);

    if (!name) /* optional ones are the operation's affair */
        return true;
    if (!aws_resolve(c, name, &c->key))
        return false;
    snprintf(c->resource, sizeof c->resource, "%s", c->key->arn);
    if (strcmp(c->key->account, c->who.account) != 0 && !c->op->is_cross_account)
        return aws_fail(c, AWS_ACCESS_DENIED,
                        "User: %s is not authorized to perform: %s on resource: %s because it "
                        "belongs to another account",
                        c->who.arn, c->op->action, c->key->arn);
    const json_t *context = c->op->context_param ? aws_member(c, c->op->context_param) : NULL;
    return aws_permit(c, c->op->action, c->key, context) &&
           aws_check_state(c, c->key, c->op->states);
}

static bool run_locked(struct aws_call *c)
{
    return (!c->op->key_param || find_key(c)) && c->op->run(c);
}

static bool run(struct aws_call *c)
{
    bool is_done = false;

    switch (c->op->lock) {
    case AWS_FREE:
        return c->op->run(c);
    case AWS_READ:
        realm_read(c->realm);
        is_done = run_locked(c);
        realm_unlock(c->realm);
        break;
    case AWS_TURN:
        realm_turn(c->realm);
        is_done = run_locked(c);
        realm_turn_end(c->realm);
        break;
    }
    return is_done;
}

/* ---- the answer ---- */

static ks_rc write_audit(struct aws_call *c)
{
    CLEANUP(buf_done) struct buf context = buf_init(CONTEXT_BYTES_MAX);
    struct lk_event event = aws_event(c);
    const json_t *pairs =
        c->op && c->op->context_param ? aws_member(c, c->op->context_param) : NULL;

    if (pairs && json_object_size(pairs) > 0) {
        TRY(json_write(pairs, true, &context));
        event.context = buf_text(&context);
    }
    return lk_audit_use(c->realm->audit, c->now_s, &event);
}

static void answer_fault(struct aws_call *c)
{
    CLEANUP(buf_done) struct buf text = buf_init(ANSWER_BYTES_MAX);
    const char *code = c->other_code ? c->other_code : faults[c->fault].code;
    int status = c->other_code ? c->other_status : faults[c->fault].status;
    CLEANUP(json_decrefp)
    json_t *body = json_pack("{s:s, s:s}", "__type", code, "message", c->message ? c->message : "");

    if (body)
        /* without memory the answer is its status */
        IGNORE(json_write(body, false, &text));
    /* for clients that read it first; the body says it too */
    IGNORE(http_answer_header(c->x, "x-amzn-ErrorType", code));
    http_answer(c->x, status, CONTENT_TYPE, buf_view(&text));
}

static void answer(struct aws_call *c)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(ANSWER_BYTES_MAX);
    ks_rc rc = write_audit(c);

    if (c->fault == AWS_FAULT_NONE && ks_ok(rc) && c->reply)
        rc = json_write(c->reply, false, &text);
    if (c->fault == AWS_FAULT_NONE)
        (void)aws_fail_rc(c, rc);
    /* The id is a help for people who read logs; an answer without it is as good. */
    IGNORE(http_answer_header(c->x, "x-amzn-RequestId", c->request_id));
    if (c->fault == AWS_FAULT_NONE)
        http_answer(c->x, 200, CONTENT_TYPE, buf_view(&text));
    else
        answer_fault(c);
}

static void call_done(struct aws_call *c)
{
    json_decref(c->params);
    json_decref(c->reply);
    mem_free(c->message);
}

static void handle_after_delay(struct realm *r, struct http_exchange *x);

/* False: the dial has taken the exchange over. */
static bool decide(struct aws_call *c, bool is_delayed)
{
    if (!aws_fail_rc(c, realm_make_id(c->realm, c->request_id)) || !find_op(c) ||
        !authenticate(c) || !read_params(c))
        return true;
    struct dial_subject subject = subject_of(c);
    if (!is_delayed && dial_intercept(c->realm, c->x, &subject, handle_after_delay))
        return false;
    if (meet_dial(c))
        (void)run(c); /* a failure is in c->fault */
    return true;
}

static void handle_call(struct realm *r, struct http_exchange *x, bool is_delayed)
{
    CLEANUP(call_done) struct aws_call c = {.realm = r, .x = x, .now_s = realm_now_s(r)};

    if (decide(&c, is_delayed))
        answer(&c);
}

static void handle_after_delay(struct realm *r, struct http_exchange *x)
{
    handle_call(r, x, true);
}

static void handle(struct realm *r, struct http_exchange *x)
{
    handle_call(r, x, false);
}

static bool is_mine(const struct http_exchange *x)
{
    return http_header(x, "x-amz-target") != NULL;
}

const struct lk_wire aws_kms_wire = {"AWS KMS", is_mine, handle};
