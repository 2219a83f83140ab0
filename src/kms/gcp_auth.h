/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_auth.h - the access tokens of one driver, kept fresh (private to kms/gcp_*).
 *
 * Our own token, and where the key is used as another service account (auth_principal) a token for that. The
 * first is renewed ahead of its end. The second is asked for anew every half minute although it would live longer: a
 * customer who takes back the right to act as that account takes back the key, and an old token would hide it.
 */
#pragma once

#include "kms/gcp_token.h"

struct gcp_auth; /* thread-safe; one thread fetches, the others wait for it */

/* gcp_auth_new(net, principal, ret): principal: "" or EMAIL, or HOP,HOP,EMAIL where each may act as the next; USAGE
 * for another form. net is borrowed. */
ks_rc gcp_auth_new(const struct gcp_net *net, const char *principal, struct gcp_auth **ret) KS_MUST;
void gcp_auth_free(struct gcp_auth *a);

/* What a request needs. */
struct gcp_grant {
    struct buf bearer; /* "Bearer TOKEN"; wiped when freed */
    char universe[GCP_UNIVERSE_BYTES], quota_project[GCP_PROJECT_BYTES];
    uint64_t serial;
};

/*
 * gcp_auth_get(a, call, ret): a grant to use now. While a token lives, one that cannot be renewed for the moment
 * is used on. DENIED when the principal refuses us; otherwise UNREACHABLE classes.
 */
ks_rc gcp_auth_get(struct gcp_auth *a, const struct kms_call *call, struct gcp_grant *ret) KS_MUST;
/* gcp_auth_reject(a, serial): the service does not take this grant: the next one is fetched. */
void gcp_auth_reject(struct gcp_auth *a, uint64_t serial);
/* gcp_auth_try(a, call): asks for new tokens now, whatever is in hand; classes as gcp_auth_get. */
ks_rc gcp_auth_try(struct gcp_auth *a, const struct kms_call *call) KS_MUST;
void gcp_grant_done(struct gcp_grant *g);
