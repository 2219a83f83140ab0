/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/grants.c - takes the parts out of a key's name and puts them into the templates.
 */
#include "kms/grants.h"

#include <ctype.h>
#include <stdio.h>

enum { VALUE_BYTES = 2048, NAME_BYTES = 32, FORMS_BYTES = 128 };

/*
 * The part called name is the uri's text behind the count-th "after" (0: from the start) and before the next "before"
 * (or the end).
 */
static const struct part {
    const char *type, *name, *after;
    int count;
    const char *before;
} parts[] = {
    {"AWS_KMS", "PARTITION", ":", 1, ":"},
    {"AWS_KMS", "REGION", ":", 3, ":"},
    {"AWS_KMS", "ACCOUNT", ":", 4, ":"},
    {"GCP_CLOUD_KMS", "PROJECT", "/", 1, "/"},
    {"GCP_CLOUD_KMS", "LOCATION", "/", 3, "/"},
    {"GCP_CLOUD_KMS", "RING", "/", 5, "/"},
    {"GCP_CLOUD_KMS", "NAME", "/", 7, "/"},
    {"AZURE_KEY_VAULT", "VAULT", "://", 1, "."},
    {"AZURE_KEY_VAULT", "NAME", "/keys/", 1, "/"},
    {"VAULT_TRANSIT", "MOUNT", "/v1/", 1, "/keys/"},
    {"VAULT_TRANSIT", "MOUNT", "", 0, "/keys/"}, /* a name without address */
    {"VAULT_TRANSIT", "NAME", "/keys/", 1, "?"},
    {"FILE", "STORE", "", 0, "#"},
    {"FILE", "NAME", "#", 1, "#"},
};

static bool part_find(const struct part *p, const char *uri, char ret[VALUE_BYTES])
{
    const char *at = uri;

    for (int i = 0; i < p->count; i++) {
        at = strstr(at, p->after);
        if (!at)
            return false;
        at += strlen(p->after);
    }
    const char *end = strstr(at, p->before);
    snprintf(ret, VALUE_BYTES, "%.*s", end ? (int)(end - at) : (int)strlen(at), at);
    return ret[0] != 0;
}

static bool find_in_uri(const struct key_spec *spec, const char *name, char ret[VALUE_BYTES])
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i].type, spec->type) == 0 && strcmp(parts[i].name, name) == 0 &&
            part_find(&parts[i], spec->uri, ret))
            return true;
    return false;
}

/* --- who uses the key --- */

static bool find_principal(const struct key_spec *spec, char ret[VALUE_BYTES])
{
    char partition[VALUE_BYTES], account[VALUE_BYTES];

    if (spec->auth_principal[0]) {
        snprintf(ret, VALUE_BYTES, "%s", spec->auth_principal);
        return true;
    }
    if (strcmp(spec->type, "AWS_KMS") != 0 || !find_in_uri(spec, "PARTITION", partition) ||
        !find_in_uri(spec, "ACCOUNT", account))
        return false;
    snprintf(ret, VALUE_BYTES, "arn:%.100s:iam::%.100s:role/keystead", partition, account);
    return true;
}

/* The last part of the role's ARN: a role is named without its path. */
static bool find_role(const struct key_spec *spec, char ret[VALUE_BYTES])
{
    const char *slash = strrchr(spec->auth_principal, '/');

    snprintf(ret, VALUE_BYTES, "%s", slash ? slash + 1 : "keystead");
    return true;
}

static bool copy_given(const char *given, char ret[VALUE_BYTES])
{
    snprintf(ret, VALUE_BYTES, "%s", given ? given : "");
    return given != NULL;
}

static bool find_value(const struct grants_values *v, const char *name, char ret[VALUE_BYTES])
{
    if (strcmp(name, "KEY") == 0)
        return copy_given(v->spec->uri, ret);
    if (strcmp(name, "PRINCIPAL") == 0)
        return find_principal(v->spec, ret);
    if (strcmp(name, "ROLE") == 0)
        return find_role(v->spec, ret);
    if (strcmp(name, "EXTERNAL_ID") == 0)
        return copy_given(v->external_id, ret);
    if (strcmp(name, "TRUSTED") == 0)
        return copy_given(v->trusted, ret);
    if (strcmp(name, "PERMISSION") == 0)
        return copy_given(v->permission, ret);
    return find_in_uri(v->spec, name, ret);
}

/* --- filling --- */

/* The option that gives a value which the key's name does not hold. */
static const char *option_for(const char *name)
{
    if (strcmp(name, "EXTERNAL_ID") == 0)
        return "--organisation";
    if (strcmp(name, "TRUSTED") == 0)
        return "--trusted";
    return strcmp(name, "PRINCIPAL") == 0 ? "--auth-principal" : NULL;
}

/* Values go into shell commands, JSON and YAML: none may end its string there. */
static ks_rc check_value(const char *name, const char *value)
{
    for (const char *c = value; *c; c++)
        ENSURE(isalnum((unsigned char)*c) || strchr(":/_.+=,@#?*-", *c), KS_E_USAGE,
               "%s \"%.100s\" has characters that would need quoting", name, value);
    return KS_SUCCESS;
}

static ks_rc add_value(const struct grants_values *v, const char *name, bool is_strict,
                       struct buf *ret)
{
    char value[VALUE_BYTES];
    const char *option = option_for(name);

