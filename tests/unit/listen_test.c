/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: "ADDRESS:PORT" in both families is read as meant, and everything else is refused with the option's name.
 */
#include "cli/listen.h"

#include <string.h>

#include "check.h"

static void check_place(const char *text, const char *address, int port)
{
    struct listen_place place;

    check_ok(listen_parse("--listen", text, &place));
    assert_string_equal(place.address, address);
    assert_int_equal(place.port, port);
}

static void parse__both_families__as_meant(void **state)
{
    (void)state;
    check_place("127.0.0.1:8443", "127.0.0.1", 8443);
    check_place("0.0.0.0:0", "0.0.0.0", 0);
    check_place("[::1]:65535", "::1", 65535);
    check_place("::1:80", "::1", 80);
}

static void check_refused(const char *text)
{
    struct listen_place place = {.port = 7};

    ks_rc rc = listen_parse("--listen-nodes", text, &place);
    assert_true(ks_is(rc, KS_E_USAGE));
    check_text(rc, "--listen-nodes");
    assert_int_equal(place.port, 7);
}

static void parse__anything_else__usage(void **state)
{
    char text[200];

    (void)state;
    check_refused("");
    check_refused("8443");
    check_refused(":8443");
    check_refused("[]:8443");
    check_refused("127.0.0.1:");
    check_refused("127.0.0.1:65536");
    check_refused("127.0.0.1:-1");
    check_refused("127.0.0.1:80x");
    memset(text, 'a', sizeof text);
    memcpy(text + 100, ":80", 4);
    check_refused(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__both_families__as_meant),
        cmocka_unit_test(parse__anything_else__usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
