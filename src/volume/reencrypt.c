/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/reencrypt.c - re-encryption as a whole.
 *
 * Invariant: of what was counted, swept and judged, only generations that were older ones before the first step
 * are destroyed. Writes that began before then have ended when the sweep looks at the first file, so nothing
 * adds a block to such a generation any more; and when one is destroyed everybody has ended who can have seen such a block.
 */
#include "volume/reencrypt.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "volume/block.h"
#include "volume/eras.h"
#include "volume/volume_int.h"

struct job {
    const struct reencrypt_conf *conf;
    struct reencrypt_result *r;
    struct reencrypt_progress progress;
    struct keyring *keyring; /* as it was at the beginning */
    uint64_t sweep_began_ms;
};

void reencrypt_done(struct reencrypt_result *r)
{
    mem_freep(&r->generations);
    r->count = 0;
}

/* --- progress --- */

static bool tell(void *arg)
{
    struct job *j = arg;

    return !j->conf->progress || j->conf->progress(j->conf->arg, &j->progress);
}

static bool on_count(void *arg, uint64_t bytes_seen)
{
    (void)bytes_seen;
    return tell(arg);
}

static bool on_round(void *arg, const struct rekey_progress *p)
{
    struct job *j = arg;
    uint64_t spent_ms = clock_boot_ms(j->conf->clock) - j->sweep_began_ms;
    uint64_t done = p->bytes_rewritten, total = j->progress.bytes_total;

    j->progress.bytes_rewritten = done;
    j->progress.rate = spent_ms ? done * 1000 / spent_ms : 0;
    j->progress.eta_s = -1;
    if (done >= total)
        j->progress.eta_s = 0;
    else if (j->progress.rate > 0)
        j->progress.eta_s = (int64_t)((total - done) / j->progress.rate);
    return tell(j);
}

/* --- the steps --- */

static ks_rc count(struct job *j, enum reencrypt_phase phase, struct survey *ret)
{
    struct survey_conf conf = {
        .io = j->conf->io,
        .tree = backing_tree(j->conf->backing),
        .long_names = backing_long(j->conf->backing),
        .block_payload = j->keyring->block_payload,
        .progress = on_count,
        .arg = j,
    };

    memcpy(conf.volume_id, j->keyring->volume_id, sizeof conf.volume_id);
    j->progress.phase = phase;
    ENSURE(tell(j), KS_E_BUSY, "interrupted");
    return survey_run(&conf, ret);
}

static uint64_t bytes_of(const struct survey *s, uint32_t generation)
{
    for (size_t n = 0; n < s->generation_count; n++)
        if (s->generations[n].generation == generation)
            return s->generations[n].bytes;
    return 0;
}

static ks_rc count_total(struct job *j)
{
    CLEANUP(survey_done) struct survey s = {0};

    TRY(count(j, REENCRYPT_COUNTING, &s));
    for (size_t n = 0; n < j->r->count; n++)
        j->progress.bytes_total += bytes_of(&s, j->r->generations[n].generation);
    return KS_SUCCESS;
}

static ks_rc sweep(struct job *j)
{
    struct rekey_conf conf = {
        .volume = j->conf->volume,
        .clock = j->conf->clock,
        .bytes_per_s = j->conf->bytes_per_s,
        .is_polite = j->conf->is_polite,
        .latency_ms_max = j->conf->latency_ms_max,
        .progress = on_round,
        .arg = j,
    };

    j->progress.phase = REENCRYPT_REWRITING;
    j->sweep_began_ms = clock_boot_ms(j->conf->clock);
    return rekey_run(&conf, &j->r->swept);
}

/* Whoever holds an old page in hand still needs its key. */
static ks_rc let_readers_end(struct job *j)
{
    j->progress.phase = REENCRYPT_CHECKING;
    return era_pass(j->conf->volume, tell, j);
}

/* Counting takes no locks: a page that is just being written may look damaged, but not twice. */
static ks_rc count_again(struct job *j, struct survey *ret)
{
    TRY(count(j, REENCRYPT_CHECKING, ret));
    if (survey_is_sound(ret))
        return KS_SUCCESS;
    survey_done(ret);
    return count(j, REENCRYPT_CHECKING, ret);
}

static enum reencrypt_fate judge(const struct reencrypt_result *r, uint64_t blocks)
{
    if (blocks > 0)
        return FATE_HAS_BLOCKS;
    if (r->swept.missed > 0)
        return FATE_MISSED;
    if (r->swept.blocks_damaged > 0 || r->files_damaged > 0 || r->blocks_damaged > 0 ||
        r->names_damaged > 0)
        return FATE_DAMAGE;
    return FATE_DESTROYED;
}

/* Blocks that name a generation which there never was, or no longer is: they may need any key. Asked when all was counted, so that no
 * rotation meanwhile is taken for one. */
static ks_rc count_unknown(struct volume *v, const struct survey *s, uint64_t *ret)
{
    uint64_t blocks = 0;

    VOLUME_OPERATION(v, NEED_OPEN);
    for (size_t n = 0; n < s->generation_count; n++)
        if (keyset_data_key(v->keys, s->generations[n].generation).len == 0)
            blocks += s->generations[n].blocks;
    *ret = blocks;
    return KS_SUCCESS;
}

