/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_condition.c - condition operators of policies: the table of them, reading, deciding.
 *
 * An operator that is negated (StringNotEquals, ...) holds when no value matches, and so also when the key is absent; any
 * other needs the key. IfExists holds when the key is absent. ForAllValues holds for no values, ForAnyValue does not.
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "localkms/aws_policy_int.h"

static const struct condition_operator operators[] = {
    {"StringEquals", CONDITION_STRING, 0, false},
    {"StringNotEquals", CONDITION_STRING, 0, true},
    {"StringEqualsIgnoreCase", CONDITION_NO_CASE, 0, false},
    {"StringNotEqualsIgnoreCase", CONDITION_NO_CASE, 0, true},
    {"StringLike", CONDITION_LIKE, 0, false},
    {"StringNotLike", CONDITION_LIKE, 0, true},
    {"ArnEquals", CONDITION_ARN, 0, false},
    {"ArnNotEquals", CONDITION_ARN, 0, true},
    {"ArnLike", CONDITION_ARN, 0, false},
    {"ArnNotLike", CONDITION_ARN, 0, true},
    {"Bool", CONDITION_BOOL, 0, false},
    {"BinaryEquals", CONDITION_STRING, 0, false},
    {"NumericEquals", CONDITION_NUMBER, ORDER_SAME, false},
    {"NumericNotEquals", CONDITION_NUMBER, ORDER_SAME, true},
    {"NumericLessThan", CONDITION_NUMBER, ORDER_LESS, false},
    {"NumericLessThanEquals", CONDITION_NUMBER, ORDER_LESS | ORDER_SAME, false},
    {"NumericGreaterThan", CONDITION_NUMBER, ORDER_MORE, false},
    {"NumericGreaterThanEquals", CONDITION_NUMBER, ORDER_MORE | ORDER_SAME, false},
    {"DateEquals", CONDITION_DATE, ORDER_SAME, false},
    {"DateNotEquals", CONDITION_DATE, ORDER_SAME, true},
    {"DateLessThan", CONDITION_DATE, ORDER_LESS, false},
    {"DateLessThanEquals", CONDITION_DATE, ORDER_LESS | ORDER_SAME, false},
    {"DateGreaterThan", CONDITION_DATE, ORDER_MORE, false},
    {"DateGreaterThanEquals", CONDITION_DATE, ORDER_MORE | ORDER_SAME, false},
    {"IpAddress", CONDITION_IP, 0, false},
    {"NotIpAddress", CONDITION_IP, 0, true},
    {"Null", CONDITION_NULL, 0, false},
};

static bool number_parse(const char *text, double *ret)
{
    char *end;

    *ret = strtod(text, &end);
    /* what is no number compares with nothing: "nan" would be as large as any limit */
    return end != text && *end == '\0' && text[0] > ' ' && isfinite(*ret);
}

/* "2030-01-01T00:00:00Z", "2030-01-01", or seconds since 1970. */
static bool date_parse(const char *text, double *ret)
{
    char whole[CLOCK_TEXT_BYTES];
    int64_t s = 0;

    if (strlen(text) == 10 && text[4] == '-') {
        snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
        text = whole;
    }
    if (clock_parse(text, &s)) {
        *ret = (double)s;
        return true;
    }
    return number_parse(text, ret);
}

struct network {
    int family;
    uint8_t bytes[16];
    unsigned bits;
};

static bool network_parse(const char *text, struct network *ret)
{
    char address[INET6_ADDRSTRLEN] = "", *end;
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);

    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    unsigned max = ret->family == AF_INET ? 32 : 128;
    if (inet_pton(ret->family, address, ret->bytes) != 1)
        return false;
    if (!slash) {
        ret->bits = max;
        return true;
    }
    unsigned long bits = strtoul(slash + 1, &end, 10);
    ret->bits = (unsigned)bits;
    return slash[1] >= '0' && slash[1] <= '9' && *end == '\0' && bits <= max;
}

static bool network_has(const struct network *n, const struct network *address)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    uint8_t mask = (uint8_t)(0xff00U >> rest);

    return n->family == address->family && memcmp(n->bytes, address->bytes, whole) == 0 &&
           (rest == 0 || ((n->bytes[whole] ^ address->bytes[whole]) & mask) == 0);
}

/* ARNs match part by part: a wildcard does not reach over a colon, except in the last part. */
static bool arn_match(const char *pattern, const char *arn)
{
    char part[EXPANDED_BYTES];

    for (int i = 0; i < 5; i++) {
        size_t pattern_len = strcspn(pattern, ":"), len = strcspn(arn, ":");
        if (pattern[pattern_len] == '\0' || arn[len] == '\0' || pattern_len >= sizeof part)
            return false;
        memcpy(part, pattern, pattern_len);
        part[pattern_len] = '\0';
        if (!glob_match(part, view_of(arn, len), false))
            return false;
        pattern += pattern_len + 1;
        arn += len + 1;
    }
    return glob_match(pattern, view_text(arn), false);
}

static unsigned order_of(double value, double wanted)
{
    return value < wanted ? ORDER_LESS : value > wanted ? ORDER_MORE : ORDER_SAME;
}

