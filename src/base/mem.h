/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/mem.h - the only door to the heap.
 *
 * Everything is zeroed at birth, but for mem_new_pages. mem_free(NULL) does nothing.
 */
#pragma once

#include "base/rc.h"

/* mem_new(count, bytes, ret): count * bytes zeroed bytes; NO_MEMORY when there are none or the
 * product overflows. *ret is written only on success; free with mem_free. */
ks_rc mem_new(size_t count, size_t bytes, void *ret_ptr) KS_MUST;

/* mem_new_pages(count, ret): as mem_new, count pages of MEM_PAGE_BYTES at an address that divides by that, as O_DIRECT wants it. The only memory
 * that is not zeroed: what is not written yet takes no room. */
enum { MEM_PAGE_BYTES = 4096 };
ks_rc mem_new_pages(size_t count, void *ret_ptr) KS_MUST;

/* mem_grow(count, bytes, ptr): *ptr to room for count * bytes bytes, contents kept; the new part is
 * not zeroed. On failure *ptr is as before. Never for secrets. */
ks_rc mem_grow(size_t count, size_t bytes, void *ptr) KS_MUST;

/* mem_text(text, ret): a copy of a C string. */
ks_rc mem_text(const char *text, char **ret_copy) KS_MUST;

/* mem_format(ret, fmt, ...): a new formatted string. */
ks_rc mem_format(char **ret_text, const char *fmt, ...) KS_MUST KS_PRINTF(2, 3);

void mem_free(void *ptr);
/* mem_freep(&ptr): for CLEANUP on any pointer variable. */
void mem_freep(void *ptr_to_ptr);

/* mem_wipe(ptr, len): zeroes memory that held a secret; never optimised away. */
void mem_wipe(void *ptr, size_t len);

/*
 * mem_wipe_trail(): zeroes what earlier calls of this thread left behind it: 64 KiB of its stack below the caller, and the
 * vector registers. Ciphers and copies leave keys and plaintext there, and a signal stores all registers on the stack. For a
 * thread that is about to wait with nothing of its own to remember; its stack must have the room.
 */
void mem_wipe_trail(void);

/*
 * Memory for libraries that keep secrets in it and take allocation functions (libcurl, jansson): as malloc and
 * friends, zeroed at birth and wiped before it goes back to the heap. Not to be mixed with mem_free.
 */
void *mem_wiped_new(size_t bytes);
void *mem_wiped_new_many(size_t count, size_t bytes);
void *mem_wiped_grow(void *ptr, size_t bytes);
char *mem_wiped_text(const char *text);
void mem_wiped_free(void *ptr);

/* mem_is_zero(ptr, len): whether all bytes are zero; fast, not constant time. */
bool mem_is_zero(const void *ptr, size_t len);
