/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_policy.c - reading and checking AWS policy documents.
 */
#include "localkms/aws_policy.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "localkms/aws_policy_int.h"

struct block {
    struct block *next;
    _Alignas(16) char bytes[];
};

static const char SYNTAX[] = "Syntax errors in policy.";
static const char NO_VENDOR[] =
    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";

ks_rc policy_take(struct aws_policy *p, size_t count, size_t bytes, void *ret_ptr)
{
    struct block *b;
    void *taken;

    ENSURE(bytes == 0 || count <= SIZE_MAX / 2 / bytes, KS_E_NO_MEMORY, "a policy too large");
    TRY(mem_new(1, sizeof *b + count * bytes, &b));
    b->next = p->blocks;
    p->blocks = b;
    taken = b->bytes;
    memcpy(ret_ptr, &taken, sizeof taken);
    return KS_SUCCESS;
}

void policy_free(struct aws_policy *p)
{
    if (!p)
        return;
    for (struct block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    json_decref(p->document);
    mem_free(p->text);
    mem_free(p);
}

void policy_freep(struct aws_policy **p)
{
    policy_free(*p);
    *p = NULL;
}

const char *policy_text(const struct aws_policy *p)
{
    return p->text;
}

ks_rc policy_write(const struct aws_policy *p, struct buf *ret)
{
    return json_write(p->document, false, ret);
}

/* ---- lists of actions and resources ---- */

static size_t list_size(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : json_is_string(value);
}

static const char *list_item(const json_t *value, size_t i)
{
    return json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
}

static ks_rc list_parse(struct aws_policy *p, const json_t *value,
                        ks_rc (*check)(const struct aws_policy *p, const char *text),
                        struct pattern_list *ret)
{
    size_t count = list_size(value);

    ENSURE(count > 0, KS_E_USAGE, "%s", SYNTAX);
    TRY(policy_take(p, count, sizeof *ret->items, &ret->items));
    for (size_t i = 0; i < count; i++) {
        const char *text = list_item(value, i);
        ENSURE(text, KS_E_USAGE, "%s", SYNTAX);
        TRY(check(p, text));
        TRY(pattern_compile(p, text, PATTERN_GLOB, &ret->items[i]));
        ret->count++;
    }
    return KS_SUCCESS;
}

static ks_rc check_action(const struct aws_policy *p, const char *text)
{
    const char *colon = strchr(text, ':');

    if (p->kind == POLICY_TRUST)
        ENSURE(strncasecmp(text, "sts:", 4) == 0, KS_E_USAGE,
               "AssumeRole policy may only specify STS AssumeRole actions.");
    ENSURE(strcmp(text, "*") == 0 || (colon && colon > text && colon[1]), KS_E_USAGE, "%s",
           NO_VENDOR);
    return KS_SUCCESS;
}

static ks_rc check_resource(const struct aws_policy *p, const char *text)
{
    (void)p;
    ENSURE(strcmp(text, "*") == 0 || strncmp(text, "arn:", 4) == 0, KS_E_USAGE,
           "Resource %.256s must be in ARN format or \"*\".", text);
    return KS_SUCCESS;
}

/* One of two members, of which the second turns the meaning round. */
static ks_rc either_parse(const json_t *object, const char *name, const char *not_name,
                          json_t **ret, bool *ret_is_not)
{
    json_t *plain = json_object_get(object, name), *negated = json_object_get(object, not_name);

    ENSURE(!plain || !negated, KS_E_USAGE, "%s", SYNTAX);
    *ret = plain ? plain : negated;
    *ret_is_not = negated != NULL;
    return KS_SUCCESS;
}

static ks_rc actions_parse(struct aws_policy *p, const json_t *object, struct statement *s)
{
    json_t *value = NULL;

    TRY(either_parse(object, "Action", "NotAction", &value, &s->is_not_action));
    ENSURE(value, KS_E_USAGE, "Policy statement must contain actions.");
    return list_parse(p, value, check_action, &s->actions);
}

static ks_rc resources_parse(struct aws_policy *p, const json_t *object, struct statement *s)
{
    json_t *value = NULL;

    TRY(either_parse(object, "Resource", "NotResource", &value, &s->is_not_resource));
    if (p->kind == POLICY_TRUST) {
        ENSURE(!value, KS_E_USAGE, "Has prohibited field %s",
               s->is_not_resource ? "NotResource" : "Resource");
        return KS_SUCCESS;
    }
    ENSURE(value, KS_E_USAGE, "Policy statement must contain resources.");
    return list_parse(p, value, check_resource, &s->resources);
}

/* ---- principals ---- */

static bool is_account(const char *text, size_t len)
{
    if (len != AWS_ACCOUNT_BYTES - 1)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isdigit((uint8_t)text[i]))
            return false;
    return true;
}

