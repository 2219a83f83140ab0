/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: profiles come back as they were stored, a damaged file is told as such and never overwritten, and the choice of a
 * profile says what there would be.
 */
#include "cli/profile.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "tmpdir.h"

static struct tmpdir dir;

static int setup(void **state)
{
    (void)state;
    dir = tmpdir_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmpdir_remove(&dir);
    return 0;
}

static json_t *two(void)
{
    return json_pack("{s:s, s:{s:{s:s, s:s}, s:{s:s, s:s, s:s}}}", "current", "dev", "profiles",
                     "dev", "server", "http://127.0.0.1:8080", "key_file", "/k/dev", "prod",
                     "server", "https://keys.example.com", "key_file", "/k/prod", "ca_file",
                     "/k/ca.pem");
}

static void path__by_environment(void **state)
{
    char *path = NULL;

    (void)state;
    setenv("HOME", "/home/x", 1);
    unsetenv("XDG_CONFIG_HOME");
    check_ok(profile_path(&path));
    assert_string_equal(path, "/home/x/.config/keystead/profiles.json");
    mem_freep(&path);
    setenv("XDG_CONFIG_HOME", "/conf", 1);
    check_ok(profile_path(&path));
    assert_string_equal(path, "/conf/keystead/profiles.json");
    mem_freep(&path);
    unsetenv("HOME");
    unsetenv("XDG_CONFIG_HOME");
    check_rc(profile_path(&path), USAGE);
}

static void store__then_load__the_same(void **state)
{
    struct path file = tmpdir_path(&dir, "a/b/profiles.json");
    json_t *stored = two(), *loaded = NULL;
    struct stat st;

    (void)state;
    check_ok(profile_store(file.text, stored));
    check_ok(profile_load(file.text, &loaded));
    assert_true(json_equal(stored, loaded));
    assert_int_equal(stat(file.text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    json_decref(stored);
    json_decref(loaded);
}

static void store__where_no_directory_can_be__os_error(void **state)
{
    struct path file = tmpdir_path(&dir, "plain/profiles.json");
    json_t *all = two();

    (void)state;
    file_put(tmpdir_path(&dir, "plain").text, view_text("a file"));
    ks_rc rc = profile_store(file.text, all);
    assert_true(ks_is_os(rc, ENOTDIR));
    json_decref(all);
}

static void load__no_file__no_profiles(void **state)
{
    json_t *all = NULL;
    struct profile p = {NULL, NULL, NULL};

    (void)state;
    check_ok(profile_load(tmpdir_path(&dir, "none.json").text, &all));
    assert_int_equal(json_object_size(json_object_get(all, "profiles")), 0);
    ks_rc rc = profile_choose(all, NULL, &p);
    check_rc(rc, USAGE);
    check_text(rc, "keystead profile set");
    rc = profile_choose(all, "dev", &p);
    check_rc(rc, NOT_FOUND);
    check_text(rc, "there are none");
    json_decref(all);
}

static void load__damaged_file__format_with_its_name(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"profiles\": []}",
        "{\"profiles\": {\"dev\": 1}}",
        "{\"profiles\": {\"dev\": {}}}",
        "{\"profiles\": {\"dev\": {\"server\": 1}}}",
        "{\"profiles\": {\"dev\": {\"server\": \"x\", \"key_file\": {}}}}",
        "{\"profiles\": {\"Dev Box\": {\"server\": \"x\"}}}",
        "{\"profiles\": {}, \"current\": \"gone\"}",
        "{\"profiles\": {}, \"current\": 5}",
    };
    struct path file = tmpdir_path(&dir, "damaged.json");
    json_t *all = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        file_put(file.text, view_text(texts[i]));
        ks_rc rc = profile_load(file.text, &all);
        check_rc(rc, FORMAT);
        check_text(rc, "damaged.json");
    }
    assert_null(all);
}

static void choose__by_name_and_current(void **state)
{
    json_t *all = two();
    struct profile p = {NULL, NULL, NULL};

    (void)state;
    check_ok(profile_choose(all, NULL, &p));
    assert_string_equal(p.server, "http://127.0.0.1:8080");
    assert_null(p.ca_file);
    profile_done(&p);
    check_ok(profile_choose(all, "prod", &p));
    assert_string_equal(p.key_file, "/k/prod");
    assert_string_equal(p.ca_file, "/k/ca.pem");
    profile_done(&p);
    ks_rc rc = profile_choose(all, "test", &p);
    check_rc(rc, NOT_FOUND);
    check_text(rc, "there are: dev, prod");
    json_decref(all);
}

static void check_name__bounds(void **state)
{
    static const char *const bad[] = {
        "",     "Dev",      "a b",
        "../x", "\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123"};

    (void)state;
    check_ok(profile_check_name("a.b-c_9"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_rc(profile_check_name(bad[i]), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path__by_environment),
        cmocka_unit_test(store__then_load__the_same),
        cmocka_unit_test(store__where_no_directory_can_be__os_error),
        cmocka_unit_test(load__no_file__no_profiles),
        cmocka_unit_test(load__damaged_file__format_with_its_name),
        cmocka_unit_test(choose__by_name_and_current),
        cmocka_unit_test(check_name__bounds),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
