/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/hierarchy.c - making the hierarchy of a new volume, opening it, and asking whether it may be used.
 *
 * Rotations stand in key/rotation.c. Never changes a keyring that is on disk, except that opening
 * mends a copy that is old or damaged.
 */
#include "key/hierarchy.h"

#include <stdio.h>
#include <string.h>

#include "key/hierarchy_int.h"
#include "key/local_key.h"

/* --- asking every wrap ---------------------------------------------------------------------- */

/*
 * What to tell when no wrap is granted: the most hopeful of all answers. Only what is no answer about
 * a key stands above a denial, so one that counts is told as such, and a host in trouble (no
 * memory, say) or an outage is never taken for a revocation. A wrap that is damaged can never open the volume
 * again, so it does not stand in the way of a denial.
 */
static int hope(ks_rc rc)
{
    switch ((enum ks_class)rc.cls) {
    case KS_CLASS_OK:
        return 6;
    case KS_CLASS_UNREACHABLE:
        return 5;
    case KS_CLASS_LIMIT:
    case KS_CLASS_IO:
    case KS_CLASS_BUSY:
        return 4;
    case KS_CLASS_DENIED:
        return 3;
    case KS_CLASS_CORRUPT:
        return 2;
    case KS_CLASS_USAGE:
        return 1;
    case KS_CLASS_BUG:
        return 0;
    }
    return 0;
}

struct answers {
    ks_rc best;
    size_t share; /* of the text, for each wrap */
    char text[480];
};

static struct answers answers_init(const struct keyring *k)
{
    struct answers a = {KS_SUCCESS, 0, ""};
    size_t active = 0;

    for (size_t i = 0; i < k->wrap_count; i++)
        active += k->wraps[i].state == KEYRING_WRAP_ACTIVE;
    a.share = sizeof a.text / (active ? active : 1);
    return a;
}

/* The text of a key service begins with the key's name. */
static void answers_note(struct answers *a, const struct keyring_wrap *w, ks_rc rc)
{
    size_t used = strlen(a->text), left = sizeof a->text - used;

    snprintf(a->text + used, left < a->share ? left : a->share, "%swrap %u: %s", used ? "; " : "",
             w->id, ks_text(rc));
    if (used == 0 || hope(rc) > hope(a->best))
        a->best = rc;
}

static ks_rc answers_told(const struct answers *a)
{
    if (a->best.code >= KS_CODE_OS)
        return ks_fail_os(a->best.code - KS_CODE_OS, "no wrap opens: %s", a->text);
    return ks_fail((enum ks_code)a->best.code, "no wrap opens: %s", a->text);
}

static ks_rc open_any_wrap(const struct keyring *k, struct key_service *service,
                           struct secret **ret)
{
    struct answers a = answers_init(k);

    for (size_t i = 0; i < k->wrap_count; i++) {
        if (k->wraps[i].state != KEYRING_WRAP_ACTIVE)
            continue;
        ks_rc rc = wrap_open(k, &k->wraps[i], service, ret);
        if (ks_ok(rc))
            return KS_SUCCESS;
        answers_note(&a, &k->wraps[i], rc);
    }
    return answers_told(&a); /* a keyring without an active wrap does not parse */
}

ks_rc hierarchy_probe(const struct keyring *k, struct key_service *service, uint32_t *ret_wrap_id)
{
    struct answers a = answers_init(k);

    for (size_t i = 0; i < k->wrap_count; i++) {
        if (k->wraps[i].state != KEYRING_WRAP_ACTIVE)
            continue;
        ks_rc rc = wrap_probe(k, &k->wraps[i], service);
        if (ks_ok(rc)) {
            *ret_wrap_id = k->wraps[i].id;
            return KS_SUCCESS;
        }
        answers_note(&a, &k->wraps[i], rc);
    }
    return answers_told(&a);
}

/* --- opening -------------------------------------------------------------------------------- */

static ks_rc authenticate(struct keyring_file *file, struct view store_key, bool *ret_fell_back)
{
    CLEANUP(secret_freep) struct secret *mac_key = NULL;

    TRY(keyring_mac_key(store_key, &mac_key));
    return keyring_file_authenticate(file, secret_view(mac_key), ret_fell_back);
}