/* AIDA..., AROA...: what AWS shows for a user or role that is gone. */
static bool is_unique_id(const char *text)
{
    size_t len = 0;

    for (; text[len]; len++)
        if (!isupper((uint8_t)text[len]) && !isdigit((uint8_t)text[len]))
            return false;
    return len >= 16 && len <= 128 && text[0] == 'A';
}

/* arn:aws:iam::A:user/..., :role/..., arn:aws:sts::A:assumed-role/R/S; no wildcards. */
static bool is_principal_arn(const char *text)
{
    static const char *const iam_kinds[] = {"user/", "role/"};
    const char *account = text + 13, *kind = text + 26;
    bool is_iam = strncmp(text, "arn:aws:iam::", 13) == 0;
    bool is_sts = strncmp(text, "arn:aws:sts::", 13) == 0;

    if ((!is_iam && !is_sts) || strlen(text) < 27 || strlen(text) >= AWS_ARN_BYTES ||
        !is_account(account, 12) || account[12] != ':' || strpbrk(text, "*?"))
        return false;
    if (is_sts) {
        const char *role = kind + strlen("assumed-role/");
        return strncmp(kind, "assumed-role/", strlen("assumed-role/")) == 0 && strchr(role, '/') &&
               strchr(role, '/')[1];
    }
    for (size_t i = 0; i < 2; i++)
        if (strncmp(kind, iam_kinds[i], 5) == 0 && kind[5])
            return true;
    return false;
}

static ks_rc refuse_principal(const struct aws_policy *p, const char *type, const char *text)
{
    if (p->kind == POLICY_KEY)
        return ks_fail(KS_E_USAGE,
                       "Policy contains a statement with one or more invalid principals.");
    return ks_fail(KS_E_USAGE, "Invalid principal in policy: \"%s\":\"%.256s\"", type, text);
}

static ks_rc aws_principal_parse(struct aws_policy *p, const char *text, struct principal *ret)
{
    struct pattern plain = {0};
    size_t len = strlen(text);

    TRY(pattern_compile(p, text, PATTERN_PLAIN, &plain));
    ret->text = plain.text;
    if (strcmp(text, "*") == 0) {
        ret->kind = PRINCIPAL_ANY;
    } else if (is_account(text, len)) {
        ret->kind = PRINCIPAL_ACCOUNT;
    } else if (len == 30 && strncmp(text, "arn:aws:iam::", 13) == 0 && is_account(text + 13, 12) &&
               strcmp(text + 25, ":root") == 0) {
        char *account;
        TRY(policy_take(p, AWS_ACCOUNT_BYTES, 1, &account));
        memcpy(account, text + 13, AWS_ACCOUNT_BYTES - 1);
        *ret = (struct principal){PRINCIPAL_ACCOUNT, account};
    } else if (is_principal_arn(text) || is_unique_id(text)) {
        ret->kind = PRINCIPAL_EXACT;
    } else {
        return refuse_principal(p, "AWS", text);
    }
    return KS_SUCCESS;
}

static ks_rc principal_type_parse(struct aws_policy *p, const char *type, const json_t *value,
                                  struct statement *s)
{
    size_t count = list_size(value);

    ENSURE(count > 0, KS_E_USAGE, "%s", SYNTAX);
    for (size_t i = 0; i < count; i++) {
        const char *text = list_item(value, i);
        struct principal *to = &s->principals[s->principal_count];
        ENSURE(text && *text, KS_E_USAGE, "%s", SYNTAX);
        if (strcmp(type, "AWS") == 0)
            TRY(aws_principal_parse(p, text, to));
        else
            *to = (struct principal){PRINCIPAL_OTHER, text};
        s->principal_count++;
    }
    return KS_SUCCESS;
}

