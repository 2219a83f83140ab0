/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_fake.c - the scripted driver: the contract made runnable, for tests.
 *
 * Owns keys and scripts of this process, by uri. Everything happens under one lock but a hang,
 * which waits on the call's clock. Never part of the product.
 */
#include "kms/drv_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/keywrap.h"

enum { KEYS_MAX = 64, VERSIONS_MAX = 16, STEPS_MAX = 64, KEY_BYTES = 32, ID_BYTES = 16 };

struct fake_key {
    char uri[KEY_URI_BYTES]; /* empty: a free slot */
    uint8_t id[ID_BYTES];
    uint8_t versions[VERSIONS_MAX][KEY_BYTES];
    uint32_t version_count;
    enum fake_step steps[STEPS_MAX];
    size_t step_count, step_at;
    bool is_repeating;
    uint64_t calls;
};

struct fake {
    struct kms base; /* first */
    char uri[KEY_URI_BYTES];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct fake_key keys[KEYS_MAX];

static void unlock(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}

#define LOCKED                                                                                     \
    CLEANUP(unlock) __attribute__((unused)) pthread_mutex_t *locked_ = &mutex;                     \
    pthread_mutex_lock(locked_)

/* The key of uri, made when it is new; NULL when there are too many. */
static struct fake_key *key_of(const char *uri)
{
    for (int i = 0; i < KEYS_MAX; i++) {
        struct fake_key *k = &keys[i];
        if (strcmp(k->uri, uri) == 0)
            return k;
        if (k->uri[0])
            continue;
        snprintf(k->uri, sizeof k->uri, "%s", uri);
        if (!ks_ok(random_fill(random_system(), k->id, sizeof k->id)) ||
            !ks_ok(random_fill(random_system(), k->versions[0], KEY_BYTES)))
            return NULL;
        k->version_count = 1;
        return k;
    }
    return NULL;
}

void fake_script(const char *uri, const enum fake_step *steps, size_t step_count, bool is_repeating)
{
    LOCKED;
    struct fake_key *k = key_of(uri);

    if (!k || step_count > STEPS_MAX)
        return;
    for (size_t i = 0; i < step_count; i++)
        k->steps[i] = steps[i];
    k->step_count = step_count;
    k->step_at = 0;
    k->is_repeating = is_repeating;
}

void fake_rotate(const char *uri)
{
    LOCKED;
    struct fake_key *k = key_of(uri);

    if (k && k->version_count < VERSIONS_MAX &&
        ks_ok(random_fill(random_system(), k->versions[k->version_count], KEY_BYTES)))
        k->version_count++;
}

uint64_t fake_calls(const char *uri)
{
    LOCKED;
    struct fake_key *k = key_of(uri);

    return k ? k->calls : 0;
}

void fake_reset(void)
{
    LOCKED;
    mem_wipe(keys, sizeof keys);
}

static enum fake_step next_step(struct fake_key *k)
{
    if (k->step_at >= k->step_count && !(k->is_repeating && k->step_count))
        return FAKE_GRANT;
    if (k->step_at >= k->step_count)
        return k->steps[k->step_count - 1];
    return k->steps[k->step_at++];
}

static ks_rc hang(const struct kms_call *call)
{
    uint64_t now = clock_boot_ms(call->clock);

    if (call->deadline_ms > now)
        clock_sleep_ms(call->clock, call->deadline_ms - now);
    return ks_fail(KS_E_TIMEOUT, "the fake key service did not answer in time");
}

static ks_rc play(enum fake_step step, const struct kms_call *call)
{
    switch (step) {
    case FAKE_GRANT:
        return KS_SUCCESS;
    case FAKE_DENY:
        return ks_fail(KS_E_DENIED, "access denied");
    case FAKE_DISABLED:
        return ks_fail(KS_E_KEY_DISABLED, "the key is disabled");
    case FAKE_PENDING:
        return ks_fail(KS_E_KEY_PENDING_DELETION, "the key is pending deletion");
    case FAKE_DESTROYED:
        return ks_fail(KS_E_KEY_DESTROYED, "the key is destroyed");
    case FAKE_NOT_FOUND:
        return ks_fail(KS_E_KEY_NOT_FOUND, "there is no such key");
    case FAKE_THROTTLE:
        return ks_fail(KS_E_THROTTLED, "too many requests");
    case FAKE_RESET:
        return ks_fail(KS_E_UNREACHABLE, "connection reset");
    case FAKE_HANG:
        return hang(call);
    case FAKE_GARBAGE:
        return ks_fail(KS_E_BAD_REPLY, "a reply that cannot be understood");
    case FAKE_EXPIRED:
        return ks_fail(KS_E_CREDENTIAL, "the credentials have expired");
    }
    return ks_fail(KS_E_BUG, "a step that does not exist");
}

/* Counts the call and plays the script's next step; a hang must not hold the lock. */
static ks_rc begin(struct kms *kms, const struct kms_call *call)
{
    struct fake *f = (struct fake *)(void *)kms;
    enum fake_step step;

    {
        LOCKED;
        struct fake_key *k = key_of(f->uri);
        ENSURE(k, KS_E_BUG, "more than %d fake keys", KEYS_MAX);
        k->calls++;
        step = next_step(k);
    }
    if (call->deadline_ms && clock_boot_ms(call->clock) >= call->deadline_ms)
        return ks_fail(KS_E_TIMEOUT, "the time for this call is over");
    return play(step, call);
}

static ks_rc fake_open(const struct kms_conf *conf, struct kms **ret)
{
    CLEANUP(mem_freep) struct fake *f = NULL;

    ENSURE(conf->spec->uri[0], KS_E_USAGE, "the key names nothing");
    TRY(mem_new(1, sizeof *f, &f));
    f->base.driver = &kms_driver_fake;
    memcpy(f->uri, conf->spec->uri, sizeof f->uri);
    *ret = &TAKE(f)->base;
    return KS_SUCCESS;
}

/* Ciphertext: key id 16 | version 4 | wrapped plaintext. */
static ks_rc seal(const struct fake_key *k, struct view aad, struct view plain, struct buf *out)
{
    struct wr w = wr_init(out);
    uint8_t *tail;

    wr_bytes(&w, view_of(k->id, sizeof k->id));
    wr_u32(&w, k->version_count);
    TRY(wr_done(&w));
    TRY(buf_extend(out, keywrap_bytes(plain.len), &tail));
    return keywrap_seal(view_of(k->versions[k->version_count - 1], KEY_BYTES), aad, plain,
                        random_system(), tail);
}

static ks_rc fake_wrap(struct kms *kms, const struct kms_call *call,
                       const struct key_context *context, const struct secret *plain,
                       struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX), blob = buf_init(KEY_BLOB_MAX);

