/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lint/cppcheck.h - what cppcheck needs to know about macros of system headers that it does not read.
 */
#define __attribute__(x)
#define json_array_foreach(a, i, v) for (i = 0; (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v)                                                               \
    for (void *it_##k = json_object_iter(o);                                                       \
         (k = json_object_iter_key(it_##k)) && (v = json_object_iter_value(it_##k));)