static ks_rc principal_map_parse(struct aws_policy *p, json_t *map, struct statement *s)
{
    static const char *const types[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    size_t count = 0, known = 0;
    const char *type;
    json_t *value;

    json_object_foreach(map, type, value) count += list_size(value);
    TRY(policy_take(p, count, sizeof *s->principals, &s->principals));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        value = json_object_get(map, types[i]);
        if (!value)
            continue;
        TRY(principal_type_parse(p, types[i], value, s));
        known++;
    }
    ENSURE(known > 0 && known == json_object_size(map), KS_E_USAGE, "%s", SYNTAX);
    return KS_SUCCESS;
}

static ks_rc principals_parse(struct aws_policy *p, const json_t *object, struct statement *s)
{
    json_t *value = NULL;

    TRY(either_parse(object, "Principal", "NotPrincipal", &value, &s->is_not_principal));
    if (p->kind == POLICY_IDENTITY) {
        ENSURE(!value, KS_E_USAGE, "Policy document should not specify a principal.");
        return KS_SUCCESS;
    }
    ENSURE(value, KS_E_USAGE, "Missing required field Principal");
    ENSURE(p->kind != POLICY_TRUST || !s->is_not_principal, KS_E_USAGE,
           "Has prohibited field NotPrincipal");
    s->has_principal = true;
    if (json_is_object(value))
        return principal_map_parse(p, value, s);
    ENSURE(json_is_string(value), KS_E_USAGE, "%s", SYNTAX);
    if (strcmp(json_string_value(value), "*") != 0)
        return refuse_principal(p, "STAR", json_string_value(value));
    TRY(policy_take(p, 1, sizeof *s->principals, &s->principals));
    s->principals[s->principal_count++] = (struct principal){PRINCIPAL_ANY, "*"};
    return KS_SUCCESS;
}

/* ---- conditions ---- */

static ks_rc operator_keys_parse(struct aws_policy *p, const char *name, json_t *keys,
                                 struct statement *s)
{
    const char *key;
    json_t *values;

    ENSURE(json_object_size(keys) > 0, KS_E_USAGE, "%s", SYNTAX);
    json_object_foreach(keys, key, values)
    {
        TRY(condition_parse(p, name, key, values, &s->conditions[s->condition_count]));
        s->condition_count++;
    }
    return KS_SUCCESS;
}

static ks_rc conditions_parse(struct aws_policy *p, const json_t *object, struct statement *s)
{
    json_t *map = json_object_get(object, "Condition"), *keys;
    const char *name;
    size_t count = 0;

    if (!map)
        return KS_SUCCESS;
    ENSURE(json_is_object(map), KS_E_USAGE, "%s", SYNTAX);
    json_object_foreach(map, name, keys) count += json_object_size(keys);
    TRY(policy_take(p, count, sizeof *s->conditions, &s->conditions));
    json_object_foreach(map, name, keys) TRY(operator_keys_parse(p, name, keys, s));
    return KS_SUCCESS;
}

/* ---- statements ---- */