static ks_rc check(struct job *j)
{
    CLEANUP(survey_done) struct survey s = {0};
    struct reencrypt_result *r = j->r;
    uint64_t unknown;

    TRY(count_again(j, &s));
    TRY(count_unknown(j->conf->volume, &s, &unknown));
    r->files_damaged = s.files_damaged;
    r->blocks_damaged = s.blocks_damaged + unknown;
    r->blocks_unfinished = s.blocks_unfinished;
    r->names_damaged = s.names_damaged;
    for (size_t n = 0; n < r->count; n++) {
        struct reencrypt_generation *g = &r->generations[n];
        g->blocks = bytes_of(&s, g->generation) / BLOCK_BYTES;
        g->fate = judge(r, g->blocks);
    }
    return KS_SUCCESS;
}

/* --- destroying --- */

static void set_fate(struct reencrypt_result *r, enum reencrypt_fate from, enum reencrypt_fate to)
{
    for (size_t n = 0; n < r->count; n++)
        if (r->generations[n].fate == from)
            r->generations[n].fate = to;
}

static ks_rc destroy(struct job *j, const uint32_t *generations, size_t count)
{
    CLEANUP(keyset_freep) struct keyset *newer = NULL;
    const struct keyset *keys = volume_keys(j->conf->volume);

    ENSURE(keys, KS_E_LOCKED, "the volume is locked");
    for (size_t n = 0; n < count; n++)
        ENSURE(generations[n] < keyset_newest(keys), KS_E_STATE,
               "data key %u is what is written with now: it is not destroyed", generations[n]);
    TRY(backing_destroy_data_keys(j->conf->backing, keys, generations, count, &newer));
    TRY(volume_set_keys(j->conf->volume, &newer));
    return backing_settle(j->conf->backing);
}

static ks_rc begin_change(const struct reencrypt_conf *conf)
{
    return conf->change_begin ? conf->change_begin(conf->arg) : KS_SUCCESS;
}

static void end_change(const struct reencrypt_conf *conf)
{
    if (conf->change_end)
        conf->change_end(conf->arg);
}

static ks_rc destroy_unneeded(struct job *j)
{
    CLEANUP(mem_freep) uint32_t *generations = NULL;
    struct reencrypt_result *r = j->r;
    size_t count = 0;

    TRY(mem_new(r->count, sizeof *generations, &generations));
    for (size_t n = 0; n < r->count; n++)
        if (r->generations[n].fate == FATE_DESTROYED)
            generations[count++] = r->generations[n].generation;
    if (count == 0)
        return KS_SUCCESS;
    ks_rc rc = begin_change(j->conf);
    if (!ks_ok(rc)) {
        snprintf(r->refusal, sizeof r->refusal, "%s", ks_text(rc));
        set_fate(r, FATE_DESTROYED, FATE_REFUSED);
        return KS_SUCCESS;
    }
    rc = destroy(j, generations, count);
    end_change(j->conf);
    if (!ks_ok(rc))
        set_fate(r, FATE_DESTROYED, FATE_UNKNOWN);
    return rc;
}

/* --- all of it --- */

static ks_rc find_older(struct job *j)
{
    const struct keyring *k = j->keyring;
    struct reencrypt_result *r = j->r;

    TRY(mem_new(k->data_key_count, sizeof *r->generations, &r->generations));
    for (size_t i = 0; i < k->data_key_count; i++)
        if (k->data_keys[i].state == DATA_KEY_OLDER)
            r->generations[r->count++].generation = k->data_keys[i].generation;
    return KS_SUCCESS;
}

static ks_rc run(struct job *j)
{
    TRY(find_older(j));
    if (j->r->count == 0) /* what an earlier one destroyed may still be in a copy of the keyring */
        return backing_settle(j->conf->backing);
    TRY(count_total(j));
    TRY(sweep(j));
    TRY(let_readers_end(j));
    TRY(check(j));
    return destroy_unneeded(j);
}

/* Not in the middle of a rotation, when the keyring is a generation ahead of what writers use. */
static ks_rc read_keyring(const struct reencrypt_conf *conf, struct keyring **ret)
{
    TRY(begin_change(conf));
    ks_rc rc = backing_keyring(conf->backing, ret);
    end_change(conf);
    return rc;
}

ks_rc reencrypt_run(const struct reencrypt_conf *conf, struct reencrypt_result *ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct job j = {.conf = conf, .r = ret, .progress.eta_s = -1};

    *ret = (struct reencrypt_result){0};
    TRY(read_keyring(conf, &k));
    j.keyring = k;
    return run(&j);
}

const char *reencrypt_because(const struct reencrypt_result *r,
                              const struct reencrypt_generation *g)
{
    switch (g->fate) {
    case FATE_UNKNOWN:
        return "the sweep did not come to its end";
    case FATE_DESTROYED:
        return "no block of the volume needs it";
    case FATE_HAS_BLOCKS:
        if (r->blocks_unfinished > 0)
            return "blocks of files that were never made durable, or have lost their beginning, "
                   "may still name it; keystead volume verify lists them";
        return "blocks that cannot be re-encrypted still name it; keystead volume verify lists "
               "what is "
               "damaged";
    case FATE_DAMAGE:
        return "something in the volume is damaged and may need it; keystead volume verify lists "
               "it";
    case FATE_MISSED:
        return "something moved while memory or the disk failed; re-encrypt again";
    case FATE_REFUSED:
        return r->refusal;
    }
    return "?";
}
