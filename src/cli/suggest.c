/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/suggest.c - the word that somebody probably meant.
 */
#include "cli/suggest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[WORD_MAX + 1][WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= a_len; i++)
        rows[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = least(rows[i - 1][j], rows[i][j - 1]) + 1;
            best = least(best, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = best;
        }
    }
    return rows[a_len][b_len];
}

const char *suggest_nearest(const char *word, const char *(*known)(void *arg, size_t i), void *arg,
                            size_t count)
{
    /* A third of the word may be wrong; more would be guessing. */
    size_t best = least(strlen(word) / 3 + 1, 4);
    const char *found = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *candidate = known(arg, i);
        size_t distance = candidate ? suggest_distance(word, candidate) : SIZE_MAX;
        if (candidate && strlen(word) >= 3 && strncmp(word, candidate, strlen(word)) == 0)
            distance = least(distance, 1);
        if (distance < best + (found == NULL)) {
            best = distance;
            found = candidate;
        }
    }
    return found;
}