static bool is_name_in(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static ks_rc check_members(json_t *object, const char *const *names, size_t count)
{
    const char *name;
    json_t *value;

    ENSURE(json_is_object(object), KS_E_USAGE, "%s", SYNTAX);
    json_object_foreach(object, name, value)
        ENSURE(is_name_in(name, names, count), KS_E_USAGE, "%s", SYNTAX);
    return KS_SUCCESS;
}

static ks_rc check_sid(const struct aws_policy *p, const json_t *statement)
{
    const json_t *sid = json_object_get(statement, "Sid");
    const char *text = json_string_value(sid);

    ENSURE(!sid || text, KS_E_USAGE, "%s", SYNTAX);
    for (; text && *text && p->kind != POLICY_KEY; text++)
        ENSURE(isalnum((uint8_t)*text), KS_E_USAGE,
               "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
               "regular expression [0-9A-Za-z]*");
    return KS_SUCCESS;
}

static ks_rc effect_parse(const json_t *object, struct statement *s)
{
    const char *effect = json_string_value(json_object_get(object, "Effect"));

    ENSURE(effect, KS_E_USAGE, "Missing required field Effect");
    s->is_allow = strcmp(effect, "Allow") == 0;
    ENSURE(s->is_allow || strcmp(effect, "Deny") == 0, KS_E_USAGE, "Invalid effect: %.64s", effect);
    return KS_SUCCESS;
}

static ks_rc statement_parse(struct aws_policy *p, json_t *object, struct statement *s)
{
    static const char *const names[] = {"Sid",          "Effect",      "Principal",
                                        "NotPrincipal", "Action",      "NotAction",
                                        "Resource",     "NotResource", "Condition"};

    TRY(check_members(object, names, sizeof names / sizeof *names));
    TRY(check_sid(p, object));
    TRY(effect_parse(object, s));
    TRY(principals_parse(p, object, s));
    TRY(actions_parse(p, object, s));
    TRY(resources_parse(p, object, s));
    return conditions_parse(p, object, s);
}

static ks_rc check_sids_differ(const json_t *statements)
{
    for (size_t i = 0; i < json_array_size(statements); i++) {
        const char *one = json_string_value(json_object_get(json_array_get(statements, i), "Sid"));
        for (size_t j = 0; one && *one && j < i; j++) {
            const char *other =
                json_string_value(json_object_get(json_array_get(statements, j), "Sid"));
            ENSURE(!other || strcmp(one, other) != 0, KS_E_USAGE,
                   "Statement IDs (SID) in a single policy must be unique.");
        }
    }
    return KS_SUCCESS;
}

static ks_rc statements_parse(struct aws_policy *p)
{
    json_t *list = json_object_get(p->document, "Statement");
    size_t count = json_is_array(list) ? json_array_size(list) : json_is_object(list);

    ENSURE(count > 0, KS_E_USAGE, "%s", SYNTAX);
    TRY(policy_take(p, count, sizeof *p->statements, &p->statements));
    for (; p->statement_count < count; p->statement_count++)
        TRY(statement_parse(p,
                            json_is_array(list) ? json_array_get(list, p->statement_count) : list,
                            &p->statements[p->statement_count]));
    return check_sids_differ(list);
}

static ks_rc document_parse(struct aws_policy *p)
{
    static const char *const names[] = {"Version", "Id", "Statement"};
    const json_t *version = json_object_get(p->document, "Version");
    const json_t *id = json_object_get(p->document, "Id");
    const char *text = json_string_value(version);

    TRY(check_members(p->document, names, sizeof names / sizeof *names));
    ENSURE(!id || json_is_string(id), KS_E_USAGE, "%s", SYNTAX);
    p->may_vary = text && strcmp(text, "2012-10-17") == 0;
    ENSURE(!version || p->may_vary || (text && strcmp(text, "2008-10-17") == 0), KS_E_USAGE,
           "Policy document must be version 2012-10-17 or greater.");
    return statements_parse(p);
}

ks_rc policy_parse(struct view text, enum policy_kind kind, struct aws_policy **ret)
{
    const struct json_limits limits = {POLICY_BYTES_MAX, POLICY_DEPTH_MAX};
    CLEANUP(policy_freep) struct aws_policy *p = NULL;

    TRY(mem_new(1, sizeof *p, &p));
    p->kind = kind;
    ks_rc rc = json_read(text, limits, "policy", &p->document);
    if (ks_is(rc, KS_E_USAGE))
        return ks_fail(KS_E_USAGE, "This policy contains invalid Json");
    TRY(rc);
    TRY(mem_new(text.len + 1, 1, &p->text));
    memcpy(p->text, text.bytes, text.len);
    TRY(document_parse(p));
    *ret = TAKE(p);
    return KS_SUCCESS;
}

ks_rc policy_each_principal(const struct aws_policy *p, ks_rc (*each)(void *arg, const char *text),
                            void *arg)
{
    for (size_t i = 0; i < p->statement_count; i++) {
        const struct statement *s = &p->statements[i];
        for (size_t j = 0; j < s->principal_count; j++)
            if (s->principals[j].kind == PRINCIPAL_ACCOUNT ||
                s->principals[j].kind == PRINCIPAL_EXACT)
                TRY(each(arg, s->principals[j].text));
    }
    return KS_SUCCESS;
}
