/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_token.c - finding a token by its name, logging in once, and sessions for calls.
 *
 * Invariants: a PIN that a token refused is not given to it again, nor is any PIN when one more mistake would lock it. A
 * session is used by one call at a time.
 */
#include "kms/p11_token.h"

#include "base/environment.h"
#include "base/mem.h"
#include "kms/secret_file.h"

enum { SLOTS_MAX = 256 };

ks_rc p11_check(struct p11_session *s, CK_RV rv, const char *what)
{
    if (rv == CKR_OK)
        return KS_SUCCESS;
    s->is_broken = s->is_broken || p11_is_transient(rv);
    return p11_error(rv, what);
}

/* --- the token --- */

static bool is_wanted(const struct p11_token *t, const CK_TOKEN_INFO *info)
{
    return (info->flags & CKF_TOKEN_INITIALIZED) && p11_kit_uri_match_token_info(t->uri, info) == 1;
}

static ks_rc list_slots(struct p11_session *s, CK_SLOT_ID slots[SLOTS_MAX], CK_ULONG *ret_count)
{
    CK_ULONG count = 0;

    /* Without room modules look for tokens that came and went. */
    TRY(p11_check(s, s->f->C_GetSlotList(CK_TRUE, NULL, &count), "C_GetSlotList"));
    count = SLOTS_MAX;
    TRY(p11_check(s, s->f->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList"));
    ENSURE(count <= SLOTS_MAX, KS_E_BAD_REPLY, "the module tells of %lu slots", count);
    *ret_count = count;
    return KS_SUCCESS;
}

static ks_rc find_token(struct p11_session *s)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count;
    size_t found = 0;

    TRY(list_slots(s, slots, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info = {.flags = 0};
        /* A slot whose token does not answer is not the one that was asked for. */
        if (s->f->C_GetTokenInfo(slots[i], &info) != CKR_OK || !is_wanted(s->token, &info))
            continue;
        s->slot = slots[i];
        found++;
    }
    ENSURE(found <= 1, KS_E_USAGE, "%zu tokens are called %s; add serial=NUMBER to the PKCS#11 URI",
           found, s->token->name);
    if (found == 1)
        return KS_SUCCESS;
    s->is_broken = true; /* many modules look for tokens only when they are initialised */
    return ks_fail(KS_E_UNREACHABLE, "there is no token %s in any of %lu slots", s->token->name,
                   count);
}

/* --- the login --- */

static ks_rc get_pin(const struct p11_token *t, struct secret **ret)
{
    CLEANUP(mem_freep) char *what = NULL;
    char path[SECRET_FILE_PATH_BYTES];

    if (t->pin.file[0])
        return secret_line_read(io_posix(), t->pin.file, ret);
    if (t->pin.credential[0]) {
        const char *dir =
            (t->pin.env ? t->pin.env : environment_get)(t->pin.env_arg, "CREDENTIALS_DIRECTORY");
        TRY(secret_file_in(dir, t->pin.credential, path));
        return secret_line_read(io_posix(), path, ret);
    }
    ENSURE(
        t->pin.ask, KS_E_CREDENTIAL,
        "the token %s needs a PIN and nobody can be asked; put it into a file and name that with "
        "pin-source",
        t->name);
    TRY(mem_format(&what, "PIN of token %s", t->name));
    return t->pin.ask(t->pin.ask_arg, what, ret);
}

static ks_rc check_pin_tries(const struct p11_token *t, const CK_TOKEN_INFO *info)
{
    ENSURE(!(info->flags & CKF_USER_PIN_LOCKED), KS_E_CREDENTIAL,
           "the token %s is locked after wrong PINs; its security officer can unlock it", t->name);
    ENSURE(
        !(info->flags & CKF_USER_PIN_FINAL_TRY), KS_E_CREDENTIAL,
        "one more wrong PIN locks the token %s, so none is tried; log in once with the right one, "
        "e.g. with pkcs11-tool --login --test",
        t->name);
    return KS_SUCCESS;
}

static bool is_about_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE;
}

static ks_rc try_pin(struct p11_session *s, CK_TOKEN_INFO *info, struct secret *pin)
{
    struct p11_token *t = s->token;

    ENSURE(!p11_pin_is_refused(t->module, info, secret_view(pin)), KS_E_CREDENTIAL,
           "the token %s refused this PIN before and is not asked again, so that it does not lock",
           t->name);
    CK_RV rv = s->f->C_Login(s->handle, CKU_USER, secret_bytes(pin), secret_view(pin).len);
    if (rv == CKR_USER_ALREADY_LOGGED_IN)
        return KS_SUCCESS;
    ks_rc rc = ks_wrap(p11_check(s, rv, "C_Login"), "token %s", t->name);
    if (!is_about_pin(rv))
        return rc;
    /* For the flags after the mistake; when it fails, those before it do. */
    if (s->f->C_GetTokenInfo(s->slot, info) != CKR_OK)
        info->flags &= ~(CK_FLAGS)CKF_USER_PIN_COUNT_LOW;
    TRY(p11_pin_refuse(t->module, info, secret_view(pin)));
    return rc;
}

static ks_rc login_locked(struct p11_session *s)
{
    CLEANUP(secret_freep) struct secret *pin = NULL;
    CK_SESSION_INFO session = {.state = 0};
    CK_TOKEN_INFO info = {.flags = 0};

    TRY(p11_check(s, s->f->C_GetSessionInfo(s->handle, &session), "C_GetSessionInfo"));
    if (session.state == CKS_RO_USER_FUNCTIONS || session.state == CKS_RW_USER_FUNCTIONS)
        return KS_SUCCESS;
    TRY(p11_check(s, s->f->C_GetTokenInfo(s->slot, &info), "C_GetTokenInfo"));
    if (!(info.flags & CKF_LOGIN_REQUIRED))
        return KS_SUCCESS;
    TRY(check_pin_tries(s->token, &info));
    TRY(get_pin(s->token, &pin));
    return try_pin(s, &info, pin);
}

static ks_rc login(struct p11_session *s)
{
    p11_pin_lock(s->token->module);
    ks_rc rc = login_locked(s);
    p11_pin_unlock(s->token->module);
    return rc;
}

/* --- sessions --- */

static bool take_idle(struct p11_token *t, struct p11_session *s)
{
    pthread_mutex_lock(&t->mutex);
    if (t->idle_generation != s->generation)
        t->idle_count = 0; /* they ended with the initialisation they belong to */
    t->idle_generation = s->generation;
    bool is_one = t->idle_count > 0;
    if (is_one)
        s->handle = t->idle[--t->idle_count];
    pthread_mutex_unlock(&t->mutex);
    return is_one;
}

static bool give_idle(struct p11_token *t, const struct p11_session *s)
{
    pthread_mutex_lock(&t->mutex);
    bool has_room = t->idle_generation == s->generation && t->idle_count < P11_IDLE_MAX;
    if (has_room)
        t->idle[t->idle_count++] = s->handle;
    pthread_mutex_unlock(&t->mutex);
    return has_room;
}

/* The token is looked for in every call: it may have been taken away, and a module may not notice by itself. */
ks_rc p11_session_begin(struct p11_token *token, struct p11_session *ret)
{
    struct p11_stay stay;

    *ret = (struct p11_session){.handle = CK_INVALID_HANDLE};
    TRY(p11_module_enter(token->module, &stay));
    ret->token = token;
    ret->f = stay.f;
    ret->generation = stay.generation;
    TRY(find_token(ret));
    if (!take_idle(token, ret))
        TRY(p11_check(
            ret, ret->f->C_OpenSession(ret->slot, CKF_SERIAL_SESSION, NULL, NULL, &ret->handle),
            "C_OpenSession"));
    return login(ret);
}

void p11_session_end(struct p11_session *s)
{
    if (!s->token)
        return;
    if (s->handle != CK_INVALID_HANDLE && (s->is_broken || !give_idle(s->token, s)))
        s->f->C_CloseSession(s->handle);
    p11_module_leave(s->token->module);
    s->token = NULL;
}

static void close_idle(struct p11_token *t)
{
    struct p11_stay stay;

    if (!t->idle_count || !ks_ok(p11_module_enter(t->module, &stay)))
        return;
    for (size_t i = 0; i < t->idle_count && stay.generation == t->idle_generation; i++)
        stay.f->C_CloseSession(t->idle[i]);
    p11_module_leave(t->module);
}

void p11_token_done(struct p11_token *token)
{
    if (token->module)
        close_idle(token);
    p11_module_put(token->module);
    if (token->uri)
        p11_kit_uri_free(token->uri);
    token->module = NULL;
    token->uri = NULL;
}
