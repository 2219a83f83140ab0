/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_principal.h - as whom AWS is asked: with this process's own credentials, or in a role of the customer.
 *
 * A role is assumed for an organisation, whose name is the ExternalId: the customer's trust policy names it, and so nobody
 * else's volumes get at his key through us. Sessions are renewed every half minute, not only before they end: this is how a
 * trust policy that the customer has edited is noticed within the time that revocation may take. Thread-safe.
 */
#pragma once

#include "kms/aws_cache.h"
#include "kms/aws_chain.h"

struct aws_role_session;

struct aws_principal {
    struct aws_chain chain;
    struct aws_cache own;
    struct random *random;
    char role_arn[KEY_PRINCIPAL_BYTES]; /* "": none */
    pthread_mutex_t mutex;              /* sessions */
    struct aws_role_session *sessions;  /* one for each ExternalId */
    unsigned session_count;
};

/* aws_principal_init(p, chain, role_arn): p must not move afterwards. aws_principal_done(p): no call may be running. */
void aws_principal_init(struct aws_principal *p, const struct aws_chain *chain,
                        const char *role_arn);
void aws_principal_done(struct aws_principal *p);

/*
 * aws_principal_use(p, call, external_id, use, arg): as aws_cache_use, with the credentials for this ExternalId (NULL: none).
 * DENIED when STS refuses the role: the customer decides that. CREDENTIAL for all else that is wrong with credentials; USAGE
 * for what cannot be an ExternalId.
 */
ks_rc aws_principal_use(struct aws_principal *p, const struct kms_call *call,
                        const char *external_id,
                        ks_rc (*use)(void *arg, const struct aws_credentials *,
                                     enum aws_cure *cure),
                        void *arg) KS_MUST;
