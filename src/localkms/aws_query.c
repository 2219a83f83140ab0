/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_query.c - what every request of IAM and STS has in common.
 *
 * Order: form, operation, signature, dialled faults, parameters, permission, the operation, audit, answer. Operations of IAM are
 * few and take the turn of the realm, so that what they look at stands still; those of STS take the lock they need.
 */
#include "localkms/aws_query.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "localkms/audit.h"
#include "localkms/aws_query_int.h"
#include "localkms/dial.h"

static const struct {
    const char *version, *namespace, *prefix;
    const struct query_op *tables[3];
} services[] = {
    [QUERY_IAM] = {"2010-05-08",
                   "https://iam.amazonaws.com/doc/2010-05-08/",
                   "iam",
                   {iam_user_ops, iam_role_ops, iam_policy_ops}},
    [QUERY_STS] = {"2011-06-15",
                   "https://sts.amazonaws.com/doc/2011-06-15/",
                   "sts",
                   {sts_ops, NULL, NULL}},
};

static const struct {
    const char *code;
    int status;
} faults[QUERY_FAULTS] = {
    [QUERY_NO_SUCH_ENTITY] = {"NoSuchEntity", 404},
    [QUERY_EXISTS] = {"EntityAlreadyExists", 409},
    [QUERY_MALFORMED_POLICY] = {"MalformedPolicyDocument", 400},
    [QUERY_DELETE_CONFLICT] = {"DeleteConflict", 409},
    [QUERY_LIMIT] = {"LimitExceeded", 409},
    [QUERY_VALIDATION] = {"ValidationError", 400},
    [QUERY_INVALID_INPUT] = {"InvalidInput", 400},
    [QUERY_INVALID_ACTION] = {"InvalidAction", 400},
    [QUERY_MALFORMED] = {"MalformedQueryString", 400},
    [QUERY_PACKED_TOO_LARGE] = {"PackedPolicyTooLarge", 400},
    [QUERY_ACCESS_DENIED] = {"AccessDenied", 403},
    [QUERY_THROTTLING] = {"Throttling", 400},
    [QUERY_INTERNAL] = {"ServiceFailure", 500},
};

bool query_fail(struct query_call *c, enum query_fault fault, const char *fmt, ...)
{
    va_list args;

    c->code = faults[fault].code;
    c->status = faults[fault].status;
    va_start(args, fmt);
    vsnprintf(c->message, sizeof c->message, fmt, args);
    va_end(args);
    return false;
}

bool query_done(struct query_call *c, ks_rc rc)
{
    if (ks_ok(rc))
        return true;
    return query_fail(c, ks_is(rc, KS_E_LIMIT) ? QUERY_LIMIT : QUERY_INTERNAL, "%s", ks_text(rc));
}

struct lk_event query_event(const struct query_call *c)
{
    return (struct lk_event){
        .request_id = c->request_id,
        .principal = c->who.arn,
        .account = c->who.account,
        .source = c->who.source_ip,
        .operation = c->action[0] ? c->action : NULL,
        .resource = c->resource[0] ? c->resource : NULL,
        .outcome = "ok",
    };
}

/* ---- answers ---- */

static void answer(struct query_call *c, int status, struct xml *xml)
{
    struct view text = {0};

    if (!ks_ok(xml_end(xml, &text)) ||
        !ks_ok(http_answer_header(c->x, "x-amzn-RequestId", c->request_id)))
        http_hang_up(c->x, view_of(NULL, 0));
    else
        http_answer(c->x, status, "text/xml", text);
}

static void answer_fault(struct query_call *c)
{
    CLEANUP(xml_done) struct xml xml = xml_init();

    xml_open(&xml, "ErrorResponse");
    xml_attribute(&xml, "xmlns", services[c->service].namespace);
    xml_open(&xml, "Error");
    xml_text(&xml, "Type", c->status >= 500 ? "Receiver" : "Sender");
    xml_text(&xml, "Code", c->code);
    xml_text(&xml, "Message", c->message);
    xml_close(&xml);
    xml_text(&xml, "RequestId", c->request_id);
    xml_close(&xml);
    answer(c, c->status, &xml);
}

/* The result is written between the beginning and the end. */
static void begin_reply(struct query_call *c, char response[96], char result[96])
{
    snprintf(response, 96, "%sResponse", c->op->name);
    snprintf(result, 96, "%sResult", c->op->name);
    xml_open(&c->xml, response);
    xml_attribute(&c->xml, "xmlns", services[c->service].namespace);
    if (c->op->has_result)
        xml_open(&c->xml, result);
}

static void end_reply(struct query_call *c)
{
    if (c->op->has_result)
        xml_close(&c->xml);
    xml_open(&c->xml, "ResponseMetadata");
    xml_text(&c->xml, "RequestId", c->request_id);
    xml_close(&c->xml);
    xml_close(&c->xml);
}

/* ---- the order of things ---- */

static const struct query_op *find_op(enum query_service service, const char *action)
{
    for (size_t i = 0; i < 3 && services[service].tables[i]; i++)
        for (const struct query_op *op = services[service].tables[i]; op->name; op++)
            if (strcmp(op->name, action) == 0)
                return op;
    return NULL;
}

