/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/mem.c - the only door to the heap; no other file calls malloc and friends.
 */
#include "base/mem.h"

#include <malloc.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether count * bytes is a size; calloc asks the same, but sanitizers end the process for asking. */
static bool is_size(size_t count, size_t bytes)
{
    size_t product;

    return !__builtin_mul_overflow(count, bytes, &product);
}

ks_rc mem_new(size_t count, size_t bytes, void *ret_ptr)
{
    void *ptr = is_size(count, bytes) ? calloc(count ? count : 1, bytes ? bytes : 1) : NULL;

    ENSURE(ptr, KS_E_NO_MEMORY, "no memory for %zu x %zu bytes", count, bytes);
    memcpy(ret_ptr, &ptr, sizeof ptr);
    return KS_SUCCESS;
}

ks_rc mem_new_pages(size_t count, void *ret_ptr)
{
    size_t pages = count ? count : 1;
    void *ptr = is_size(pages, MEM_PAGE_BYTES)
                    ? aligned_alloc(MEM_PAGE_BYTES, pages * MEM_PAGE_BYTES)
                    : NULL;

    ENSURE(ptr, KS_E_NO_MEMORY, "no memory for %zu pages", count);
    memcpy(ret_ptr, &ptr, sizeof ptr);
    return KS_SUCCESS;
}

ks_rc mem_grow(size_t count, size_t bytes, void *ptr)
{
    void *old, *grown;

    memcpy(&old, ptr, sizeof old);
    grown = is_size(count, bytes) ? reallocarray(old, count ? count : 1, bytes ? bytes : 1) : NULL;
    ENSURE(grown, KS_E_NO_MEMORY, "no memory for %zu x %zu bytes", count, bytes);
    memcpy(ptr, &grown, sizeof grown);
    return KS_SUCCESS;
}

ks_rc mem_text(const char *text, char **ret_copy)
{
    char *copy = strdup(text);

    ENSURE(copy, KS_E_NO_MEMORY, "no memory for a text");
    *ret_copy = copy;
    return KS_SUCCESS;
}

ks_rc mem_format(char **ret_text, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    ENSURE(n >= 0, KS_E_NO_MEMORY, "no memory for a text");
    *ret_text = text;
    return KS_SUCCESS;
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_freep(void *ptr_to_ptr)
{
    void *ptr;

    memcpy(&ptr, ptr_to_ptr, sizeof ptr);
    free(ptr);
}

#if defined(__x86_64__)
static void wipe_registers(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile("vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
                         "vpxorq %%zmm18, %%zmm18, %%zmm18\n\tvpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
                         "vpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
                         "vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
                         "vpxorq %%zmm24, %%zmm24, %%zmm24\n\tvpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
                         "vpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
                         "vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
                         "vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31" ::
                             : "memory");
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroall" ::
                             : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                               "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                               "xmm15");
}
#else
static void wipe_registers(void)
{
}
#endif

void mem_wipe_trail(void)
{
    enum { TRAIL_BYTES = 64 * 1024 };

    wipe_registers(); /* first: a signal may come in between */
    sodium_stackzero(TRAIL_BYTES);
}

void mem_wipe(void *ptr, size_t len)
{
    sodium_memzero(ptr, len);
}

void *mem_wiped_new(size_t bytes)
{
    return calloc(1, bytes ? bytes : 1);
}

void *mem_wiped_new_many(size_t count, size_t bytes)
{
    return is_size(count, bytes) ? mem_wiped_new(count * bytes) : NULL;
}

void *mem_wiped_grow(void *ptr, size_t bytes)
{
    size_t before = ptr ? malloc_usable_size(ptr) : 0;
    void *grown = mem_wiped_new(bytes);

    if (grown && ptr)
        memcpy(grown, ptr, before < bytes ? before : bytes);
    if (grown)
        mem_wiped_free(ptr);
    return grown;
}

char *mem_wiped_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mem_wiped_new(bytes);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

void mem_wiped_free(void *ptr)
{
    if (ptr)
        mem_wipe(ptr, malloc_usable_size(ptr));
    free(ptr);
}

bool mem_is_zero(const void *ptr, size_t len)
{
    const uint8_t *bytes = ptr;

    if (len == 0)
        return true;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}
