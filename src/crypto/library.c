/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/library.c - which crypto library this process runs with.
 */
#include "crypto/library.h"

#include <openssl/crypto.h>

const char *crypto_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}