/* Whether one value of the request matches one of the policy. */
static bool value_matches(const struct condition_operator *o, const char *wanted, const char *value)
{
    struct network network = {0}, address = {0};
    double a = 0, b = 0;

    switch (o->type) {
    case CONDITION_STRING:
        return strcmp(wanted, value) == 0;
    case CONDITION_NO_CASE:
    case CONDITION_BOOL:
        return strcasecmp(wanted, value) == 0;
    case CONDITION_LIKE:
        return glob_match(wanted, view_text(value), false);
    case CONDITION_ARN:
        return arn_match(wanted, value);
    case CONDITION_NUMBER:
        return number_parse(value, &a) && number_parse(wanted, &b) && order_of(a, b) & o->orders;
    case CONDITION_DATE:
        return date_parse(value, &a) && date_parse(wanted, &b) && order_of(a, b) & o->orders;
    case CONDITION_IP:
        return network_parse(wanted, &network) && network_parse(value, &address) &&
               network_has(&network, &address);
    case CONDITION_NULL: /* decided without values */
        return false;
    }
    return false;
}

static bool is_matched(const struct condition *c, struct question *q, const char *value)
{
    char room[EXPANDED_BYTES];

    for (size_t i = 0; i < c->values.count; i++) {
        const char *wanted = pattern_expand(&c->values.items[i], q, room);
        if (wanted && value_matches(c->kind, wanted, value))
            return true;
    }
    return false;
}

bool condition_holds(const struct condition *c, struct question *q)
{
    struct values values;
    size_t good = 0;

    values_find(q, c->key, &values);
    if (c->kind->type == CONDITION_NULL)
        return strcasecmp(c->values.items[0].text, values.count == 0 ? "true" : "false") == 0;
    if (values.count == 0)
        return c->is_if_exists || c->set == SET_ALL || (c->set == SET_NONE && c->kind->is_negated);
    for (size_t i = 0; i < values.count; i++)
        good += is_matched(c, q, values.items[i]) != c->kind->is_negated;
    /* Several values under a plain operator: one is enough, or all of them when it is negated. */
    if (c->set == SET_ALL || (c->set == SET_NONE && c->kind->is_negated))
        return good == values.count;
    return good > 0;
}

/* ---- reading ---- */

/* A value that could never be compared is refused, unless a variable may still make it one. */
static bool is_sound(const struct condition_operator *o, const struct pattern *value)
{
    struct network network;
    double number;

    if (value->has_variable)
        return true;
    switch (o->type) {
    case CONDITION_NUMBER:
        return number_parse(value->text, &number);
    case CONDITION_DATE:
        return date_parse(value->text, &number);
    case CONDITION_IP:
        return network_parse(value->text, &network);
    case CONDITION_BOOL:
    case CONDITION_NULL:
        return strcasecmp(value->text, "true") == 0 || strcasecmp(value->text, "false") == 0;
    case CONDITION_STRING:
    case CONDITION_NO_CASE:
    case CONDITION_LIKE:
    case CONDITION_ARN:
        return true;
    }
    return false;
}

static ks_rc value_parse(struct aws_policy *p, const struct condition *c, const json_t *value,
                         struct pattern *ret)
{
    bool is_glob = c->kind->type == CONDITION_LIKE || c->kind->type == CONDITION_ARN;
    const char *text = json_string_value(value);
    char room[64];

    if (json_is_boolean(value))
        text = json_is_true(value) ? "true" : "false";
    if (json_is_number(value)) {
        snprintf(room, sizeof room, "%.17g", json_number_value(value));
        text = room;
    }
    ENSURE(text, KS_E_USAGE, "Syntax errors in policy.");
    TRY(pattern_compile(p, text, is_glob ? PATTERN_GLOB : PATTERN_PLAIN, ret));
    ENSURE(is_sound(c->kind, ret), KS_E_USAGE, "Invalid value in condition %s for key %.128s.",
           c->kind->name, c->key);
    return KS_SUCCESS;
}

/* Takes a prefix off *name when it is there. */
static bool take_prefix(const char **name, const char *prefix)
{
    size_t len = strlen(prefix);

    if (strncasecmp(*name, prefix, len) != 0)
        return false;
    *name += len;
    return true;
}

static ks_rc operator_parse(const char *name, struct condition *ret)
{
    static const char IF_EXISTS[] = "IfExists";
    const char *rest = name;

    if (take_prefix(&rest, "ForAnyValue:"))
        ret->set = SET_ANY;
    else if (take_prefix(&rest, "ForAllValues:"))
        ret->set = SET_ALL;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const char *tail = rest;
        if (!take_prefix(&tail, operators[i].name) || (*tail && strcasecmp(tail, IF_EXISTS) != 0))
            continue;
        ret->kind = &operators[i];
        ret->is_if_exists = *tail != '\0';
        if (operators[i].type != CONDITION_NULL || (!ret->is_if_exists && ret->set == SET_NONE))
            return KS_SUCCESS;
    }
    return ks_fail(KS_E_USAGE, "Invalid Condition type : %.128s.", name);
}

ks_rc condition_parse(struct aws_policy *p, const char *name, const char *key, const json_t *values,
                      struct condition *ret)
{
    struct condition c = {0};
    struct pattern plain = {0};
    size_t count = json_is_array(values) ? json_array_size(values) : 1;

    TRY(operator_parse(name, &c));
    ENSURE(strchr(key, ':'), KS_E_USAGE,
           "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    TRY(pattern_compile(p, key, PATTERN_PLAIN, &plain));
    c.key = plain.text;
    ENSURE(count > 0 && (count == 1 || c.kind->type != CONDITION_NULL), KS_E_USAGE,
           "Syntax errors in policy.");
    TRY(policy_take(p, count, sizeof *c.values.items, &c.values.items));
    for (; c.values.count < count; c.values.count++)
        TRY(value_parse(p, &c,
                        json_is_array(values) ? json_array_get(values, c.values.count) : values,
                        &c.values.items[c.values.count]));
    *ret = c;
    return KS_SUCCESS;
}
