/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/rekey.c - re-encrypting a volume: a long conversation with its process, by a thread of its own.
 *
 * A few at a time, because each one reads and writes everything. Ending the conversation ends the work where it is; the next one goes on
 * from there.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fuse/control_line.h"
#include "node/agent_int.h"

enum { LINE_MS = 500, SILENCE_MS_MAX = 120000 };

struct rekey {
    struct agent *a;
    struct holding *h;
    char *socket;
    uint32_t serial; /* that is done when this one is */
};

static void rekey_free(struct rekey *r)
{
    mem_free(r->socket);
    mem_free(r);
}

/* It is wanted no more, or the volume is wanted otherwise. */
static bool is_cancelled(struct rekey *r)
{
    const struct holding *h = r->h;

    pthread_mutex_lock(&r->a->mutex);
    bool is_over = r->a->is_ending || !h->wish.is_present || h->wish.is_revoked ||
                   h->wish.serials.reencrypt <= h->deed.done.reencrypt;
    pthread_mutex_unlock(&r->a->mutex);
    return is_over;
}

static void note_progress(struct rekey *r, const json_t *line)
{
    const json_t *p = json_object_get(line, "progress");

    pthread_mutex_lock(&r->a->mutex);
    r->h->rekey_done = json_integer_value(json_object_get(p, "bytes_rewritten"));
    r->h->rekey_total = json_integer_value(json_object_get(p, "bytes_total"));
    r->h->rekey_rate = json_integer_value(json_object_get(p, "rate"));
    pthread_mutex_unlock(&r->a->mutex);
}

/* What is under an older key still, if anything: then the volume is not done. */
static ks_rc judge(const json_t *reply)
{
    const json_t *kept = json_array_get(json_object_get(reply, "kept"), 0);
    const char *because = json_string_value(json_object_get(kept, "because"));

    if (!kept)
        return KS_SUCCESS;
    return ks_fail(KS_E_CORRUPT, "data key %lld is still needed: %s",
                   (long long)json_integer_value(json_object_get(kept, "generation")),
                   because ? because : "unknown");
}

/* One line; *ret_is_over with the reply. */
static ks_rc take_line(struct rekey *r, struct control_line *line, bool *ret_is_over)
{
    CLEANUP(json_decrefp) json_t *got = NULL;

    TRY(control_line_read(line, LINE_MS, &got));
    ENSURE(got, KS_E_NOT_FOUND, "the volume process ended");
    if (!json_object_get(got, "ok")) {
        note_progress(r, got);
        return KS_SUCCESS;
    }
    *ret_is_over = true;
    TRY(control_result(got));
    return judge(got);
}

static ks_rc converse(struct rekey *r, int fd, bool *ret_is_done)
{
    CLEANUP(control_line_done) struct control_line line = {.fd = -1};
    uint64_t heard_ms = clock_boot_ms(r->a->clock);

    TRY(control_line_init(&line, fd));
    while (!*ret_is_done) {
        if (is_cancelled(r))
            return KS_SUCCESS;
        ks_rc rc = take_line(r, &line, ret_is_done);
        uint64_t now_ms = clock_boot_ms(r->a->clock);
        if (ks_ok(rc))
            heard_ms = now_ms;
        else if (!ks_is(rc, KS_E_TIMEOUT) || now_ms - heard_ms > SILENCE_MS_MAX)
            return rc;
    }
    return KS_SUCCESS;
}

static void finish(struct rekey *r, ks_rc rc, bool is_done)
{
    struct agent *a = r->a;
    struct holding *h = r->h;

    pthread_mutex_lock(&a->mutex);
    if (!ks_ok(rc)) {
        failure_note(&h->failure, rc, clock_boot_ms(a->clock), a->conf.random);
        h->failed_step = STEP_REENCRYPT;
        log_line(LOG_WARNING, "volume %s, reencrypt: %s", h->id, h->failure.text);
    } else if (is_done) {
        h->deed.done.reencrypt = r->serial;
        h->is_deed_saved = false;
    }
    h->is_rekeying = false;
    h->rekey_done = h->rekey_total = h->rekey_rate = 0;
    h->seen_seq++;
    h->is_news = true;
    a->rekeys--;
    pthread_cond_broadcast(&a->news);
    agent_stir(a, h);
    pthread_mutex_unlock(&a->mutex);
}

static void *run(void *arg)
{
    struct rekey *r = arg;
    CLEANUP(json_decrefp) json_t *request = json_pack("{s:s}", "op", "rekey");
    bool is_done = false;
    int fd = -1;
    ks_rc rc = request ? control_converse(r->socket, request, &fd)
                       : ks_fail(KS_E_NO_MEMORY, "no memory for a request");

    if (ks_ok(rc))
        rc = converse(r, fd, &is_done);
    if (fd >= 0)
        close(fd);
    finish(r, rc, is_done);
    rekey_free(r);
    return NULL;
}

ks_rc rekey_start(struct agent *a, struct holding *h)
{
    struct rekey *r = NULL;
    pthread_t thread;

    ENSURE(!h->is_rekeying && a->rekeys < REKEYS_MAX, KS_E_BUSY, "others are re-encrypted first");
    ENSURE(h->socket[0], KS_E_STATE, "it is not mounted");
    TRY(mem_new(1, sizeof *r, &r));
    *r = (struct rekey){.a = a, .h = h, .serial = h->wish.serials.reencrypt};
    ks_rc rc = mem_text(h->socket, &r->socket);
    int err = ks_ok(rc) ? pthread_create(&thread, NULL, run, r) : 0;
    if (!ks_ok(rc) || err) {
        rekey_free(r);
        return err ? ks_fail_os(err, "no thread for a re-encryption") : rc;
    }
    pthread_detach(thread);
    h->is_rekeying = true;
    a->rekeys++;
    return KS_SUCCESS;
}