    TRY(begin(kms, call));
    TRY(key_context_aad(context, &aad));
    LOCKED;
    struct fake_key *k = key_of(((struct fake *)(void *)kms)->uri);
    TRY(seal(k, buf_view(&aad), secret_view(plain), &blob));
    TRY(buf_append(ret_blob, buf_view(&blob)));
    snprintf(ret_version, KEY_VERSION_BYTES, "%u", k->version_count);
    return KS_SUCCESS;
}

static ks_rc fake_unwrap(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, struct view blob,
                         struct secret **ret_plain)
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);
    struct rd r = rd_init(blob);

    TRY(begin(kms, call));
    TRY(key_context_aad(context, &aad));
    LOCKED;
    struct fake_key *k = key_of(((struct fake *)(void *)kms)->uri);
    struct view id = rd_view(&r, ID_BYTES);
    uint32_t version = rd_u32(&r);
    struct view wrapped = rd_view(&r, rd_left(&r));
    TRY(rd_done(&r));
    ENSURE(view_is_equal(id, view_of(k->id, sizeof k->id)) && version >= 1 &&
               version <= k->version_count,
           KS_E_WRONG_KEY, "the ciphertext is of another key");
    return keywrap_open(view_of(k->versions[version - 1], KEY_BYTES), buf_view(&aad), wrapped,
                        ret_plain);
}

static ks_rc fake_version(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    (void)context;
    TRY(begin(kms, call));
    LOCKED;
    snprintf(ret, KEY_VERSION_BYTES, "%u",
             key_of(((struct fake *)(void *)kms)->uri)->version_count);
    return KS_SUCCESS;
}

static void fake_close(struct kms *kms)
{
    mem_free(kms);
}

const struct kms_driver kms_driver_fake = {
    .type = "FAKE",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_CONTEXT | KMS_CAP_VERSIONS,
    .open = fake_open,
    .wrap = fake_wrap,
    .unwrap = fake_unwrap,
    .version = fake_version,
    .close = fake_close,
};
