/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/report_read.h - a node's report (docs/NODES.md), read strictly: bounded, with no members that are not known.
 *
 * Texts are borrowed from the document. Messages are for people: ones that are too long are cut when they are taken, not refused. USAGE
 * names the member.
 */
#pragma once

#include <jansson.h>

#include "control/model.h"

enum {
    REPORT_VOLUMES_MAX = 4096,
    REPORT_KEYS_MAX = 64,
    REPORT_CHECKS_MAX = 512,
    REPORT_RECEIPTS_MAX = 4096,
    REPORT_REFUSED_MAX = 20,     /* parts of which it is told why they were not taken */
    REPORT_TEXT_MAX = 64 * 1024, /* of a message */
    REPORT_DETAIL_MAX = 4096,    /* wraps, generations */
    REPORT_FAILED_MAX = 16,      /* kinds of failed requests */
};

struct report_error {
    const char *error_class, *code, *message; /* "" when there is none */
};

struct report_key {
    const char *id, *version;
    enum wrap_state state;
    struct report_error error;
};

struct report_volume {
    const char *id, *message;
    int64_t goal;
    enum access access;
    enum cause cause;
    size_t key_count;
    struct report_key keys[REPORT_KEYS_MAX];
    bool is_platform;
    int64_t rewrap, store, data, reencrypt, restore;
    const char *failed_level; /* "": none */
    struct report_error failed;
    int64_t bytes_done, bytes_total, rate;
    bool has_engine;
    enum engine_state engine;
    const char *engine_message, *host, *connection, *password; /* password NULL: not told */
    int64_t port;
    struct anchor anchor;              /* what the node has noted of the keyring; empty: nothing */
    int64_t found;                     /* sequence of the keyring that it refuses; 0: none */
    const json_t *wraps, *generations; /* NULL: unchanged */
    const json_t *requests_failed;     /* {kind: how many} since its mount; NULL: not known */
};

struct report {
    bool is_full;
    int64_t
        revision; /* of the last answer to "desired" that it has taken in; INT64_MAX: it does not say */
    const json_t *volumes, *checks, *receipts; /* arrays; NULL: none */
};

/* report_read(document, ret): the whole, of which the parts are not looked at: each of them is taken or refused by itself. */
ks_rc report_read(const json_t *document, struct report *ret) KS_MUST;
ks_rc report_read_volume(const json_t *one, struct report_volume *ret) KS_MUST;
/* report_read_check(one), report_read_receipt(one): whether it has the form; members are read where they are used. */
ks_rc report_read_check(const json_t *one) KS_MUST;
ks_rc report_read_receipt(const json_t *one) KS_MUST;
