/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: two openings of a name are one page; what is not this user's alone is not used.
 */
#include "io/shared_page.h"

#include <sys/stat.h>

#include "tmpdir.h"

static struct tmpdir tmp;
static struct path dir;

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    dir = tmpdir_path(&tmp, "run");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmpdir_remove(&tmp);
    return 0;
}

static void open__twice__same_page(void **state)
{
    struct stat st;
    void *a, *b;

    (void)state;
    check_ok(shared_page_open(dir.text, "x", &a));
    check_ok(shared_page_open(dir.text, "x", &b));
    memset(a, 7, SHARED_PAGE_BYTES);
    assert_memory_equal(a, b, SHARED_PAGE_BYTES);
    assert_int_equal(stat(dir.text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    shared_page_close(a);
    shared_page_close(b);
    shared_page_close(NULL);
}

static void open__short_file_of_a_killed_process__is_a_whole_page(void **state)
{
    char *page;

    (void)state;
    assert_int_equal(mkdir(dir.text, 0700), 0);
    struct path file = tmpdir_path(&tmp, "run/x");
    file_put(file.text, view_text("abc"));
    assert_int_equal(chmod(file.text, 0600), 0);
    check_ok(shared_page_open(dir.text, "x", (void **)&page));
    assert_memory_equal(page, "abc\0", 5);
    page[SHARED_PAGE_BYTES - 1] = 1;
    shared_page_close(page);
}

static void open__others_may_use_it__usage(void **state)
{
    void *page = NULL;

    (void)state;
    assert_int_equal(mkdir(dir.text, 0700), 0);
    struct path file = tmpdir_path(&tmp, "run/x");
    file_put(file.text, view_text("abc"));
    assert_int_equal(chmod(file.text, 0666), 0);
    check_rc(shared_page_open(dir.text, "x", &page), USAGE);
    assert_int_equal(chmod(dir.text, 0755), 0);
    check_rc(shared_page_open(dir.text, "y", &page), USAGE);
    assert_null(page);
}

static void open__link_or_missing_parent__fails(void **state)
{
    void *page = NULL;

    (void)state;
    assert_int_equal(mkdir(dir.text, 0700), 0);
    assert_int_equal(symlink("/dev/null", tmpdir_path(&tmp, "run/x").text), 0);
    assert_false(ks_ok(shared_page_open(dir.text, "x", &page)));
    assert_false(ks_ok(shared_page_open(tmpdir_path(&tmp, "no/where").text, "x", &page)));
    assert_null(page);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(open__twice__same_page),
        T(open__short_file_of_a_killed_process__is_a_whole_page),
        T(open__others_may_use_it__usage),
        T(open__link_or_missing_parent__fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
