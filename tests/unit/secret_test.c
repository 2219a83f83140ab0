/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: secrets are zero at birth, lie in pages that are locked and kept out of core files,
 * fenced by pages that cannot be touched, and are wiped and out of reach as soon as they are freed, though their memory
 * is used again; a pool wipes what it takes back; and when memory cannot
 * be locked that is an error that names the way out.
 */
#include "base/secret.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"

/* The address sanitizer of clang makes mlock do nothing. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MLOCK_IS_OFF 1
#endif
#endif
#ifndef MLOCK_IS_OFF
#define MLOCK_IS_OFF 0
#endif

static int setup(void **state)
{
    (void)state;
    check_ok(secret_init());
    return 0;
}

/* Whether the kernel says flag (as in VmFlags of proc(5)) of the mapping that at lies in. */
static bool mapping_has(const void *at, const char *flag)
{
    char line[1024];
    bool is_inside = false, has = false;
    FILE *maps = fopen("/proc/self/smaps", "r");

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && !isspace((unsigned char)line[0]))
            is_inside = from <= (unsigned long)at && (unsigned long)at < to;
        if (is_inside && strncmp(line, "VmFlags:", 8) == 0)
            has = strstr(line, flag) != NULL;
    }
    fclose(maps);
    return has;
}

static void new__secret__is_zero_locked_and_not_dumped(void **state)
{
    CLEANUP(secret_freep) struct secret *s = NULL;

    (void)state;
    check_ok(secret_new(32, &s));
    assert_true(mem_is_zero(secret_bytes(s), 32));
    assert_true(MLOCK_IS_OFF || mapping_has(secret_bytes(s), " lo"));
    assert_true(mapping_has(secret_bytes(s), " dd"));
}

static void new__nothing__is_an_empty_secret(void **state)
{
    CLEANUP(secret_freep) struct secret *s = NULL;

    (void)state;
    check_ok(secret_new(0, &s));
    assert_int_equal(secret_view(s).len, 0);
}

static void copy__bytes__same_bytes_elsewhere(void **state)
{
    CLEANUP(secret_freep) struct secret *s = NULL;
    const char key[] = "0123456789abcdef";

    (void)state;
    check_ok(secret_copy(view_text(key), &s));
    check_bytes(secret_view(s), view_text(key));
    assert_ptr_not_equal(secret_bytes(s), key);
}

static void read_beyond__secret__kills_the_process(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        struct secret *s;
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL); /* cmocka would take it for a failed test */
        if (!ks_ok(secret_new(32, &s)))
            _exit(0);
        volatile uint8_t beyond = secret_bytes(s)[32];
        (void)beyond;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What the memory holds, whether or not it may be touched; false when it is there no more. */
static bool peek(const void *at, uint8_t *ret, size_t len)
{
    FILE *mem = fopen("/proc/self/mem", "rb");

    assert_non_null(mem);
    setvbuf(mem, NULL, _IONBF, 0);
    bool is_there =
        fseeko(mem, (off_t)(uintptr_t)at, SEEK_SET) == 0 && fread(ret, len, 1, mem) == 1;
    fclose(mem);
    return is_there;
}

/* Where it is not so (proc_mem.force_override=never) no test can see what a freed secret holds. */
static bool may_peek_where_nothing_may(void)
{
    const size_t len = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t found[8];
    void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(page, MAP_FAILED);
    memset(page, 0x5a, len);
    assert_int_equal(mprotect(page, len, PROT_NONE), 0);
    bool may = peek(page, found, sizeof found) && found[0] == 0x5a;
    munmap(page, len);
    return may;
}

static void free__secret__is_wiped_at_once(void **state)
{
    struct secret *s;
    uint8_t found[32];

    (void)state;
    if (!may_peek_where_nothing_may()) {
        print_message(
            "SKIP: the kernel shows no memory that may not be touched, so whether a freed "
            "secret is wiped was not seen\n");
        skip();
    }
    check_ok(secret_copy(view_text("0123456789abcdef0123456789abcdef"), &s));
    const uint8_t *at = secret_bytes(s);
    assert_true(peek(at, found, sizeof found) && !mem_is_zero(found, sizeof found));
    secret_free(s);
    assert_true(peek(at, found, sizeof found)); /* it is kept for the next one */
    assert_true(mem_is_zero(found, sizeof found));
}