ks_rc hierarchy_check_newest(const struct keyring *k, uint64_t sequence_min)
{
    ENSURE(
        k->sequence >= sequence_min, KS_E_ROLLED_BACK,
        "its keyring has sequence %llu, but one with %llu was there before: put that one back; or "
        "accept this older one, if a backup was restored on purpose, with a lower --min-sequence",
        (unsigned long long)k->sequence, (unsigned long long)sequence_min);
    return KS_SUCCESS;
}

static ks_rc check_newest(const struct hierarchy *h)
{
    return hierarchy_check_newest(keyring_file_current(h->file), h->sequence_min);
}

static ks_rc open_current(struct hierarchy *h, struct keyset **ret)
{
    CLEANUP(secret_freep) struct secret *store_key = NULL;
    bool fell_back;

    TRY(check_newest(h));
    TRY(open_any_wrap(keyring_file_current(h->file), h->service, &store_key));
    TRY(authenticate(h->file, secret_view(store_key), &fell_back));
    if (fell_back) { /* another keyring: its store key may be another one too */
        TRY(check_newest(h));
        secret_free(TAKE(store_key));
        TRY(open_any_wrap(keyring_file_current(h->file), h->service, &store_key));
        TRY(authenticate(h->file, secret_view(store_key), &fell_back));
    }
    return keyset_open(keyring_file_current(h->file), &store_key, ret);
}

ks_rc hierarchy_open(struct hierarchy *h, struct keyset **ret)
{
    ks_rc rc = open_current(h, ret);

    /* The newest copy is whole but not ours, and its store key told so already: try the other one. */
    if (rc.cls == KS_CLASS_CORRUPT && keyring_file_fall_back(h->file)) {
        rc = open_current(h, ret);
        if (!ks_ok(rc))
            keyring_file_fall_back(h->file);
    }
    TRY(rc);
    /* Opening for reading cannot mend, and a copy that cannot be mended now is mended by the next change;
     * the keyring in use is whole either way. */
    IGNORE(keyring_file_mend(h->file));
    return KS_SUCCESS;
}

/* --- a new volume --------------------------------------------------------------------------- */

static ks_rc check_specs(const struct key_spec *specs, size_t count)
{
    ENSURE(count >= 1, KS_E_USAGE, "a volume needs at least one key");
    ENSURE(count <= KEYRING_ACTIVE_MAX, KS_E_LIMIT, "%zu keys; at most %d can open a volume", count,
           KEYRING_ACTIVE_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            ENSURE(!key_spec_is_same(&specs[i], &specs[j]), KS_E_USAGE,
                   "the key %s %.200s is named twice", specs[i].type, specs[i].uri);
    return KS_SUCCESS;
}

static ks_rc make_name_key(struct keyring *k, struct view store_key, struct random *random)
{
    CLEANUP(secret_freep) struct secret *name_key = NULL;

    TRY(secret_new(NAME_KEY_BYTES, &name_key));
    TRY(random_fill(random, secret_bytes(name_key), NAME_KEY_BYTES));
    return local_key_seal_name(k, store_key, secret_view(name_key), random);
}

ks_rc hierarchy_build(struct keyring *k, const struct key_spec *specs, size_t count,
                      struct key_service *service, struct clock *clock, struct random *random,
                      struct keyset **ret)
{
    CLEANUP(secret_freep) struct secret *store_key = NULL;
    int64_t now_s = clock_wall_s(clock);
    struct keyring_wrap *w;

    TRY(check_specs(specs, count));
    TRY(store_key_make(random, &store_key));
    k->created_s = k->store_key_created_s = now_s;
    k->store_key_id = 1;
    TRY(local_key_commit(k, secret_view(store_key), k->store_commit));
    TRY(data_key_make(k, secret_view(store_key), now_s, random));
    TRY(make_name_key(k, secret_view(store_key), random));
    for (size_t i = 0; i < count; i++)
        TRY(wrap_make(k, &specs[i], store_key, service, now_s, random, &w));
    return keyset_open(k, &store_key, ret);
}
