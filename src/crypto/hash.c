/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/hash.c - SHA-256 and HMAC-SHA-256 on OpenSSL's EVP, CRC-32C on the processor.
 *
 * Keeps the fetched algorithm and the tables of the portable CRC for the life of the process; keeps no key.
 */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/hash_int.h"

enum { SHA256_BLOCK = 64 };

static EVP_MD *sha256;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* The provider clears its state before it frees it. */
static void md_ctx_freep(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

/* SHA-256 of a followed by b. */
static ks_rc digest_two(struct view a, struct view b, uint8_t ret[HASH_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CLEANUP(md_ctx_freep) EVP_MD_CTX *c = NULL;
    unsigned n = 0;

    pthread_once(&once, fetch);
    ENSURE(sha256, KS_E_BUG, "OpenSSL has no SHA-256");
    c = EVP_MD_CTX_new();
    ENSURE(c, KS_E_NO_MEMORY, "no memory for a digest");
    ENSURE(EVP_DigestInit_ex2(c, sha256, NULL) == 1 && EVP_DigestUpdate(c, a.bytes, a.len) == 1 &&
               EVP_DigestUpdate(c, b.bytes, b.len) == 1 && EVP_DigestFinal_ex(c, ret, &n) == 1 &&
               n == HASH_BYTES,
           KS_E_BUG, "OpenSSL cannot compute a digest");
    return KS_SUCCESS;
}

ks_rc hash_sha256(struct view data, uint8_t ret[HASH_BYTES])
{
    return digest_two(data, view_of(NULL, 0), ret);
}

/* What lies on the stack while a MAC is made. */
struct hmac_pads {
    uint8_t inner[SHA256_BLOCK], outer[SHA256_BLOCK], digest[HASH_BYTES];
};

static void hmac_pads_wipe(struct hmac_pads *p)
{
    mem_wipe(p, sizeof *p);
}

ks_rc hash_hmac(struct view key, struct view data, uint8_t ret[HASH_BYTES])
{
    CLEANUP(hmac_pads_wipe) struct hmac_pads p = {{0}, {0}, {0}};

    if (key.len > SHA256_BLOCK)
        TRY(hash_sha256(key, p.inner));
    else if (key.len)
        memcpy(p.inner, key.bytes, key.len);
    for (size_t i = 0; i < SHA256_BLOCK; i++) {
        p.outer[i] = p.inner[i] ^ 0x5c;
        p.inner[i] ^= 0x36;
    }
    TRY(digest_two(view_of(p.inner, sizeof p.inner), data, p.digest));
    return digest_two(view_of(p.outer, sizeof p.outer), view_of(p.digest, HASH_BYTES), ret);
}

/* The polynomial 0x1EDC6F41, bits reversed. */
static const uint32_t CASTAGNOLI = 0x82F63B78;

static uint32_t crc_table[256];

static void crc_table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? CASTAGNOLI : 0);
        crc_table[i] = crc;
    }
}

uint32_t hash_crc32c_portable(struct view data)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint32_t crc = ~0U;

    pthread_once(&once, crc_table_fill);
    for (size_t i = 0; i < data.len; i++)
        crc = (crc >> 8) ^ crc_table[(crc ^ data.bytes[i]) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(struct view data)
{
    uint64_t crc = ~0U;
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= data.len; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, data.bytes + i, sizeof word);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; i < data.len; i++)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, data.bytes[i]);
    return ~(uint32_t)crc;
}

uint32_t hash_crc32c(struct view data)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_instruction(data) : hash_crc32c_portable(data);
}
#else
uint32_t hash_crc32c(struct view data)
{
    return hash_crc32c_portable(data);
}
#endif