static bool find_operation(struct query_call *c)
{
    const char *action = form_get(c->form, "Action"), *version = form_get(c->form, "Version");

    c->service =
        version && strcmp(version, services[QUERY_IAM].version) == 0 ? QUERY_IAM : QUERY_STS;
    if (!action || !version)
        return query_fail(c, QUERY_INVALID_ACTION, "Missing %s", action ? "Version" : "Action");
    c->op = find_op(c->service, action);
    if (!c->op || strcmp(version, services[c->service].version) != 0)
        return query_fail(c, QUERY_INVALID_ACTION,
                          "Could not find operation %.64s for version %.32s", action, version);
    snprintf(c->action, sizeof c->action, "%s:%s", services[c->service].prefix, c->op->name);
    return true;
}

static bool read_form(struct query_call *c)
{
    struct view text =
        strcmp(http_method(c->x), "POST") == 0 ? http_body(c->x) : view_text(http_query_text(c->x));
    ks_rc rc = form_parse(text, &c->form);

    return ks_ok(rc) ||
           query_fail(c, QUERY_MALFORMED, "The request is not understood: %s.", ks_text(rc));
}

static bool authenticate(struct query_call *c)
{
    struct aws_refusal refusal;

    if (aws_authenticate(c->iam, c->x, realm_now_s(c->realm), &c->who, &refusal))
        return true;
    c->code = refusal.code;
    c->status = refusal.status;
    snprintf(c->message, sizeof c->message, "%s", refusal.message);
    return false;
}

static bool run(struct query_call *c)
{
    bool is_iam = c->service == QUERY_IAM;
    char response[96], result[96];

    if (!query_check(c))
        return false;
    begin_reply(c, response, result);
    if (is_iam)
        realm_turn(c->realm);
    bool is_done = query_permit(c) && c->op->run(c);
    if (is_iam)
        realm_turn_end(c->realm);
    if (!is_done)
        return false;
    end_reply(c);
    return query_done(c, c->xml.rc);
}

/* Nothing is answered that is not in the audit; changes are there through their commit. */
static void audit(struct query_call *c)
{
    struct lk_event event = query_event(c);

    if (c->code)
        event.outcome = c->code;
    else if (c->op->is_change)
        return;
    if (!c->who.arn[0])
        event.principal = event.account = NULL;
    event.source = http_peer(c->x);
    ks_rc rc = lk_audit_use(c->realm->audit, realm_now_s(c->realm), &event);
    if (!ks_ok(rc))
        query_fail(c, QUERY_INTERNAL, "%s", ks_text(rc));
}

static void call_done(struct query_call *c)
{
    form_free(c->form);
    xml_done(&c->xml);
}

/* ---- faults made on purpose ---- */

/* The role or user that is named, for rules about one of them. */
static struct dial_subject subject_of(const struct query_call *c)
{
    static const char *const names[] = {"RoleArn", "RoleName", "UserName"};
    const char *name = NULL, *slash;

    for (size_t i = 0; i < sizeof names / sizeof *names && !name; i++)
        name = form_get(c->form, names[i]);
    slash = name ? strrchr(name, '/') : NULL;
    return (struct dial_subject){c->who.account, slash ? slash + 1 : name, c->action};
}

static bool meet_dial(struct query_call *c)
{
    const struct dial_subject subject = subject_of(c);

    switch (dial_refusal(c->realm->dial, &subject)) {
    case DIAL_THROTTLE:
        return query_fail(c, QUERY_THROTTLING, "Rate exceeded");
    case DIAL_ERROR:
        return query_fail(c, QUERY_INTERNAL, "an internal error was dialled");
    case DIAL_DENY:
        return query_fail(c, QUERY_ACCESS_DENIED,
                          "User: %.800s is not authorized to perform: %s because it was dialled so",
                          c->who.arn, c->action);
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

static void handle_after_delay(struct realm *r, struct http_exchange *x);

/* False: the dial has taken the exchange over. */
static bool decide(struct query_call *c, bool is_delayed)
{
    if (!ks_ok(realm_make_id(c->realm, c->request_id)))
        return !query_fail(c, QUERY_INTERNAL, "no randomness");
    if (!read_form(c) || !find_operation(c) || !authenticate(c))
        return true;
    const struct dial_subject subject = subject_of(c);
    if (!is_delayed && dial_intercept(c->realm, c->x, &subject, handle_after_delay))
        return false;
    if (meet_dial(c))
        (void)run(c); /* what went wrong is in c->code */
    return true;
}

static void handle_call(struct realm *r, struct http_exchange *x, bool is_delayed)
{
    CLEANUP(call_done)
    struct query_call c = {.realm = r, .iam = r->iam, .x = x, .xml = xml_init()};

    if (!decide(&c, is_delayed))
        return;
    audit(&c);
    if (c.code)
        answer_fault(&c);
    else
        answer(&c, 200, &c.xml);
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
    static const char FORM[] = "application/x-www-form-urlencoded";
    const char *type = http_header(x, "content-type");

    if (strcmp(http_path(x), "/") != 0 || http_header(x, "x-amz-target"))
        return false;
    if (strcmp(http_method(x), "POST") == 0)
        return type && strncasecmp(type, FORM, strlen(FORM)) == 0;
    return strcmp(http_method(x), "GET") == 0 && http_query(x, "Action") != NULL;
}

const struct lk_wire aws_query_wire = {"aws-query", is_mine, handle};
