/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/suggest.h - the word that somebody probably meant.
 */
#pragma once

#include <stddef.h>

/* suggest_distance(a, b): insertions, deletions, substitutions and swaps of neighbours that lead from a to
 * b; SIZE_MAX when one of them is longer than 63 bytes. */
size_t suggest_distance(const char *a, const char *b);

/* suggest_nearest(word, known(arg, i), arg, count): the known word that is near enough to be meant, or NULL. NULL
 * entries are skipped. */
const char *suggest_nearest(const char *word, const char *(*known)(void *arg, size_t i), void *arg,
                            size_t count);
