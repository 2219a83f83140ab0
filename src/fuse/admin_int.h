/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/admin_int.h - what the operations of the control socket share. Private to fuse/admin*.c.
 */
#pragma once

#include "fuse/process.h"

/* unpack(request, op, ...): json_unpack, strictly; USAGE says what is wrong with the request. */
#define UNPACK(request, fmt, ...)                                                                  \
    do {                                                                                           \
        json_error_t unpack_error_;                                                                \
        ENSURE(json_unpack_ex(request, &unpack_error_, JSON_STRICT, fmt, __VA_ARGS__) == 0,        \
               KS_E_USAGE, "the request is not understood: %s", unpack_error_.text);               \
    } while (0)

static inline void json_freep(json_t **j)
{
    json_decref(*j);
}

/* admin_rekey.c: the operation "rekey" (docs/CONTROL.md). */
ks_rc admin_rekey(struct process *p, json_t *request, struct control_peer *peer,
                  json_t **ret) KS_MUST;
