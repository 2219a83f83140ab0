/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/budget.c - a token bucket in one number.
 *
 * The number is the time at which the bucket would be full again if nothing more were taken (the "theoretical arrival
 * time" of the generic cell rate algorithm). Taking moves it on by one interval. A time further ahead than
 * an empty bucket needs was not written by us: the bucket is taken as full.
 */
#include "kms/budget.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "io/shared_page.h"

enum { MAGIC = 0x4b534231, NAME_HASH_BYTES = 12, NAME_BYTES = 64 };

struct page {
    _Atomic uint32_t magic; /* with the layout's version */
    uint32_t unused;
    _Atomic uint64_t full_us; /* boot time */
};

struct budget {
    struct clock *clock;
    uint64_t interval_us, burst_us;
    struct page *shared; /* NULL: own is used */
    struct page own;
    char why[256];
};

/* Scopes hold characters that file names should not. */
static ks_rc file_name(const char *scope, char ret[NAME_BYTES])
{
    CLEANUP(buf_done) struct buf text = buf_init(NAME_BYTES);
    uint8_t hash[HASH_BYTES];

    TRY(hash_sha256(view_text(scope), hash));
    TRY(hex_write(view_of(hash, NAME_HASH_BYTES), &text));
    snprintf(ret, NAME_BYTES, "budget-%s", buf_text(&text));
    return KS_SUCCESS;
}

static ks_rc share(struct budget *b, const struct budget_conf *conf)
{
    char name[NAME_BYTES];
    void *page;

    ENSURE(conf->dir, KS_E_USAGE, "there is no runtime directory");
    TRY(file_name(conf->scope, name));
    TRY(shared_page_open(conf->dir, name, &page));
    b->shared = page;
    if (atomic_exchange(&b->shared->magic, MAGIC) != MAGIC)
        atomic_store(&b->shared->full_us, 0);
    return KS_SUCCESS;
}

ks_rc budget_open(const struct budget_conf *conf, struct budget **ret)
{
    struct budget *b;

    ENSURE(conf->per_s && conf->burst, KS_E_BUG, "a budget without requests");
    TRY(mem_new(1, sizeof *b, &b));
    b->clock = conf->clock;
    b->interval_us = 1000000 / conf->per_s ? 1000000 / conf->per_s : 1;
    b->burst_us = b->interval_us * conf->burst;
    ks_rc rc = share(b, conf);
    if (!ks_ok(rc))
        snprintf(b->why, sizeof b->why, "%s", ks_text(rc));
    *ret = b;
    return KS_SUCCESS;
}

void budget_close(struct budget *b)
{
    if (!b)
        return;
    shared_page_close(b->shared);
    mem_free(b);
}

bool budget_take(struct budget *b, uint64_t wait_ms_max, uint64_t *ret_wait_ms)
{
    struct page *page = b->shared ? b->shared : &b->own;
    uint64_t wait_ms_bound = wait_ms_max < BUDGET_WAIT_MS_MAX ? wait_ms_max : BUDGET_WAIT_MS_MAX;
    uint64_t full = atomic_load(&page->full_us), next, wait_ms;

    do {
        uint64_t now = clock_boot_ms(b->clock) * 1000, burst_end = now + b->burst_us;
        bool is_ours = full <= burst_end + BUDGET_WAIT_MS_MAX * UINT64_C(1000);
        next = (is_ours && full > now ? full : now) + b->interval_us;
        wait_ms = next > burst_end ? (next - burst_end + 999) / 1000 : 0;
        if (wait_ms > wait_ms_bound)
            return false;
    } while (!atomic_compare_exchange_weak(&page->full_us, &full, next));
    *ret_wait_ms = wait_ms;
    return true;
}

const char *budget_why(const struct budget *b)
{
    return b->why;
}
