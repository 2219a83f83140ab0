/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/board.c - two times in a shared page.
 *
 * A time that has not come yet was not written by us and counts as a failure now: it never lets a grant pass.
 */
#include "kms/board.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "io/shared_page.h"

enum { MAGIC = 0x4b534431, NAME_HASH_BYTES = 16, NAME_BYTES = 64, ID_MAX = 8192 };

struct page {
    _Atomic uint32_t magic; /* with the layout's version */
    uint32_t unused;
    _Atomic uint64_t granted_ms, failed_ms; /* boot time; 0: never */
};

struct board {
    struct clock *clock;
    struct page *page;
};

static ks_rc file_name(const struct key_spec *spec, char ret[NAME_BYTES])
{
    CLEANUP(buf_done) struct buf id = buf_init(ID_MAX), text = buf_init(NAME_BYTES);
    uint8_t hash[HASH_BYTES];

    /* with their terminators, which keep the parts apart */
    TRY(buf_append(&id, view_of(spec->type, strlen(spec->type) + 1)));
    TRY(buf_append(&id, view_of(spec->uri, strlen(spec->uri) + 1)));
    TRY(buf_append(&id, view_text(spec->auth_principal)));
    TRY(hash_sha256(buf_view(&id), hash));
    TRY(hex_write(view_of(hash, NAME_HASH_BYTES), &text));
    snprintf(ret, NAME_BYTES, "probe-%s", buf_text(&text));
    return KS_SUCCESS;
}

ks_rc board_open(const char *dir, const struct key_spec *spec, struct clock *clock,
                 struct board **ret)
{
    CLEANUP(board_closep) struct board *b = NULL;
    char name[NAME_BYTES];
    void *page;

    TRY(mem_new(1, sizeof *b, &b));
    TRY(file_name(spec, name));
    TRY(shared_page_open(dir, name, &page));
    b->page = page;
    b->clock = clock;
    if (atomic_load(&b->page->magic) != MAGIC) {
        atomic_store(&b->page->granted_ms, 0);
        board_failed(b);
        atomic_store(&b->page->magic, MAGIC);
    }
    *ret = TAKE(b);
    return KS_SUCCESS;
}

void board_close(struct board *b)
{
    if (b)
        shared_page_close(b->page);
    mem_free(b);
}

void board_closep(struct board **b)
{
    board_close(*b);
}

/* The later of what is there and what is told; what is there counts only if it has come. */
static void move_on(struct board *b, _Atomic uint64_t *at, uint64_t to_ms)
{
    uint64_t there = atomic_load(at);

    while (there < to_ms || there > clock_boot_ms(b->clock))
        if (atomic_compare_exchange_weak(at, &there, to_ms))
            return;
}

void board_granted(struct board *b, uint64_t began_ms)
{
    if (atomic_load(&b->page->failed_ms) > clock_boot_ms(b->clock))
        board_failed(b);
    move_on(b, &b->page->granted_ms, began_ms);
}

void board_failed(struct board *b)
{
    move_on(b, &b->page->failed_ms, clock_boot_ms(b->clock));
}

bool board_grant_since(struct board *b, uint64_t oldest_ms, uint64_t *ret_began_ms)
{
    uint64_t granted = atomic_load(&b->page->granted_ms);
    uint64_t failed = atomic_load(&b->page->failed_ms);

    if (granted < oldest_ms || granted <= failed || granted > clock_boot_ms(b->clock))
        return false;
    *ret_began_ms = granted;
    return true;
}
