/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/authority.c - making, reading and using the authority's key.
 */
#include "control/authority.h"

#include <string.h>

#include "base/mem.h"
#include "control/state_dir.h"
#include "crypto/certificate.h"
#include "io/atomic_file.h"

enum { KEY_PEM_MAX = 4096, DAY_S = 86400 };

static const char CERTIFICATE_FILE[] = "authority.pem", KEY_FILE[] = "authority.key";

struct authority {
    struct clock *clock;
    struct random *random;
    struct key_pair *key;
    struct buf pem;
    struct certificate_facts facts;
};

static ks_rc check_absent(struct io_node *dir)
{
    CLEANUP(buf_done) struct buf old = buf_init(CERTIFICATE_PEM_MAX);
    ks_rc rc = atomic_file_read(io_posix(), dir, CERTIFICATE_FILE, CERTIFICATE_PEM_MAX, &old);

    ENSURE(!ks_ok(rc), KS_E_EXISTS, "there is a certificate authority already");
    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

/* The key first: a certificate without key would be one that signs nothing. */
static ks_rc write_files(struct io_node *dir, struct view pem, struct view key)
{
    TRY(atomic_file_write(io_posix(), dir, KEY_FILE, 0600, key));
    return atomic_file_write(io_posix(), dir, CERTIFICATE_FILE, 0644, pem);
}

ks_rc authority_make(const char *dir, struct clock *clock, struct random *random)
{
    CLEANUP(state_dir_close) struct io_node *node = NULL;
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    CLEANUP(buf_done) struct buf pem = buf_init(CERTIFICATE_PEM_MAX);
    CLEANUP(buf_done) struct buf key_pem = buf_init_wiping(KEY_PEM_MAX);

    TRY(state_dir_open(dir, &node));
    TRY(check_absent(node));
    TRY(key_pair_new(&key));
    TRY(key_pair_write(key, &key_pem));
    TRY(certificate_authority_make(key, "Keystead fleet authority", clock_wall_s(clock),
                                   (int64_t)AUTHORITY_DAYS * DAY_S, random, &pem));
    return write_files(node, buf_view(&pem), buf_view(&key_pem));
}

static ks_rc read_file(struct io_node *dir, const char *name, struct buf *ret)
{
    ks_rc rc = atomic_file_read(io_posix(), dir, name, ret->max_bytes, ret);

    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_NOT_FOUND, "there is no %s", name);
    return ks_wrap(rc, "%s", name);
}

/* A key that is not the certificate's would sign what no node takes; one signature tells. */
static ks_rc check_pair(const struct authority *a)
{
    CLEANUP(buf_done) struct buf signature = buf_init(KEY_PEM_MAX);
    struct view data = view_text(a->facts.fingerprint);

    TRY(key_pair_sign(a->key, data, &signature));
    return ks_wrap(certificate_verify(buf_view(&a->pem), data, buf_view(&signature)),
                   "authority.key is not the key of authority.pem");
}

static ks_rc fill(struct authority *a, const char *dir)
{
    CLEANUP(state_dir_close) struct io_node *node = NULL;
    CLEANUP(buf_done) struct buf key_pem = buf_init_wiping(KEY_PEM_MAX);

    TRY(state_dir_open(dir, &node));
    TRY(read_file(node, CERTIFICATE_FILE, &a->pem));
    TRY(read_file(node, KEY_FILE, &key_pem));
    TRY(ks_wrap(certificate_read(buf_view(&a->pem), &a->facts), "authority.pem"));
    TRY(ks_wrap(key_pair_read(buf_view(&key_pem), &a->key), "authority.key"));
    return check_pair(a);
}

ks_rc authority_open(const char *dir, struct clock *clock, struct random *random,
                     struct authority **ret)
{
    struct authority *a;

    TRY(mem_new(1, sizeof *a, &a));
    a->clock = clock;
    a->random = random;
    a->pem = buf_init(CERTIFICATE_PEM_MAX);
    ks_rc rc = ks_wrap(fill(a, dir), "state directory %.200s", dir);
    if (!ks_ok(rc)) {
        authority_free(a);
        return rc;
    }
    *ret = a;
    return KS_SUCCESS;
}

void authority_free(struct authority *a)
{
    if (!a)
        return;
    key_pair_free(a->key);
    buf_done(&a->pem);
    mem_free(a);
}

const char *authority_pem(const struct authority *a)
{
    return buf_text(&a->pem);
}

const char *authority_fingerprint(const struct authority *a)
{
    return a->facts.fingerprint;
}

/* Nothing it signs outlives it. */
static int64_t lifetime(const struct authority *a, int64_t now, int64_t days)
{
    int64_t left = a->facts.not_after - now, wanted = days * DAY_S;

    return wanted < left ? wanted : left;
}

static ks_rc issue(const struct authority *a, struct certificate_order *order, int64_t days,
                   struct view request, struct buf *ret)
{
    order->now = clock_wall_s(a->clock);
    order->seconds = lifetime(a, order->now, days);
    ENSURE(order->seconds > 0, KS_E_STATE, "the certificate of the fleet's authority has expired");
    return certificate_issue(a->key, buf_view(&a->pem), request, order, a->random, ret);
}

ks_rc authority_sign_node(const struct authority *a, const char *request_pem, const char *node,
                          struct buf *ret)
{
    struct certificate_order order = {.use = CERTIFICATE_CLIENT, .name = node};
    ks_rc rc = issue(a, &order, NODE_CERTIFICATE_DAYS, view_text(request_pem), ret);

    if (ks_is(rc, KS_E_FORMAT))
        return ks_fail(KS_E_USAGE, "the certificate request: %s", ks_text(rc));
    return rc;
}

ks_rc authority_make_server(const struct authority *a, const char *names, int64_t days,
                            struct buf *ret_cert, struct buf *ret_key)
{
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    CLEANUP(buf_done) struct buf request = buf_init(CERTIFICATE_PEM_MAX);
    struct certificate_order order = {
        .use = CERTIFICATE_SERVER, .name = "keystead serve", .alternates = names};

    TRY(key_pair_new(&key));
    TRY(certificate_request_make(key, order.name, &request));
    TRY(issue(a, &order, days, buf_view(&request), ret_cert));
    return key_pair_write(key, ret_key);
}
