/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/plain_secrets.c - secrets in ordinary memory, for tests that mount a volume in every state after a power loss.
 *
 * Linked into a test it takes the place of libsodium's allocator, whose guard pages cost seven system calls for each secret:
 * most of the time of such a test, and nothing that it looks at. tests/unit/secret_test.c tests the real one.
 */
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

void *sodium_malloc(const size_t size)
{
    return malloc(size);
}

void sodium_free(void *ptr)
{
    if (ptr)
        sodium_munlock(ptr, malloc_usable_size(ptr)); /* wipes */
    free(ptr);
}

/* Kept ones stay within reach: their pages hold other things, too. */
int sodium_mprotect_noaccess(void *ptr)
{
    (void)ptr;
    return 0;
}

int sodium_mprotect_readwrite(void *ptr)
{
    (void)ptr;
    return 0;
}
