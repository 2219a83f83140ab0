/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/dial.h - faults made on purpose, for whoever tests against a key service.
 *
 * Rules say what goes wrong, for which account, key and operation, from when, for how long, how often. They live in memory
 * only: a restart clears them. A realm that was not opened with is_dial_on takes no rules: a delay of revocation must not be
 * dialled into a service that guards something.
 */
#pragma once

#include <jansson.h>

#include "localkms/realm.h"

enum dial_effect {
    DIAL_NONE,
    DIAL_LATENCY,  /* answers after ms */
    DIAL_THROTTLE, /* says that there are too many requests */
    DIAL_ERROR,    /* says that it has an internal error (5xx) */
    DIAL_DENY,     /* says that access is denied */
    DIAL_HANG,     /* answers nothing, for ms (0: until the client gives up) */
    DIAL_RESET,    /* resets the connection */
    DIAL_GARBAGE,  /* answers something that is no answer */
    DIAL_LAG,      /* changes of keys take effect on uses only after ms */
    DIAL_SKEW,     /* its clock is off by ms, which may be negative */
    DIAL_EFFECT_COUNT,
};

/* What is being asked for. NULL: not known, matches rules that do not name it. */
struct dial_subject {
    const char *account;
    const char *key;       /* id of the key, or resource name */
    const char *operation; /* "kms:Decrypt", "sts:AssumeRole", "cloudkms:encrypt" */
};

/* dial_open(r, is_on, ret), dial_close. */
ks_rc dial_open(struct realm *r, bool is_on, struct dial **ret) KS_MUST;
void dial_close(struct dial *d);

/* dial_add(d, rule, ret_id): rule as in the API (docs/KMS.md). USAGE names what is wrong; STATE when the dial is off. */
ks_rc dial_add(struct dial *d, const json_t *rule, int64_t *ret_id) KS_MUST;
/* dial_list(d, ret): all rules, as an array. */
ks_rc dial_list(struct dial *d, json_t **ret) KS_MUST;
/* dial_remove(d, id): 0: all. NOT_FOUND. */
ks_rc dial_remove(struct dial *d, int64_t id) KS_MUST;

/*
 * dial_intercept(r, x, subject, again): for each request, once it is known what it asks for. True: the rules have taken the
 * exchange over (latency, hang, reset, garbage), and after a latency again(r, x) is called, which asks
 * dial_refusal and not this one. False: go on, with dial_refusal.
 */
bool dial_intercept(struct realm *r, struct http_exchange *x, const struct dial_subject *subject,
                    void (*again)(struct realm *r, struct http_exchange *x));
/* dial_refusal(d, subject): DIAL_THROTTLE, DIAL_ERROR, DIAL_DENY in the words of the wire, or DIAL_NONE. */
enum dial_effect dial_refusal(struct dial *d, const struct dial_subject *subject);
/* dial_lag_ms(d, subject): by how much a change that is made now is late for uses. */
uint64_t dial_lag_ms(struct dial *d, const struct dial_subject *subject);
/* dial_skew_ms(d): what is to be added to the clock. */
int64_t dial_skew_ms(struct dial *d);
