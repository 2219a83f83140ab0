/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_uri.c - the name of a token and a key in it (RFC 7512), read strictly.
 *
 * What is not understood is refused and not ignored: a key that is found although half of its name was
 * overlooked may be another key.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/p11_token.h"

#define EXAMPLE                                                                                    \
    "pkcs11:token=hsm;object=orders?module-path=/usr/lib/softhsm/libsofthsm2.so&"                  \
    "pin-source=file:/etc/keystead/pin"

static ks_rc parse(const char *spec_uri, P11KitUri *uri)
{
    CLEANUP(mem_freep) char *text = NULL;

    TRY(mem_format(&text, "pkcs11:%s", spec_uri));
    int rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    ENSURE(rc == P11_KIT_URI_OK, KS_E_USAGE,
           "the key is no PKCS#11 URI (%s); write it like " EXAMPLE, p11_kit_uri_message(rc));
    ENSURE(!p11_kit_uri_any_unrecognized(uri), KS_E_USAGE,
           "the PKCS#11 URI has a part that is not known; write it like " EXAMPLE);
    ENSURE(!p11_kit_uri_get_pin_value(uri), KS_E_USAGE,
           "the PKCS#11 URI holds a PIN; put it into a file and name that with pin-source");
    return KS_SUCCESS;
}

static ks_rc check_key(P11KitUri *uri)
{
    const CK_ATTRIBUTE *cls = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    CK_OBJECT_CLASS kind = CKO_SECRET_KEY;

    ENSURE(p11_kit_uri_get_attribute(uri, CKA_LABEL) || p11_kit_uri_get_attribute(uri, CKA_ID),
           KS_E_USAGE, "the PKCS#11 URI names no key; add object=LABEL or id=%%01");
    if (cls && cls->ulValueLen == sizeof kind)
        memcpy(&kind, cls->pValue, sizeof kind);
    ENSURE(kind == CKO_SECRET_KEY, KS_E_USAGE,
           "the PKCS#11 URI names an object that is no secret key; leave type away");
    return KS_SUCCESS;
}

/* The length of a field of a token without the blanks that fill it. */
static int field_len(const CK_UTF8CHAR *field, int room)
{
    int len = 0;

    for (int i = 0; i < room && field[i]; i++)
        if (field[i] != ' ')
            len = i + 1;
    return len;
}

/* The label, or else the serial number, for texts. */
static ks_rc token_name(P11KitUri *uri, char ret[P11_URI_PART_BYTES])
{
    const CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);
    const CK_UTF8CHAR *text = info->label;
    int len = field_len(text, sizeof info->label);

    if (len == 0) {
        text = info->serialNumber;
        len = field_len(text, sizeof info->serialNumber);
    }
    ENSURE(len > 0, KS_E_USAGE,
           "the PKCS#11 URI names no token; add token=LABEL, slots may change their numbers");
    ENSURE(p11_kit_uri_get_slot_id(uri) == (CK_SLOT_ID)-1, KS_E_USAGE,
           "the PKCS#11 URI names a slot by number, which may change; use token=LABEL");
    snprintf(ret, P11_URI_PART_BYTES, "%.*s", len, (const char *)text);
    return KS_SUCCESS;
}

static ks_rc copy(const char *text, const char *what, char *ret, size_t len)
{
    ENSURE(text[0] && strlen(text) < len, KS_E_USAGE, "%s is empty or too long", what);
    memcpy(ret, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc pin_source(const char *source, struct p11_pin *pin)
{
    if (strncmp(source, "credential:", 11) == 0)
        return copy(source + 11, "the credential of pin-source", pin->credential,
                    sizeof pin->credential);
    if (strncmp(source, "file:", 5) == 0)
        source += 5;
    if (strncmp(source, "//", 2) == 0) /* file:///PATH */
        source += 2;
    ENSURE(source[0] == '/', KS_E_USAGE,
           "pin-source is neither file:/PATH nor credential:NAME of the service manager");
    return copy(source, "the path of pin-source", pin->file, sizeof pin->file);
}

static ks_rc find_pin(const struct kms_conf *conf, P11KitUri *uri, struct p11_pin *pin)
{
    const char *source = p11_kit_uri_get_pin_source(uri), *file = conf->spec->auth_principal;

    *pin = (struct p11_pin){.env = conf->env,
                            .env_arg = conf->env_arg,
                            .ask = conf->passphrase,
                            .ask_arg = conf->passphrase_arg};
    ENSURE(!source || !file[0], KS_E_USAGE,
           "both pin-source and a key file say where the PIN is; leave one away");
    if (file[0]) {
        ENSURE(file[0] == '/', KS_E_USAGE,
               "\"%.200s\" is a relative path; write the path of the PIN from the root", file);
        return copy(file, "the path of the PIN", pin->file, sizeof pin->file);
    }
    return source ? pin_source(source, pin) : KS_SUCCESS;
}

ks_rc p11_token_init(const struct kms_conf *conf, struct p11_token *token)
{
    token->uri = p11_kit_uri_new();
    ENSURE(token->uri, KS_E_NO_MEMORY, "no memory for a PKCS#11 URI");
    TRY(parse(conf->spec->uri, token->uri));
    TRY(check_key(token->uri));
    TRY(token_name(token->uri, token->name));
    TRY(find_pin(conf, token->uri, &token->pin));
    const char *path = p11_kit_uri_get_module_path(token->uri);
    ENSURE(path && path[0] == '/', KS_E_USAGE,
           "the PKCS#11 URI does not say which module drives the token; add "
           "?module-path=/PATH/OF/MODULE.so");
    return p11_module_get(path, &token->module);
}
