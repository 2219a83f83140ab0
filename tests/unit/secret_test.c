/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: secrets are zero at birth, lie in pages that are locked and kept out of core files,
 * fenced by pages that cannot be touched; a pool wipes what it takes back; and when memory cannot
 * be locked that is an error that names the way out.
 */
#include "base/secret.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
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

static void check_without_lockable_memory(bool may_swap)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(try_without_lockable_memory(may_swap));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void new__memory_cannot_be_locked__memlock_names_the_way_out(void **state)
{
    (void)state;
    if (MLOCK_IS_OFF)
        skip();
    check_without_lockable_memory(false);
}

static void new__memory_cannot_be_locked_but_swap_allowed__works(void **state)
{
    (void)state;
    check_without_lockable_memory(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new__secret__is_zero_locked_and_not_dumped),
        cmocka_unit_test(new__nothing__is_an_empty_secret),
        cmocka_unit_test(copy__bytes__same_bytes_elsewhere),
        cmocka_unit_test(read_beyond__secret__kills_the_process),
        cmocka_unit_test(is_equal__views__compares_contents_and_length),
        cmocka_unit_test(pool__many_slots__distinct_zero_and_locked),
        cmocka_unit_test(pool__slot_given_back__is_wiped_before_it_is_used_again),
        cmocka_unit_test(pool_new__slot_of_no_or_too_many_bytes__bug),
        cmocka_unit_test(new__memory_cannot_be_locked__memlock_names_the_way_out),
        cmocka_unit_test(new__memory_cannot_be_locked_but_swap_allowed__works),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