static void new__after_many_were_freed__each_is_zero_locked_and_not_dumped(void **state)
{
    enum { COUNT = 40 };
    struct secret *s[COUNT];

    (void)state;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t len = 32 + i % 3 * 16;
            check_ok(secret_new(len, &s[i]));
            assert_true(mem_is_zero(secret_bytes(s[i]), len));
            assert_true(MLOCK_IS_OFF || mapping_has(secret_bytes(s[i]), " lo"));
            assert_true(mapping_has(secret_bytes(s[i]), " dd"));
            memset(secret_bytes(s[i]), (int)i + 1, len);
        }
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(secret_bytes(s[i])[0], i + 1);
            secret_free(s[i]);
        }
    }
}

/* misuse(how): in a child, whether it was killed for it. */
static void check_killed(void (*misuse)(struct secret *s))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        struct secret *s;
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL); /* cmocka would take them for failed tests */
        signal(SIGABRT, SIG_DFL);
        if (ks_ok(secret_new(32, &s)))
            misuse(s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void read_when_freed(struct secret *s)
{
    volatile const uint8_t *bytes = secret_bytes(s);

    secret_free(s);
    (void)bytes[0];
}

static void write_before(struct secret *s)
{
    volatile uint8_t *bytes = secret_bytes(s);

    bytes[-1] ^= 1;
    secret_free(s);
}

static void read_freed__secret__kills_the_process(void **state)
{
    (void)state;
    check_killed(read_when_freed);
}

static void free__something_was_written_before_it__kills_the_process(void **state)
{
    (void)state;
    check_killed(write_before);
}

static void is_equal__views__compares_contents_and_length(void **state)
{
    (void)state;
    assert_true(secret_is_equal(view_text("abc"), view_text("abc")));
    assert_true(secret_is_equal(view_text(""), view_text("")));
    assert_false(secret_is_equal(view_text("abc"), view_text("abd")));
    assert_false(secret_is_equal(view_text("abc"), view_text("ab")));
}

static void pool__many_slots__distinct_zero_and_locked(void **state)
{
    enum { COUNT = 3000, SLOT = 48 };
    static void *slots[COUNT];
    struct secret_pool *p;

    (void)state;
    check_ok(secret_pool_new(SLOT, &p));
    for (size_t i = 0; i < COUNT; i++) {
        check_ok(secret_pool_get(p, &slots[i]));
        assert_true(mem_is_zero(slots[i], SLOT));
        memset(slots[i], (int)(i % 255) + 1, SLOT);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < SLOT; k++)
            assert_int_equal(((uint8_t *)slots[i])[k], i % 255 + 1);
    assert_true(MLOCK_IS_OFF || mapping_has(slots[0], " lo"));
    assert_true(mapping_has(slots[COUNT - 1], " dd"));
    secret_pool_free(p);
}

static void pool__slot_given_back__is_wiped_before_it_is_used_again(void **state)
{
    struct secret_pool *p;
    void *slot, *again;

    (void)state;
    check_ok(secret_pool_new(64, &p));
    check_ok(secret_pool_get(p, &slot));
    memset(slot, 0xaa, 64);
    secret_pool_put(p, slot);
    /* all but the link of the free list, which is there instead */
    assert_true(mem_is_zero((uint8_t *)slot + sizeof(void *), 64 - sizeof(void *)));
    check_ok(secret_pool_get(p, &again));
    assert_ptr_equal(again, slot);
    assert_true(mem_is_zero(again, 64));
    secret_pool_put(p, NULL);
    secret_pool_free(p);
}

static void pool_new__slot_of_no_or_too_many_bytes__bug(void **state)
{
    struct secret_pool *p;

    (void)state;
    check_rc(secret_pool_new(0, &p), BUG);
    check_rc(secret_pool_new(4097, &p), BUG);
}

/* In a child without the right and without a limit: 0 when secret_new did as is wanted. */
static int try_without_lockable_memory(bool may_swap)
{
    struct rlimit none = {0, 0};
    struct secret *s;

    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0))
        return 3;
    secret_allow_swap(may_swap);
    ks_rc rc = secret_new(32, &s);
    if (may_swap)
        return ks_ok(rc) ? 0 : 1;
    if (!ks_is(rc, KS_E_MEMLOCK))
        return 1;
    return strstr(ks_text(rc), "--allow-swap") && strstr(ks_text(rc), "LimitMEMLOCK") ? 0 : 2;
}

