/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/flight.c - calls that are out, and who waits for them.
 *
 * Invariant: a seat is in the list from its first flight_join until flight_land; it is freed by the last thread
 * that has a part in it.
 */
#include "kms/flight.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { TEXT_BYTES = 512 };

struct flight_seat {
    struct flight_seat *next;
    struct buf question;
    unsigned parts; /* threads: the first, and those that wait */
    bool has_landed;
    ks_rc rc;
    char text[TEXT_BYTES];
    struct secret *plain;
    char version[KEY_VERSION_BYTES];
};

struct flight {
    pthread_mutex_t mutex;
    pthread_cond_t landed;
    struct flight_seat *seats;
    unsigned waiting;
};

ks_rc flight_new(struct flight **ret)
{
    struct flight *f;

    TRY(mem_new(1, sizeof *f, &f));
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->landed, NULL);
    *ret = f;
    return KS_SUCCESS;
}

void flight_free(struct flight *f)
{
    if (!f)
        return;
    pthread_cond_destroy(&f->landed);
    pthread_mutex_destroy(&f->mutex);
    mem_free(f);
}

static void seat_free(struct flight_seat *s)
{
    secret_free(s->plain);
    buf_done(&s->question);
    mem_free(s);
}

static ks_rc seat_new(struct flight *f, struct view question, struct flight_seat **ret)
{
    struct flight_seat *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->question = buf_init(question.len);
    ks_rc rc = buf_append(&s->question, question);
    if (!ks_ok(rc)) {
        seat_free(s);
        return rc;
    }
    s->next = f->seats;
    f->seats = s;
    *ret = s;
    return KS_SUCCESS;
}

static ks_rc join_locked(struct flight *f, struct view question, struct flight_seat **ret,
                         bool *ret_is_first)
{
    struct flight_seat *s = f->seats;

    while (s && !view_is_equal(buf_view(&s->question), question))
        s = s->next;
    bool is_first = !s;
    if (is_first)
        TRY(seat_new(f, question, &s));
    s->parts++;
    *ret_is_first = is_first;
    *ret = s;
    return KS_SUCCESS;
}

ks_rc flight_join(struct flight *f, struct view question, struct flight_seat **ret,
                  bool *ret_is_first)
{
    pthread_mutex_lock(&f->mutex);
    ks_rc rc = join_locked(f, question, ret, ret_is_first);
    pthread_mutex_unlock(&f->mutex);
    return rc;
}

static void leave_locked(struct flight_seat *s)
{
    if (--s->parts == 0)
        seat_free(s);
}

static void unlink_locked(struct flight *f, struct flight_seat *gone)
{
    struct flight_seat **at = &f->seats;

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
}

/* The key is copied only for those who wait for it. */
static ks_rc keep_answer(struct flight_seat *s, const struct flight_answer *answer)
{
    memcpy(s->version, answer->version, sizeof s->version);
    if (!answer->plain || s->parts < 2 || !ks_ok(answer->rc))
        return answer->rc;
    TRY(secret_copy(secret_view(answer->plain), &s->plain));
    return KS_SUCCESS;
}

void flight_land(struct flight *f, struct flight_seat *s, const struct flight_answer *answer)
{
    pthread_mutex_lock(&f->mutex);
    unlink_locked(f, s);
    s->rc = keep_answer(s, answer);
    if (!ks_ok(s->rc))
        snprintf(s->text, sizeof s->text, "%s", ks_text(s->rc));
    s->has_landed = true;
    pthread_cond_broadcast(&f->landed);
    leave_locked(s);
    pthread_mutex_unlock(&f->mutex);
}

/* The result with its text, which is a matter of each thread. */
static ks_rc told(const struct flight_seat *s)
{
    if (s->rc.code >= KS_CODE_OS)
        return ks_os(s->rc.code - KS_CODE_OS);
    return ks_fail((enum ks_code)s->rc.code, "%s", s->text);
}

static ks_rc take_answer(const struct flight_seat *s, struct secret **ret_plain, char *ret_version)
{
    struct secret *plain = NULL;

    if (!ks_ok(s->rc))
        return told(s);
    if (ret_plain) {
        ENSURE(s->plain, KS_E_BUG, "a call without the answer that others wait for");
        TRY(secret_copy(secret_view(s->plain), &plain));
        *ret_plain = plain;
    }
    if (ret_version)
        memcpy(ret_version, s->version, sizeof s->version);
    return KS_SUCCESS;
}

ks_rc flight_wait(struct flight *f, struct flight_seat *s, struct secret **ret_plain,
                  char *ret_version)
{
    pthread_mutex_lock(&f->mutex);
    f->waiting++;
    while (!s->has_landed)
        pthread_cond_wait(&f->landed, &f->mutex);
    f->waiting--;
    ks_rc rc = take_answer(s, ret_plain, ret_version);
    leave_locked(s);
    pthread_mutex_unlock(&f->mutex);
    return rc;
}

unsigned flight_waiting(struct flight *f)
{
    pthread_mutex_lock(&f->mutex);
    unsigned waiting = f->waiting;
    pthread_mutex_unlock(&f->mutex);
    return waiting;
}
