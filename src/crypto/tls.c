/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/tls.c - options of TLS contexts.
 *
 * Wiping every block that the library frees (CRYPTO_set_mem_functions) would cost each cipher context of the
 * volumes too, and would miss the buffer of a connection that is kept open. This option wipes just that buffer.
 */
#include "crypto/tls.h"

#include <openssl/ssl.h>

void crypto_tls_wipe_plaintext(void *context)
{
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
}
