/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/certificate.h - key pairs, signatures and certificates (RFC 5280) of a fleet's own authority.
 *
 * ECDSA on P-256 with SHA-256 only. Private keys leave as PEM (PKCS#8) in wiping buffers and nowhere else. All functions
 * are thread-safe; one key pair may sign from several threads. What is made is valid from five minutes before now on, for hosts
 * whose clocks are a little behind. Texts of more than 64 KiB are FORMAT. A common name has 1 to 64 bytes of UTF-8, else USAGE.
 */
#pragma once

#include "base/buf.h"
#include "base/random.h"
#include "base/rc.h"
#include "base/view.h"

struct key_pair;

ks_rc key_pair_new(struct key_pair **ret) KS_MUST;
/* key_pair_read(pem, ret): FORMAT for anything but an unencrypted P-256 private key. */
ks_rc key_pair_read(struct view pem, struct key_pair **ret) KS_MUST;
/* key_pair_write(k, ret): appends PEM; ret must be a wiping buffer. */
ks_rc key_pair_write(const struct key_pair *k, struct buf *ret) KS_MUST;
void key_pair_free(struct key_pair *k);
void key_pair_freep(struct key_pair **k);
/* key_pair_sign(k, data, ret): appends the DER signature over SHA-256 of data. */
ks_rc key_pair_sign(const struct key_pair *k, struct view data, struct buf *ret) KS_MUST;

enum certificate_use { CERTIFICATE_SERVER, CERTIFICATE_CLIENT };

/* certificate_authority_make(k, name, now, seconds, random, ret): appends PEM of a self-signed authority (path length 0). */
ks_rc certificate_authority_make(const struct key_pair *k, const char *name, int64_t now,
                                 int64_t seconds, struct random *random, struct buf *ret) KS_MUST;
/* certificate_request_make(k, name, ret): appends a PKCS#10 request in PEM. */
ks_rc certificate_request_make(const struct key_pair *k, const char *name, struct buf *ret) KS_MUST;

struct certificate_order {
    enum certificate_use use;
    const char *name;       /* common name; what a request says about itself is not taken over */
    const char *alternates; /* comma-separated host names and addresses; NULL: none */
    int64_t now, seconds;
};
/* certificate_issue(authority_key, authority_pem, request_pem, order, random, ret): appends PEM. FORMAT for a request that is not P-256 or not
 * signed by its own key. */
ks_rc certificate_issue(const struct key_pair *authority_key, struct view authority_pem,
                        struct view request_pem, const struct certificate_order *order,
                        struct random *random, struct buf *ret) KS_MUST;

struct certificate_facts {
    char name[256];       /* common name; "" when it has none */
    char fingerprint[65]; /* SHA-256 of the DER form, lower-case hex */
    int64_t not_before, not_after;
};
/* certificate_read(text, ret): the first certificate of a PEM text, or one in DER. FORMAT. */
ks_rc certificate_read(struct view text, struct certificate_facts *ret) KS_MUST;
/* certificate_is_issued_by(certificate, authority, use, now): AUTH when the signature, the purpose or the time does not fit, or when it has
 * no purpose; FORMAT; now 0: whatever the time is. */
ks_rc certificate_is_issued_by(struct view certificate, struct view authority,
                               enum certificate_use use, int64_t now) KS_MUST;
/* certificate_verify(certificate, data, signature): AUTH when the signature (DER) is not by its key over data. */
ks_rc certificate_verify(struct view certificate, struct view data, struct view signature) KS_MUST;
