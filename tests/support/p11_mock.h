/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/p11_mock.h - a PKCS#11 module that answers as it is told.
 *
 * Built as a module of its own (p11_mock.so); a test loads it with dlopen like the driver does and gets at these
 * through dlsym. One token "mock", PIN "1234", and keys that are nothing but a label, an id and a number that is
 * mixed into what they seal. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { P11_MOCK_ALWAYS = 1000000 };

struct p11_mock {
    /* reset(): one key "orders" with id 01, nothing fails. */
    void (*reset)(void);
    /* fail_calls(function, rv, skip, count): after skip more calls, count calls of "C_..." return rv. */
    void (*fail_calls)(const char *function, unsigned long rv, unsigned skip, unsigned count);
    /* calls(function): since reset. */
    unsigned (*calls)(const char *function);
    /* add_key(label, id, number), remove_key(label, id): id is one byte. allow: attributes and mechanisms. */
    void (*add_key)(const char *label, unsigned char id, unsigned char number);
    void (*remove_key)(const char *label, unsigned char id);
    void (*allow)(bool may_encrypt, bool may_decrypt, bool may_wrap, bool may_unwrap);
    void (*mechanisms)(bool has_gcm, unsigned long wrap_mechanism);
    void (*set_token)(const char *label, unsigned long flags, unsigned copies);
    /* lie(bytes): lengths that the module tells are too long by so many. */
    void (*lie)(unsigned long bytes);
};

/* p11_mock_control(): exported by the module. */
const struct p11_mock *p11_mock_control(void);
