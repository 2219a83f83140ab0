/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_error.h - what an error of a Google service means (private to kms/gcp_*).
 *
 * Google writes errors as {"error":{"code","message","status","details":[...]}}; its token services as RFC 6749
 * does, {"error","error_description"}. Anything else comes from something in between and is no answer.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"
#include "kms/driver.h"
#include "net/http_client.h"

/* Who answered, and so what a refusal is about. */
enum gcp_asked {
    GCP_ASKED_KMS,       /* the key */
    GCP_ASKED_PRINCIPAL, /* the service account that the customer lets us act as */
    GCP_ASKED_OWN,       /* our own credentials: never an answer about the key */
};

/* The parts of an error; "" where it says nothing. */
struct gcp_error {
    int http;
    bool is_google; /* the body has one of the two forms */
    char status[48], reason[64], violation[64], message[320];
    char request_id[128];
    uint32_t retry_after_ms;
};

/* gcp_error_read(http, body, ret): never fails; a body that cannot be understood leaves the texts empty. */
void gcp_error_read(int http, struct view body, struct gcp_error *ret);
/* gcp_error_rc(e, asked): the result for it; never a success. See docs/KMS.md for the table. */
ks_rc gcp_error_rc(const struct gcp_error *e, enum gcp_asked asked) KS_MUST;
/* gcp_reply_rc(reply, asked, note): success for 2xx; otherwise the above, with what the reply says beside it put
 * into note (may be NULL). Request ids are noted for successes too. */
ks_rc gcp_reply_rc(const struct http_reply *reply, enum gcp_asked asked,
                   struct kms_note *note) KS_MUST;
