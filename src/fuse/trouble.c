/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/trouble.c - failures that are the operator's business.
 */
#include "fuse/trouble.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"

enum { LINE_BYTES = 768 };

static const struct {
    const char *name;
    const char *text; /* what it means and what to do; NULL: only counted */
} kinds[TROUBLE_KINDS] = {
    [TROUBLE_IO] = {"io", "the backing directory has input/output errors: look at the disk and the "
                          "kernel's log"},
    [TROUBLE_NO_SPACE] = {"no_space", "the backing file system is full: make room on it"},
    [TROUBLE_QUOTA] = {"quota", "the quota of the backing file system is used up: raise it or make "
                                "room"},
    [TROUBLE_READ_ONLY] = {"read_only",
                           "the backing file system is read-only: look at the kernel's "
                           "log and mount it writable again"},
    [TROUBLE_GONE] = {"gone", "the backing directory is gone: bring it back and mount the volume "
                              "again"},
    [TROUBLE_RESOURCES] = {"resources", "the volume process lacks memory or descriptors: raise its "
                                        "limits"},
    [TROUBLE_DAMAGED] = {"damaged", NULL},
    [TROUBLE_INTERNAL] = {"internal", "a bug in Keystead: please report it"},
};

/* EIO answers no request by itself, and neither do the others here. */
static const struct {
    int err;
    enum trouble_kind kind;
} errnos[] = {
    {EIO, TROUBLE_IO},           {ENOSPC, TROUBLE_NO_SPACE},  {EDQUOT, TROUBLE_QUOTA},
    {EROFS, TROUBLE_READ_ONLY},  {ESTALE, TROUBLE_GONE},      {ENODEV, TROUBLE_GONE},
    {ENOTCONN, TROUBLE_GONE},    {ESHUTDOWN, TROUBLE_GONE},   {ENOMEM, TROUBLE_RESOURCES},
    {EMFILE, TROUBLE_RESOURCES}, {ENFILE, TROUBLE_RESOURCES},
};

struct trouble {
    struct clock *clock;
    void (*tell)(void *arg, const char *line);
    void *arg;
    pthread_mutex_t mutex; /* guards the rest */
    struct {
        uint64_t count, told; /* told: the count when the last line was written */
        uint64_t told_ms;
    } of[TROUBLE_KINDS];
};

ks_rc trouble_new(struct clock *clock, void (*tell)(void *arg, const char *line), void *arg,
                  struct trouble **ret)
{
    struct trouble *t;

    TRY(mem_new(1, sizeof *t, &t));
    t->clock = clock;
    t->tell = tell;
    t->arg = arg;
    pthread_mutex_init(&t->mutex, NULL);
    *ret = t;
    return KS_SUCCESS;
}

void trouble_free(struct trouble *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->mutex);
    mem_free(t);
}

static enum trouble_kind kind_of_errno(int err)
{
    for (size_t n = 0; n < sizeof errnos / sizeof errnos[0]; n++)
        if (errnos[n].err == err)
            return errnos[n].kind;
    return TROUBLE_KINDS;
}

/* TROUBLE_KINDS for what is nobody's trouble. */
static enum trouble_kind kind_of(ks_rc rc)
{
    if (ks_ok(rc) || rc.cls == KS_CLASS_DENIED)
        return TROUBLE_KINDS;
    if (rc.code >= KS_CODE_OS)
        return kind_of_errno(ks_errno(rc));
    if (rc.cls == KS_CLASS_CORRUPT)
        return TROUBLE_DAMAGED;
    if (rc.cls == KS_CLASS_BUG)
        return TROUBLE_INTERNAL;
    return kind_of_errno(ks_errno(rc));
}

/* Counts; whether a line is due, and how many failures it stands for. */
static bool count(struct trouble *t, enum trouble_kind kind, uint64_t *ret_since)
{
    uint64_t now = clock_boot_ms(t->clock);

    pthread_mutex_lock(&t->mutex);
    uint64_t n = ++t->of[kind].count, told = t->of[kind].told;
    bool is_due =
        kinds[kind].text && (told == 0 || now - t->of[kind].told_ms >= TROUBLE_SILENCE_MS);
    if (is_due) {
        t->of[kind].told = n;
        t->of[kind].told_ms = now;
    }
    pthread_mutex_unlock(&t->mutex);
    *ret_since = n - told;
    return is_due;
}

void trouble_note_kind(struct trouble *t, enum trouble_kind kind, const char *what)
{
    char line[LINE_BYTES];
    uint64_t since;

    if (!count(t, kind, &since))
        return;
    if (since == 1)
        snprintf(line, sizeof line, "%s (%s)", kinds[kind].text, what);
    else
        snprintf(line, sizeof line, "%s (%llu failures since this was said last; %s)",
                 kinds[kind].text, (unsigned long long)since, what);
    t->tell(t->arg, line);
}

void trouble_note(struct trouble *t, ks_rc rc)
{
    enum trouble_kind kind = kind_of(rc);

    if (kind != TROUBLE_KINDS)
        trouble_note_kind(t, kind, ks_text(rc));
}

uint64_t trouble_count(struct trouble *t, enum trouble_kind kind)
{
    pthread_mutex_lock(&t->mutex);
    uint64_t n = t->of[kind].count;
    pthread_mutex_unlock(&t->mutex);
    return n;
}

const char *trouble_name(enum trouble_kind kind)
{
    return kinds[kind].name;
}
