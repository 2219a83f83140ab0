/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/tls.h - what our TLS connections ask of the crypto library beyond its defaults.
 */
#pragma once

/* crypto_tls_wipe_plaintext(context): connections of this SSL_CTX wipe what they decrypted as soon as it was
 * read. The type is not named so that net/, which gets it from its library, need not know it. */
void crypto_tls_wipe_plaintext(void *context);
