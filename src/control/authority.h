/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/authority.h - the certificate authority of a fleet: DIR/authority.pem and DIR/authority.key.
 *
 * Made once with the state directory, for ten years. It signs certificates of nodes (for TLS clients, common name is the node's id)
 * and of the control plane's own listeners (for TLS servers). The private key never leaves the process but for its file, mode 0600.
 * Thread-safe.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"

struct authority;

enum {
    AUTHORITY_DAYS = 3653,
    NODE_CERTIFICATE_DAYS = 365,
    SERVER_CERTIFICATE_DAYS = 90,
    CERTIFICATE_PEM_MAX = 64 * 1024,
};

/* authority_make(dir, clock, random): EXISTS when there is one. */
ks_rc authority_make(const char *dir, struct clock *clock, struct random *random) KS_MUST;
/* authority_open(dir, clock, random, ret): NOT_FOUND, FORMAT; AUTH when key and certificate do not belong together. */
ks_rc authority_open(const char *dir, struct clock *clock, struct random *random,
                     struct authority **ret) KS_MUST;
void authority_free(struct authority *a);
const char *authority_pem(const struct authority *a);
/* authority_fingerprint(a): SHA-256 of its certificate, hex. */
const char *authority_fingerprint(const struct authority *a);

/* authority_sign_node(a, request, node, ret): appends PEM; USAGE for a request that cannot be taken. */
ks_rc authority_sign_node(const struct authority *a, const char *request_pem, const char *node,
                          struct buf *ret) KS_MUST;
/* authority_make_server(a, names, days, ret_cert, ret_key): a new key pair and its certificate; ret_key is a wiping buffer. */
ks_rc authority_make_server(const struct authority *a, const char *names, int64_t days,
                            struct buf *ret_cert, struct buf *ret_key) KS_MUST;
