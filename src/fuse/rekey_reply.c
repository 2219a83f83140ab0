/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/rekey_reply.c - how a re-encryption ended, as JSON.
 */
#include "fuse/rekey_reply.h"

enum { KEPT_LISTED_MAX = 100 }; /* a reply is one line of at most 64 KiB */

const char *rekey_phase(enum reencrypt_phase phase)
{
    switch (phase) {
    case REENCRYPT_COUNTING:
        return "counting";
    case REENCRYPT_REWRITING:
        return "rewriting";
    case REENCRYPT_CHECKING:
        return "checking";
    }
    return "?";
}

static const char *fate_name(enum reencrypt_fate fate)
{
    switch (fate) {
    case FATE_UNKNOWN:
        return "UNFINISHED";
    case FATE_DESTROYED:
        return "DESTROYED";
    case FATE_HAS_BLOCKS:
        return "HAS_BLOCKS";
    case FATE_DAMAGE:
        return "DAMAGE";
    case FATE_MISSED:
        return "MISSED";
    case FATE_REFUSED:
        return "REFUSED";
    }
    return "?";
}

static json_t *kept_one(const struct reencrypt_result *r, const struct reencrypt_generation *g)
{
    return json_pack("{s:I, s:I, s:s, s:s}", "generation", (json_int_t)g->generation, "blocks",
                     (json_int_t)g->blocks, "reason", fate_name(g->fate), "because",
                     reencrypt_because(r, g));
}

json_t *rekey_reply(const struct reencrypt_result *r)
{
    json_t *destroyed = json_array(), *kept = json_array();
    uint64_t swept = r->swept.blocks_damaged, counted = r->blocks_damaged;

    for (size_t n = 0; n < r->count; n++) {
        const struct reencrypt_generation *g = &r->generations[n];
        if (g->fate == FATE_DESTROYED)
            json_array_append_new(destroyed, json_integer((json_int_t)g->generation));
        else if (json_array_size(kept) < KEPT_LISTED_MAX)
            json_array_append_new(kept, kept_one(r, g));
    }
    return json_pack("{s:I, s:I, s:o, s:o}", "bytes_rewritten",
                     (json_int_t)r->swept.bytes_rewritten, "blocks_damaged",
                     (json_int_t)(swept > counted ? swept : counted), /* the same ones, mostly */
                     "destroyed", destroyed, "kept", kept);
}
