/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/realm.c - opening and closing a state directory with all parts of the service.
 */
#include "localkms/realm.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "io/parent.h"
#include "localkms/admin.h"
#include "localkms/audit.h"
#include "localkms/aws_keys.h"
#include "localkms/dial.h"
#include "localkms/gcp_call.h"
#include "localkms/iam.h"

enum { EVENT_BYTES_MAX = 1 << 20 };

ks_rc realm_make_directory(const char *dir)
{
    return ks_wrap(parent_make_dir(io_posix(), dir, 0700), "state directory %.200s", dir);
}

ks_rc realm_create(const struct realm_conf *conf)
{
    struct random *random = conf->random ? conf->random : random_system();

    return ks_wrap(lk_store_create(conf->dir, conf->root, random), "state directory %.200s",
                   conf->dir);
}

/* ---- the parts, in the order of opening ---- */

struct part {
    ks_rc (*open)(struct realm *r, const struct realm_conf *conf);
    void (*close)(struct realm *r);
};

static ks_rc open_directory(struct realm *r, const struct realm_conf *conf)
{
    return ks_wrap(r->io->ops->open_root(r->io, conf->dir, &r->dir), "state directory %.200s",
                   conf->dir);
}

static void close_directory(struct realm *r)
{
    if (r->dir)
        r->io->ops->node_close(r->io, r->dir);
}

static ks_rc open_store(struct realm *r, const struct realm_conf *conf)
{
    return lk_store_open(conf->dir, conf->root, r->random, &r->store);
}

static void close_store(struct realm *r)
{
    lk_store_close(r->store);
}

static ks_rc open_audit(struct realm *r, const struct realm_conf *conf)
{
    (void)conf;
    return lk_audit_open(&(struct lk_audit_conf){.io = r->io, .dir = r->dir}, &r->audit);
}

static void close_audit(struct realm *r)
{
    lk_audit_close(r->audit);
}

static ks_rc open_admin(struct realm *r, const struct realm_conf *conf)
{
    (void)conf;
    return admin_open(r, &r->admin_token);
}

static void close_admin(struct realm *r)
{
    secret_free(r->admin_token);
}

static ks_rc open_dial(struct realm *r, const struct realm_conf *conf)
{
    return dial_open(r, conf->is_dial_on, &r->dial);
}

static void close_dial(struct realm *r)
{
    dial_close(r->dial);
}

static ks_rc open_iam(struct realm *r, const struct realm_conf *conf)
{
    (void)conf;
    return iam_open(r, &r->iam);
}

static void close_iam(struct realm *r)
{
    iam_close(r->iam);
}

static ks_rc open_aws_keys(struct realm *r, const struct realm_conf *conf)
{
    (void)conf;
    return aws_keys_open(r, &r->aws_keys);
}

static void close_aws_keys(struct realm *r)
{
    aws_keys_close(r->aws_keys);
}

static ks_rc open_google(struct realm *r, const struct realm_conf *conf)
{
    (void)conf;
    TRY(goog_open(r));
    return goog_settle(r);
}

static const struct part parts[] = {
    {open_directory, close_directory}, {open_store, close_store}, {open_audit, close_audit},
    {open_admin, close_admin},         {open_dial, close_dial},   {open_iam, close_iam},
    {open_aws_keys, close_aws_keys},   {open_google, goog_close},
};
enum { PART_COUNT = sizeof parts / sizeof *parts };

ks_rc realm_open(const struct realm_conf *conf, struct realm **ret)
{
    struct realm *r;

    TRY(mem_new(1, sizeof *r, &r));
    r->clock = conf->clock ? conf->clock : clock_system();
    r->random = conf->random ? conf->random : random_system();
    r->io = io_posix();
    pthread_mutex_init(&r->turn, NULL);
    pthread_rwlock_init(&r->model, NULL);
    for (size_t i = 0; i < PART_COUNT; i++) {
        ks_rc rc = parts[i].open(r, conf);
        if (!ks_ok(rc)) {
            realm_close(r);
            return rc;
        }
    }
    *ret = r;
    return KS_SUCCESS;
}

void realm_close(struct realm *r)
{
    if (!r)
        return;
    for (size_t i = PART_COUNT; i > 0; i--)
        parts[i - 1].close(r);
    pthread_rwlock_destroy(&r->model);
    pthread_mutex_destroy(&r->turn);
    mem_free(r);
}

void realm_closep(struct realm **r)
{
    realm_close(*r);
    *r = NULL;
}

/* ---- what the parts share ---- */

ks_rc realm_commit(struct realm *r, const struct lk_change *changes, size_t count,
                   const struct lk_event *event)
{
    CLEANUP(buf_done) struct buf text = buf_init(EVENT_BYTES_MAX);

    TRY(lk_event_write(event, realm_now_s(r), &text));
    return lk_store_commit(r->store, changes, count, buf_view(&text));
}

int64_t realm_now_s(struct realm *r)
{
    int64_t skew_ms = r->dial ? dial_skew_ms(r->dial) : 0;

    return clock_wall_s(r->clock) + skew_ms / 1000;
}

uint64_t realm_now_ms(struct realm *r)
{
    return clock_boot_ms(r->clock);
}

ks_rc realm_make_id(struct realm *r, char out[REALM_ID_BYTES])
{
    uint8_t b[16];

    TRY(random_fill(r->random, b, sizeof b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, REALM_ID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    return KS_SUCCESS;
}
