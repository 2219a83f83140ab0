/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/rc.h - the result type of every function that can fail.
 *
 * A result has a class, which drives policy, and a code, which is for people and tests. It is a
 * struct so that it can neither be mixed up with an int nor be ignored. A thread keeps the text
 * of its last failure ("what failed, with which object, what to do"); the process edge (CLI,
 * FUSE glue, HTTP) prints it once. Codes and their translations stand in errors.def.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ks_class {
    KS_CLASS_OK,
    KS_CLASS_USAGE,       /* the caller asked for something that cannot be; state is as it was */
    KS_CLASS_DENIED,      /* an authenticated "no" of the key service about this key */
    KS_CLASS_UNREACHABLE, /* no answer about the key: network, throttling, credentials */
    KS_CLASS_BUSY,        /* somebody else holds it; try again later */
    KS_CLASS_CORRUPT,     /* data that is not what was written, or not where it was written */
    KS_CLASS_IO,          /* the operating system failed */
    KS_CLASS_LIMIT,       /* a bound was reached: size, space, memory */
    KS_CLASS_BUG,         /* cannot happen */
};

enum ks_code {
#define KS_ERROR(name, cls, err, http, exitc, text) KS_E_##name,
#include "base/errors.def"
#undef KS_ERROR
    KS_E_COUNT,
};

/* Codes from KS_CODE_OS upward carry an errno of the operating system: KS_CODE_OS + errno. */
#define KS_CODE_OS 0x8000

typedef struct {
    uint16_t cls;  /* enum ks_class */
    uint16_t code; /* enum ks_code, or KS_CODE_OS + errno */
} ks_rc;

#define KS_MUST __attribute__((warn_unused_result))
#define KS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn) __attribute__((cleanup(fn), unused))
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })

#define KS_SUCCESS ((ks_rc){0, 0})

static inline bool ks_ok(ks_rc rc)
{
    return rc.code == 0;
}

static inline bool ks_is(ks_rc rc, enum ks_code code)
{
    return rc.code == (uint16_t)code;
}

/* ks_is_os(rc, err): whether rc stands for the errno err of the operating system. */
static inline bool ks_is_os(ks_rc rc, int err)
{
    return rc.code == (uint16_t)(KS_CODE_OS + err);
}

/*
 * ks_fail(code, fmt, ...): the result for code, with a context text of at most 511 bytes kept for
 * this thread. The text never holds key material; it may quote the last one (ks_text). code must not be KS_E_OK.
 */
ks_rc ks_fail(enum ks_code code, const char *fmt, ...) KS_MUST KS_PRINTF(2, 3);

/*
 * ks_os(err): the result for an errno, without context text; cheap, for hot paths.
 * The class follows the errno: ENOSPC, EDQUOT, ENOMEM, EMFILE, ... are LIMIT; EIO is IO; EBUSY
 * is BUSY; ENOENT, EEXIST, EACCES and other answers to a request are USAGE. err must not be 0.
 */
ks_rc ks_os(int err) KS_MUST;

/* ks_fail_os(err, fmt, ...): like ks_os, with a context text; ": strerror" is added to it. */
ks_rc ks_fail_os(int err, const char *fmt, ...) KS_MUST KS_PRINTF(2, 3);

/*
 * ks_wrap(rc, fmt, ...): rc unchanged, with "text: " put before its context; for callers that
 * know the object's name. A success passes through untouched.
 */
ks_rc ks_wrap(ks_rc rc, const char *fmt, ...) KS_MUST KS_PRINTF(2, 3);

/*
 * ks_text(rc): the context text of this thread if its last failure was rc, else the table's text.
 * Valid until the next failure of this thread.
 */
const char *ks_text(ks_rc rc);

/* ks_name(rc): "KEY_DISABLED", or "OS" for errno results; static storage. */
const char *ks_name(ks_rc rc);
/* ks_class_name(rc): "DENIED", ...; static storage. */
const char *ks_class_name(ks_rc rc);

/* The only translations of a result. */
int ks_errno(ks_rc rc); /* positive errno; 0 for success */
int ks_http(ks_rc rc);  /* HTTP status */
int ks_exit(ks_rc rc);  /* process exit code */
/* ks_from_name(name): the code named so in the table, or KS_E_BUG; for replies read from a socket. */
enum ks_code ks_from_name(const char *name);

#define TRY(e)                                                                                     \
    do {                                                                                           \
        ks_rc try_rc_ = (e);                                                                       \
        if (!ks_ok(try_rc_))                                                                       \
            return try_rc_;                                                                        \
    } while (0)

#define ENSURE(cond, ...)                                                                          \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return ks_fail(__VA_ARGS__);                                                           \
    } while (0)

/* IGNORE(e): a result that is meant to be dropped; the line above it says why. */
#define IGNORE(e)                                                                                  \
    do {                                                                                           \
        ks_rc ignore_rc_ = (e);                                                                    \
        (void)ignore_rc_;                                                                          \
    } while (0)
