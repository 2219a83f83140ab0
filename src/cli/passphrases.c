/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/passphrases.c - passphrases that a volume process was given, for when they are needed again.
 */
#include "cli/passphrases.h"

#include <string.h>

void passphrases_init(struct passphrases *p,
                      ks_rc (*ask)(void *arg, const char *what, struct secret **ret), void *arg)
{
    *p = (struct passphrases){.ask = ask, .arg = arg};
    pthread_mutex_init(&p->mutex, NULL);
}

void passphrases_done(struct passphrases *p)
{
    for (size_t i = 0; i < p->count; i++)
        secret_free(p->kept[i].passphrase);
    pthread_mutex_destroy(&p->mutex);
    p->count = 0;
}

static ks_rc keep(struct passphrases *p, const char *what, const struct secret *passphrase)
{
    size_t len = strlen(what);

    if (p->count == PASSPHRASES_MAX || len >= PASSPHRASES_WHAT_BYTES)
        return KS_SUCCESS; /* more than a volume has wraps: the next time is a question again */
    TRY(secret_copy(secret_view(passphrase), &p->kept[p->count].passphrase));
    memcpy(p->kept[p->count].what, what, len + 1);
    p->count++;
    return KS_SUCCESS;
}

static ks_rc get_locked(struct passphrases *p, const char *what, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *asked = NULL;

    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->kept[i].what, what) == 0)
            return secret_copy(secret_view(p->kept[i].passphrase), ret);
    TRY(p->ask(p->arg, what, &asked));
    TRY(keep(p, what, asked));
    *ret = TAKE(asked);
    return KS_SUCCESS;
}

ks_rc passphrases_get(void *arg, const char *what, struct secret **ret)
{
    struct passphrases *p = arg;

    pthread_mutex_lock(&p->mutex);
    ks_rc rc = get_locked(p, what, ret);
    pthread_mutex_unlock(&p->mutex);
    return rc;
}
