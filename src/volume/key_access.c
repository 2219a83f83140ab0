/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/key_access.c - a cache of key service clients behind struct key_service.
 *
 * Invariant: a client is closed only when no call uses it. A client whose credentials were no good is
 * not used again: the next call opens a new one, which finds credentials that were mended meanwhile.
 */
#include "volume/key_access.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

struct entry {
    struct entry *next;
    struct key_spec spec;
    struct kms_client *client;
    unsigned users;
    bool is_spent; /* to be closed with its last user */
};

struct key_access {
    struct key_service service; /* first */
    struct kms_options options;
    pthread_mutex_t mutex; /* guards the list, never held during a call */
    struct entry *entries;
};

static void entry_free(struct entry *e)
{
    kms_client_close(e->client);
    mem_free(e);
}

static bool is_for(const struct entry *e, const struct key_spec *spec)
{
    return !e->is_spent && key_spec_is_same(&e->spec, spec) &&
           strcmp(e->spec.auth_principal, spec->auth_principal) == 0;
}

static struct entry *find_locked(struct key_access *a, const struct key_spec *spec)
{
    struct entry *e = a->entries;

    while (e && !is_for(e, spec))
        e = e->next;
    return e;
}

/* Opened under the mutex, so that two first calls do not ask a person for the same passphrase; drivers
 * ask their service nothing when they are opened. */
static ks_rc open_locked(struct key_access *a, const struct key_spec *spec, struct entry **ret)
{
    CLEANUP(mem_freep) struct entry *e = NULL;

    TRY(mem_new(1, sizeof *e, &e));
    e->spec = *spec;
    TRY(kms_client_open(spec, &a->options, &e->client));
    e->next = a->entries;
    a->entries = e;
    *ret = TAKE(e);
    return KS_SUCCESS;
}

static ks_rc entry_get(struct key_access *a, const struct key_spec *spec, struct entry **ret)
{
    ks_rc rc = KS_SUCCESS;
    struct entry *e;

    pthread_mutex_lock(&a->mutex);
    e = find_locked(a, spec);
    if (!e)
        rc = open_locked(a, spec, &e);
    if (ks_ok(rc)) {
        e->users++;
        *ret = e;
    }
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

/*
 * Whether a client that told rc must not be used again. One that was opened with a passphrase (no
 * principal) is kept through an outage: nobody may be there to be asked once more. So is one of a service in the
 * network: it knows how long the outage has lasted, and renews its credentials itself.
 */
static bool is_spent_by(const struct entry *e, ks_rc rc)
{
    if (ks_is(rc, KS_E_CREDENTIAL))
        return true;
    return rc.cls == KS_CLASS_UNREACHABLE && !kms_client_is_remote(e->client) &&
           e->spec.auth_principal[0];
}

static void unlink_locked(struct key_access *a, struct entry *gone)
{
    struct entry **at = &a->entries;

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
}

static void entry_put(struct key_access *a, struct entry *e, ks_rc rc)
{
    bool is_last;

    pthread_mutex_lock(&a->mutex);
    e->is_spent = e->is_spent || is_spent_by(e, rc);
    is_last = --e->users == 0 && e->is_spent;
    if (is_last)
        unlink_locked(a, e);
    pthread_mutex_unlock(&a->mutex);
    if (is_last)
        entry_free(e);
}

static struct key_access *of(struct key_service *service)
{
    return (struct key_access *)(void *)service;
}

static ks_rc access_wrap(struct key_service *service, const struct key_spec *spec,
                         const struct key_context *context, const struct secret *plain,
                         struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    struct entry *e;

    TRY(entry_get(of(service), spec, &e));
    ks_rc rc = kms_client_wrap(e->client, context, plain, ret_blob, ret_version);
    entry_put(of(service), e, rc);
    return rc;
}

static ks_rc access_unwrap(struct key_service *service, const struct key_spec *spec,
                           const struct key_context *context, struct view blob,
                           struct secret **ret_plain)
{
    struct entry *e;

    TRY(entry_get(of(service), spec, &e));
    ks_rc rc = kms_client_unwrap(e->client, context, blob, ret_plain);
    entry_put(of(service), e, rc);
    return rc;
}

static ks_rc access_version(struct key_service *service, const struct key_spec *spec,
                            const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    struct entry *e;

    TRY(entry_get(of(service), spec, &e));
    ks_rc rc = kms_client_version(e->client, context, ret);
    entry_put(of(service), e, rc);
    return rc;
}

ks_rc key_access_new(const struct kms_options *options, struct key_access **ret)
{
    struct key_access *a;

    TRY(mem_new(1, sizeof *a, &a));
    a->service = (struct key_service){access_wrap, access_unwrap, access_version};
    a->options = *options;
    pthread_mutex_init(&a->mutex, NULL);
    *ret = a;
    return KS_SUCCESS;
}

void key_access_free(struct key_access *a)
{
    if (!a)
        return;
    for (struct entry *e = a->entries, *next; e; e = next) {
        next = e->next;
        entry_free(e);
    }
    pthread_mutex_destroy(&a->mutex);
    mem_free(a);
}

void key_access_each(struct key_access *a,
                     void (*each)(void *arg, const struct key_spec *spec,
                                  const struct kms_report *report),
                     void *arg)
{
    struct kms_report report;

    pthread_mutex_lock(&a->mutex);
    for (const struct entry *e = a->entries; e; e = e->next) {
        kms_client_report(e->client, &report);
        each(arg, &e->spec, &report);
    }
    pthread_mutex_unlock(&a->mutex);
}

struct key_service *key_access_service(struct key_access *a)
{
    return &a->service;
}
