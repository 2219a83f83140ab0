/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/wire_tls.h - TLS for the scripted server, with a certificate made on the spot.
 */
#pragma once

#include <openssl/ssl.h>

/* wire_tls_new(ret_pem, room): a server context whose self-signed certificate for "localhost" is put
 * into ret_pem. Ends the process when OpenSSL fails: a test cannot go on without. */
SSL_CTX *wire_tls_new(char *ret_pem, size_t room);
