/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/check.h - cmocka with results: checks that print the class, the code and the text of
 * what went wrong, and bytes from hexadecimal for published test vectors.
 */
#pragma once

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/rc.h"
#include "base/view.h"

/* check_ok(e): e is a success. */
#define check_ok(e)                                                                                \
    do {                                                                                           \
        ks_rc check_rc_ = (e);                                                                     \
        if (!ks_ok(check_rc_))                                                                     \
            fail_msg("%s: %s %s: %s", #e, ks_class_name(check_rc_), ks_name(check_rc_),            \
                     ks_text(check_rc_));                                                          \
    } while (0)

/* check_rc(e, code): e is the failure KS_E_<code>. */
#define check_rc(e, want)                                                                          \
    do {                                                                                           \
        ks_rc check_rc_ = (e);                                                                     \
        if (!ks_is(check_rc_, KS_E_##want))                                                        \
            fail_msg("%s: wanted %s, got %s: %s", #e, #want, ks_name(check_rc_),                   \
                     ks_ok(check_rc_) ? "" : ks_text(check_rc_));                                  \
    } while (0)

/* check_class(e, cls): e is a failure of KS_CLASS_<cls>. */
#define check_class(e, want)                                                                       \
    do {                                                                                           \
        ks_rc check_rc_ = (e);                                                                     \
        if (check_rc_.cls != KS_CLASS_##want)                                                      \
            fail_msg("%s: wanted class %s, got %s %s", #e, #want, ks_class_name(check_rc_),        \
                     ks_name(check_rc_));                                                          \
    } while (0)

/* check_text(rc, part): the text of the failure rc holds part. */
#define check_text(rc, part)                                                                       \
    do {                                                                                           \
        if (!strstr(ks_text(rc), (part)))                                                          \
            fail_msg("\"%s\" does not hold \"%s\"", ks_text(rc), (part));                          \
    } while (0)

/* check_bytes(got, want): two views hold the same bytes. */
#define check_bytes(got, want)                                                                     \
    do {                                                                                           \
        struct view check_a_ = (got), check_b_ = (want);                                           \
        assert_int_equal(check_a_.len, check_b_.len);                                              \
        assert_memory_equal(check_a_.bytes, check_b_.bytes, check_b_.len);                         \
    } while (0)

struct hex {
    uint8_t bytes[512];
    size_t len;
};

/* hex(text): the bytes that text stands for. */
static inline struct hex hex(const char *text)
{
    struct hex h = {{0}, strlen(text) / 2};

    assert_true(h.len <= sizeof h.bytes && strlen(text) % 2 == 0);
    for (size_t i = 0; i < h.len; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0}, *end;
        h.bytes[i] = (uint8_t)strtoul(digits, &end, 16);
        assert_true(*end == 0);
    }
    return h;
}

static inline struct view hex_view(const struct hex *h)
{
    return view_of(h->bytes, h->len);
}
