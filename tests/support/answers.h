/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/answers.h - a driver and a table of answers, most of them faulty: each must be classified as it says.
 *
 * For tests with cmocka. The table is written by whoever writes the driver, from the documentation of the service;
 * at least 25 lines of it. A failed attempt must not have written its outputs: attempt checks that.
 */
#pragma once

#include "kms/driver.h"
#include "wire_server.h"

enum answer_fault {
    ANSWER_WHOLE,     /* status, headers and body as they stand, with the right Content-Length */
    ANSWER_HALF,      /* the connection is closed in the middle of the body */
    ANSWER_LONG,      /* the body is followed by 2 MiB of blanks */
    ANSWER_RAW,       /* body alone is all that is sent */
    ANSWER_NOTHING,   /* closed without a byte */
    ANSWER_RESET,     /* reset without a byte */
    ANSWER_HANG,      /* no byte until the deadline */
    ANSWER_HANG_HALF, /* half a reply, then no byte until the deadline */
};

struct answer {
    const char *name;    /* for messages */
    int status;          /* 0: 200 */
    const char *headers; /* "Name: value\r\n"...; NULL: none */
    const char *body;    /* NULL: empty */
    enum answer_fault fault;
    enum ks_code code;       /* what the attempt must end with */
    const char *request_id;  /* what the note must hold; NULL: anything */
    uint32_t retry_after_ms; /* what the note must hold */
    const char *text;        /* part of the failure's text; NULL: any */
};

struct answers {
    struct wire_server *server;
    /* scripts what is asked before the answer in question, such as tokens; NULL: nothing */
    void (*before)(void *arg, struct wire_server *server);
    ks_rc (*attempt)(void *arg, const struct kms_call *call);
    void *arg;
};

/* answers_check(a, table, count): runs every line, on the system's clock. All later requests of an attempt get the
 * same answer. Fails the test at the first line that is classified otherwise and names it. */
void answers_check(const struct answers *a, const struct answer *table, size_t count);
