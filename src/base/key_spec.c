/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/key_spec.c - the name of a customer's key and what a wrap under it is bound to.
 */
#include "base/key_spec.h"

#include <ctype.h>
#include <string.h>

#include "base/codec.h"

static ks_rc copy_type(const char *text, size_t len, char ret[KEY_TYPE_BYTES])
{
    ENSURE(len > 0 && len < KEY_TYPE_BYTES, KS_E_USAGE,
           "key \"%.60s\" has no type; write it as TYPE:URI, e.g. file:/srv/kms#orders", text);
    for (size_t i = 0; i < len; i++) {
        ENSURE(isalnum((unsigned char)text[i]) || text[i] == '_', KS_E_USAGE,
               "key \"%.60s\" has no type; write it as TYPE:URI, e.g. file:/srv/kms#orders", text);
        ret[i] = (char)toupper((unsigned char)text[i]);
    }
    return KS_SUCCESS;
}

ks_rc key_spec_parse(const char *text, struct key_spec *ret)
{
    struct key_spec spec = {{0}, {0}, {0}};
    size_t type_len = strcspn(text, ":");
    const char *uri = text + type_len + (text[type_len] == ':');

    TRY(copy_type(text, text[type_len] == ':' ? type_len : 0, spec.type));
    size_t uri_len = strlen(uri);
    ENSURE(uri_len > 0, KS_E_USAGE, "key \"%.60s\" names no key behind its type", text);
    ENSURE(uri_len < KEY_URI_BYTES, KS_E_LIMIT, "the key's uri is longer than %d bytes",
           KEY_URI_BYTES - 1);
    for (size_t i = 0; i < uri_len; i++)
        ENSURE(!iscntrl((unsigned char)uri[i]), KS_E_USAGE,
               "the key's uri holds control characters");
    memcpy(spec.uri, uri, uri_len + 1);
    *ret = spec;
    return KS_SUCCESS;
}

bool key_spec_is_same(const struct key_spec *a, const struct key_spec *b)
{
    return strcmp(a->type, b->type) == 0 && strcmp(a->uri, b->uri) == 0;
}

ks_rc key_context_aad(const struct key_context *context, struct buf *ret)
{
    struct wr w = wr_init(ret);

    wr_u16(&w, (uint16_t)context->count);
    for (size_t i = 0; i < context->count; i++) {
        wr_text16(&w, context->pairs[i].name);
        wr_text16(&w, context->pairs[i].value);
    }
    return wr_done(&w);
}
