/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the kernel's table of mounts is read rightly, whatever blanks a path has and whatever else is mounted; a line
 * that is cut off, too long or foreign is no volume and no crash.
 */
#include "cli/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "36 35 98:0 / "
#define FUSE " rw,nosuid shared:1 master:2 - fuse.keystead keystead:"

static struct mount_entry entry;

static bool next(const char *text)
{
    struct view in = view_text(text);

    return mount_entry_next(&in, &entry);
}

static void next__a_volume_among_others__found(void **state)
{
    (void)state;
    assert_true(next("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" HEAD "/mnt" FUSE "/srv/x rw\n"));
    assert_string_equal(entry.point, "/mnt");
    assert_string_equal(entry.backing, "/srv/x");
}

static void next__no_optional_fields__found(void **state)
{
    (void)state;
    assert_true(next(HEAD "/mnt rw - fuse keystead:/srv/x rw"));
    assert_string_equal(entry.backing, "/srv/x");
}

static void next__octal_escapes__unescaped(void **state)
{
    (void)state;
    assert_true(next(HEAD "/a\\040b\\011c" FUSE "/d\\012e\\134f rw\n"));
    assert_string_equal(entry.point, "/a b\tc");
    assert_string_equal(entry.backing, "/d\ne\\f");
}

static void next__half_an_escape__kept_as_it_is(void **state)
{
    (void)state;
    assert_true(next(HEAD "/a\\04" FUSE "/b\\998\\ rw\n"));
    assert_string_equal(entry.point, "/a\\04");
    assert_string_equal(entry.backing, "/b\\998\\");
}

static void next__two_volumes__both_in_order(void **state)
{
    struct view in = view_text(HEAD "/one" FUSE "/x rw\n" HEAD "/two" FUSE "/y rw\n");

    (void)state;
    assert_true(mount_entry_next(&in, &entry));
    assert_string_equal(entry.point, "/one");
    assert_true(mount_entry_next(&in, &entry));
    assert_string_equal(entry.point, "/two");
    assert_false(mount_entry_next(&in, &entry));
}

static void next__foreign_lines__none(void **state)
{
    static const char *const lines[] = {"",
                                        "\n",
                                        "-",
                                        "36 35",
                                        HEAD "/mnt rw -",
                                        HEAD "/mnt rw - fuse.keystead",
                                        HEAD "/mnt rw - fuse.keystead keystead:",
                                        HEAD "/mnt rw - ext4 keystead:/srv/x rw",
                                        HEAD "/mnt rw - fuse.other other:/srv/x rw",
                                        HEAD "/mnt rw fuse.keystead keystead:/x rw"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_false(next(lines[i]));
}

static void next__every_prefix_of_a_line__no_crash(void **state)
{
    static const char line[] = HEAD "/a\\040b" FUSE "/srv/x rw\n";

    (void)state;
    for (size_t len = 0; len < sizeof line; len++) {
        char *exact = test_malloc(len + 1); /* to the byte, so that reading beyond is seen */
        memcpy(exact, line, len);
        struct view in = view_of(exact, len);
        while (mount_entry_next(&in, &entry))
            assert_string_equal(entry.point, "/a b");
        test_free(exact);
    }
}

static void next__path_too_long__no_volume(void **state)
{
    char line[2 * RESOLVE_PATH_BYTES];
    size_t head = sizeof HEAD - 1;

    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line, HEAD, head);
    memcpy(line + head + RESOLVE_PATH_BYTES, FUSE "/x rw\n", sizeof FUSE "/x rw\n");
    assert_false(next(line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next__a_volume_among_others__found),
        cmocka_unit_test(next__no_optional_fields__found),
        cmocka_unit_test(next__octal_escapes__unescaped),
        cmocka_unit_test(next__half_an_escape__kept_as_it_is),
        cmocka_unit_test(next__two_volumes__both_in_order),
        cmocka_unit_test(next__foreign_lines__none),
        cmocka_unit_test(next__every_prefix_of_a_line__no_crash),
        cmocka_unit_test(next__path_too_long__no_volume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