/* In a child: nothing is locked, the shelf has nothing for the lengths of these tests, and no more pages than these may be locked. */
static bool limit_pages(rlim_t pages)
{
    struct rlimit few = {pages * 4096, pages * 4096};
    struct secret *s;

    for (size_t i = 0; i < 3 * 16; i++) /* what other tests left for these lengths */
        if (!ks_ok(secret_new(32 + i % 3 * 16, &s)))
            return false;
    munlockall();
    return setrlimit(RLIMIT_MEMLOCK, &few) == 0 && (geteuid() != 0 || setuid(65534) == 0);
}

/* A page of each stays locked on the shelf. */
static bool use_and_free_12(size_t len)
{
    struct secret *s[12];

    for (size_t i = 0; i < 12; i++)
        if (!ks_ok(secret_new(len, &s[i])))
            return false;
    for (size_t i = 0; i < 12; i++)
        secret_free(s[i]);
    return true;
}

/* In a child with a limit of 16 pages: 0 when 12 secrets of one length leave room for 12 of another. */
static int try_within_a_limit(bool unused)
{
    (void)unused;
    if (!limit_pages(16))
        return 3;
    return use_and_free_12(16) && use_and_free_12(48) ? 0 : 1;
}

/* In a child with a limit of 24 pages, of which the first slab of a pool takes 17: 0 when 12 secrets leave room for it. */
static int try_a_pool_within_a_limit(bool unused)
{
    struct secret_pool *p;
    void *slot;

    (void)unused;
    if (!limit_pages(24) || !ks_ok(secret_pool_new(64, &p)) || !use_and_free_12(16))
        return 3;
    return ks_ok(secret_pool_get(p, &slot)) && mem_is_zero(slot, 64) ? 0 : 1;
}

static void check_in_child(int (*try)(bool), bool may_swap)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(try(may_swap));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void new__little_may_be_locked__what_was_freed_does_not_stand_in_the_way(void **state)
{
    (void)state;
    if (MLOCK_IS_OFF)
        skip();
    check_in_child(try_within_a_limit, false);
}

static void pool__little_may_be_locked__what_was_freed_does_not_stand_in_the_way(void **state)
{
    (void)state;
    if (MLOCK_IS_OFF)
        skip();
    check_in_child(try_a_pool_within_a_limit, false);
}

static void new__memory_cannot_be_locked__memlock_names_the_way_out(void **state)
{
    (void)state;
    if (MLOCK_IS_OFF)
        skip();
    check_in_child(try_without_lockable_memory, false);
}

static void new__memory_cannot_be_locked_but_swap_allowed__works(void **state)
{
    (void)state;
    check_in_child(try_without_lockable_memory, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new__secret__is_zero_locked_and_not_dumped),
        cmocka_unit_test(new__nothing__is_an_empty_secret),
        cmocka_unit_test(copy__bytes__same_bytes_elsewhere),
        cmocka_unit_test(read_beyond__secret__kills_the_process),
        cmocka_unit_test(free__secret__is_wiped_at_once),
        cmocka_unit_test(new__after_many_were_freed__each_is_zero_locked_and_not_dumped),
        cmocka_unit_test(read_freed__secret__kills_the_process),
        cmocka_unit_test(free__something_was_written_before_it__kills_the_process),
        cmocka_unit_test(is_equal__views__compares_contents_and_length),
        cmocka_unit_test(pool__many_slots__distinct_zero_and_locked),
        cmocka_unit_test(pool__slot_given_back__is_wiped_before_it_is_used_again),
        cmocka_unit_test(pool_new__slot_of_no_or_too_many_bytes__bug),
        cmocka_unit_test(new__little_may_be_locked__what_was_freed_does_not_stand_in_the_way),
        cmocka_unit_test(pool__little_may_be_locked__what_was_freed_does_not_stand_in_the_way),
        cmocka_unit_test(new__memory_cannot_be_locked__memlock_names_the_way_out),
        cmocka_unit_test(new__memory_cannot_be_locked_but_swap_allowed__works),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
