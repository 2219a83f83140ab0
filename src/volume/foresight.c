/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/foresight.c - the guessing. A zeroed struct has seen nothing.
 */
#include "volume/foresight.h"

static bool is_believed(const struct foresight *f)
{
    return f->streak >= FORESIGHT_STREAK_MIN + f->needed;
}

static void punish(struct foresight *f)
{
    f->has_guessed = false;
    f->streak = 0;
    f->needed = (uint16_t)(f->needed * 2 + FORESIGHT_STREAK_MIN);
    if (f->needed > FORESIGHT_STREAK_MAX)
        f->needed = FORESIGHT_STREAK_MAX;
}

bool foresight_write(struct foresight *f)
{
    if (f->writes <= FORESIGHT_BATCHED_MAX)
        f->writes++;
    if (f->has_guessed) {
        punish(f);
        return false;
    }
    f->has_guessed = f->writes == f->usual && is_believed(f);
    return f->has_guessed;
}

bool foresight_may_begin(const struct foresight *f)
{
    return f->usual > FORESIGHT_WRITES_MAX && f->usual <= FORESIGHT_BATCHED_MAX &&
           f->writes <= f->usual && f->writes % FORESIGHT_BATCH == 0;
}

void foresight_sync(struct foresight *f)
{
    if (f->writes == 0)
        return; /* there was nothing to flush, and nothing is learned */
    if (f->has_guessed && f->needed > 0)
        f->needed--;
    if (f->writes != f->usual || f->writes > FORESIGHT_WRITES_MAX)
        f->streak = 0;
    else if (f->streak < FORESIGHT_STREAK_MIN + FORESIGHT_STREAK_MAX)
        f->streak++;
    f->usual = f->writes;
    f->writes = 0;
    f->has_guessed = false;
}

void foresight_break(struct foresight *f)
{
    if (f->has_guessed)
        punish(f);
    f->streak = 0;
    f->writes = 0;
}

bool foresight_is_regular(const struct foresight *f)
{
    return f->streak >= FORESIGHT_STREAK_MIN;
}
