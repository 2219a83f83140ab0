/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/deleted.c - ages of deleted volumes.
 *
 * deleted.json: {"boot": which, "at_ms": when, "ages_ms": {NAME: age at that time}}. It is written when a directory comes or goes, and
 * every few minutes; in between ages follow from the time that has passed since. A crash costs minutes of age.
 */
#include "node/deleted.h"

#include <string.h>

#include "base/json.h"
#include "io/program.h"

enum { WRITE_MS = 10 * 60 * 1000 };

static const char NAME[] = "deleted.json";

/* What was written last, and what becomes of it. */
struct ledger {
    const struct deleted_conf *conf;
    json_t *document, *ages; /* ages: borrowed; NULL: none */
    uint64_t passed_ms;      /* since it was written */
    json_t *next;            /* ages */
    unsigned removed, fresh;
};

static void ledger_done(struct ledger *l)
{
    json_decref(l->document);
    json_decref(l->next);
}

static ks_rc read_document(struct ledger *l)
{
    CLEANUP(buf_done) struct buf text = buf_init(NODE_JSON_MAX);
    ks_rc rc = node_dir_read(l->conf->dir, NAME, &text);

    if (ks_is(rc, KS_E_NOT_FOUND))
        return KS_SUCCESS;
    TRY(rc);
    /* damage makes all of them new */
    IGNORE(json_read(buf_view(&text), (struct json_limits){NODE_JSON_MAX, 4}, NAME, &l->document));
    return KS_SUCCESS;
}

static ks_rc ledger_read(struct ledger *l)
{
    const char *boot = "";
    int64_t at_ms = INT64_MAX;

    TRY(read_document(l));
    /* members that are not there or malformed: nothing is known, as with damage */
    IGNORE(json_may_object(l->document, "ages_ms", &l->ages));
    IGNORE(json_may_text(l->document, "boot", PROGRAM_BOOT_BYTES, &boot));
    IGNORE(json_may_int(l->document, "at_ms", 0, INT64_MAX, &at_ms));
    bool is_same_boot = boot[0] && strcmp(boot, l->conf->boot) == 0;
    if (is_same_boot && (uint64_t)at_ms <= l->conf->now_ms)
        l->passed_ms = l->conf->now_ms - (uint64_t)at_ms;
    l->next = json_object();
    ENSURE(l->next, KS_E_NO_MEMORY, "no memory for %s", NAME);
    return KS_SUCCESS;
}

static ks_rc look_at(void *arg, const char *name)
{
    struct ledger *l = arg;

    if (!strchr(name, '.')) /* not from us */
        return KS_SUCCESS;
    const json_t *known = json_object_get(l->ages, name);
    json_int_t before_ms = json_integer_value(known);
    uint64_t age_ms = known && before_ms >= 0 ? (uint64_t)before_ms + l->passed_ms : 0;

    if (known && age_ms >= l->conf->keep_ms) {
        TRY(node_dir_deleted_remove(l->conf->dir, name));
        l->removed++;
        return KS_SUCCESS;
    }
    l->fresh += !known;
    ENSURE(json_object_set_new(l->next, name, json_integer((json_int_t)age_ms)) == 0,
           KS_E_NO_MEMORY, "no memory for %s", NAME);
    return KS_SUCCESS;
}

static ks_rc ledger_write(struct ledger *l)
{
    CLEANUP(buf_done) struct buf text = buf_init(NODE_JSON_MAX);
    json_t *document = json_pack("{s:s, s:I, s:O}", "boot", l->conf->boot, "at_ms",
                                 (json_int_t)l->conf->now_ms, "ages_ms", l->next);

    ENSURE(document, KS_E_NO_MEMORY, "no memory for %s", NAME);
    ks_rc rc = json_write(document, false, &text);
    json_decref(document);
    TRY(rc);
    return node_dir_write(l->conf->dir, NAME, buf_view(&text));
}

ks_rc deleted_sweep(const struct deleted_conf *conf, unsigned *ret_count)
{
    CLEANUP(ledger_done) struct ledger l = {.conf = conf};

    TRY(ledger_read(&l));
    TRY(node_dir_deleted(conf->dir, look_at, &l));
    *ret_count = l.removed;
    bool is_old = json_object_size(l.next) > 0 && l.passed_ms >= WRITE_MS;
    return l.fresh || l.removed || is_old ? ledger_write(&l) : KS_SUCCESS;
}
