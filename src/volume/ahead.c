/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/ahead.c - the guessing.
 */
#include "volume/ahead.h"

enum { NEAR = 64, TRUSTED = 2 * AHEAD_FIRST, CREDIT_MAX = 4 * AHEAD_CREDIT };

static bool is_near(uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) <= NEAR;
}

/* Far jumps say nothing about the direction. */
static bool is_going_down(bool was_down, uint64_t from, uint64_t to)
{
    return is_near(from, to) ? to < from : was_down;
}

static void count_streak(struct ahead *a, const void *dir)
{
    a->streak = a->seen == dir ? a->streak + 1 : 1;
    a->seen = dir;
}

static void choose(struct ahead *a, const void *dir, uint64_t ino)
{
    a->dir = dir;
    a->is_down = is_going_down(false, a->seen_ino, ino);
    a->last = ino;
    a->is_moved = true;
    a->window = AHEAD_FIRST;
    a->out = 0;
    a->credit = AHEAD_CREDIT;
    a->asked = a->streak;
    a->streak = 0;
}

static void miss(struct ahead *a, uint64_t ino)
{
    a->is_down = is_going_down(a->is_down, a->last, ino);
    a->last = ino;
    a->is_moved = true;
    a->asked++;
    a->window = a->window / 2 > AHEAD_FIRST ? a->window / 2 : AHEAD_FIRST;
}

bool ahead_cold(struct ahead *a, const void *dir, uint64_t ino)
{
    bool is_chosen = false;

    if (a->dir == dir) {
        miss(a, ino);
        return false;
    }
    count_streak(a, dir);
    if (a->streak >= (unsigned)AHEAD_STREAK << a->doubt) {
        choose(a, dir, ino);
        is_chosen = true;
    }
    a->seen_ino = ino;
    return is_chosen;
}

void ahead_hit(struct ahead *a, const void *dir, uint64_t ino)
{
    a->streak = 0;
    if (a->dir != dir)
        return;
    a->last = ino;
    a->asked++;
    a->out -= a->out > 0;
    a->credit = a->credit + AHEAD_REWARD < CREDIT_MAX ? a->credit + AHEAD_REWARD : CREDIT_MAX;
    if (a->window < AHEAD_MOST)
        a->window++;
    if (a->window >= TRUSTED)
        a->doubt = 0;
}

bool ahead_begin(struct ahead *a)
{
    bool is_moved = a->is_moved;

    a->is_moved = false;
    if (is_moved)
        a->out = 0;
    return is_moved;
}

static unsigned room(const struct ahead *a)
{
    unsigned left = a->out < a->window ? a->window - a->out : 0;

    return left < a->credit ? left : a->credit;
}

static void give_up(struct ahead *a)
{
    ahead_end(a);
    if (a->doubt < AHEAD_DOUBT_MAX)
        a->doubt++;
}

unsigned ahead_take(struct ahead *a, unsigned most)
{
    if (!a->dir)
        return 0;
    if (a->credit == 0) {
        give_up(a);
        return 0;
    }
    unsigned count = room(a) < most ? room(a) : most;
    a->out += count;
    a->credit -= count;
    return count;
}

void ahead_give_back(struct ahead *a, unsigned count)
{
    a->out -= count < a->out ? count : a->out;
    a->credit += count;
}

bool ahead_is_due(const struct ahead *a)
{
    return a->dir && (a->is_moved || 2 * a->out <= a->window);
}

uint64_t ahead_entries(const struct ahead *a)
{
    return a->dir ? a->asked * AHEAD_ENTRIES : 0;
}

void ahead_end(struct ahead *a)
{
    a->dir = NULL;
    a->seen = NULL;
    a->streak = 0;
}