    if (find_value(v, name, value)) {
        if (strcmp(name, "PERMISSION") != 0)
            TRY(check_value(name, value));
        return buf_append(ret, view_text(value));
    }
    ENSURE(!is_strict || !option, KS_E_USAGE, "this text needs %s", option);
    ENSURE(!is_strict, KS_E_USAGE, "the key's name does not tell its %s: %.200s", name,
           v->spec->uri);
    return buf_append(ret, view_text(name));
}

static ks_rc fill(const struct grants_values *v, struct view text, bool is_strict, struct buf *ret)
{
    char name[NAME_BYTES];

    for (size_t at = 0; at < text.len;) {
        const uint8_t *sign = memchr(text.bytes + at, '@', text.len - at);
        size_t plain = sign ? (size_t)(sign - text.bytes) - at : text.len - at;
        TRY(buf_append(ret, view_of(text.bytes + at, plain)));
        at += plain;
        if (!sign)
            break;
        const uint8_t *end = memchr(sign + 1, '@', text.len - at - 1);
        ENSURE(end && (size_t)(end - sign) <= NAME_BYTES, KS_E_BUG, "a template with an open name");
        snprintf(name, sizeof name, "%.*s", (int)(end - sign - 1), (const char *)sign + 1);
        TRY(name[0] ? add_value(v, name, is_strict, ret) : buf_append(ret, view_text("@")));
        at += (size_t)(end - sign) + 1;
    }
    return KS_SUCCESS;
}

/* --- templates --- */

static bool is_for_people(const struct grants_template *t, const char *type)
{
    return strcmp(t->type, type) == 0 && strcmp(t->form, "mend") != 0;
}

static ks_rc no_such_form(const char *type, const char *form)
{
    char forms[FORMS_BYTES] = "";
    size_t used = 0;

    for (const struct grants_template *t = grants_templates; t->type; t++)
        if (is_for_people(t, type) && used < sizeof forms)
            used += (size_t)snprintf(forms + used, sizeof forms - used, " %s", t->form);
    ENSURE(used, KS_E_USAGE, "there are no grants to print for keys of type %s", type);
    return ks_fail(KS_E_USAGE, "keys of type %s have no form \"%.60s\"; they have:%s", type, form,
                   forms);
}

ks_rc grants_write(const struct grants_values *values, const char *form, struct buf *ret)
{
    const char *type = values->spec->type;

    for (const struct grants_template *t = grants_templates; t->type; t++)
        if (is_for_people(t, type) && (!form || strcmp(t->form, form) == 0))
            return fill(values, view_text(t->text), true, ret);
    return no_such_form(type, form ? form : "");
}

/* The section "[NAME]" of a text: what stands between its line and the next section. */
static struct view section(const char *text, const char *name)
{
    char head[NAME_BYTES * 2];

    snprintf(head, sizeof head, "[%s]\n", name);
    const char *at = strstr(text, head);
    if (!at)
        return view_of(NULL, 0);
    at += strlen(head);
    const char *end = strstr(at, "\n[");
    size_t len = end ? (size_t)(end - at) : strlen(at);
    return view_of(at, len && at[len - 1] == '\n' ? len - 1 : len);
}

ks_rc grants_mend(const struct grants_values *values, ks_rc rc, struct buf *ret)
{
    for (const struct grants_template *t = grants_templates; t->type; t++)
        if (strcmp(t->type, values->spec->type) == 0 && strcmp(t->form, "mend") == 0)
            return fill(values, section(t->text, ks_name(rc)), false, ret);
    return KS_SUCCESS;
}

/* --- hints --- */

static ks_rc hint_region(const struct key_spec *spec, const char *endpoint, const char *region_set,
                         struct buf *ret)
{
    char region[VALUE_BYTES];

    if (!find_in_uri(spec, "REGION", region))
        return KS_SUCCESS;
    if (endpoint && strstr(endpoint, ".amazonaws.com") && !strstr(endpoint, region))
        TRY(buf_printf(
            ret, "the key is in region %.60s, the endpoint of the environment is not: %.200s\n",
            region, endpoint));
    if (region_set && strcmp(region_set, region) != 0)
        TRY(buf_printf(ret, "the key's region %.60s is asked, not %.60s of the environment\n",
                       region, region_set));
    return KS_SUCCESS;
}

ks_rc grants_hints(const struct grants_values *values,
                   const char *(*env)(void *arg, const char *name), void *env_arg, struct buf *ret)
{
    const struct key_spec *spec = values->spec;

    if (strcmp(spec->type, "AWS_KMS") != 0)
        return KS_SUCCESS;
    const char *own = env(env_arg, "AWS_ENDPOINT_URL_KMS");
    TRY(hint_region(spec, own ? own : env(env_arg, "AWS_ENDPOINT_URL"), env(env_arg, "AWS_REGION"),
                    ret));
    if (strstr(spec->uri, "alias/"))
        TRY(buf_printf(ret, "an alias is of one region and can be moved to another key: name the "
                            "ARN of the key itself\n"));
    if (spec->auth_principal[0] && !values->external_id)
        TRY(buf_printf(ret, "no ExternalId is sent, and a role that asks for one refuses: give "
                            "--organisation\n"));
    if (spec->auth_principal[0] && strncmp(spec->auth_principal, "arn:", 4) != 0)
        TRY(buf_printf(ret, "the principal is no ARN of a role: arn:aws:iam::ACCOUNT:role/NAME\n"));
    return KS_SUCCESS;
}
