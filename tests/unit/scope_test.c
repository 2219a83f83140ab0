/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: nobody sees or grants anything outside the own scope: every kind of caller against every kind of object.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "control/scope.h"

static struct caller caller(const char *organisation, const char *cluster, enum role role)
{
    struct caller c = {.role = role};

    snprintf(c.organisation, sizeof c.organisation, "%s", organisation);
    snprintf(c.cluster, sizeof c.cluster, "%s", cluster);
    return c;
}

static void every_caller_and_object__seen_as_the_table_says(void **state)
{
    /* objects: of the platform, of organisation o, cluster c of o, cluster d of o, of organisation p, cluster e of p */
    static const char *const objects[][2] = {{"", ""},   {"o", ""}, {"o", "c"},
                                             {"o", "d"}, {"p", ""}, {"p", "e"}};
    static const struct {
        const char *organisation, *cluster, *seen;
    } rows[] = {
        {"", "", "yy..y."},  {"o", "", ".yyy.."},  {"o", "c", "..y..."},
        {"p", "", "....yy"}, {"p", "e", ".....y"},
    };

    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (size_t o = 0; o < 6; o++) {
            struct caller by = caller(rows[r].organisation, rows[r].cluster, ROLE_ADMIN);
            assert_int_equal(caller_may_see(&by, objects[o][0], objects[o][1]),
                             rows[r].seen[o] == 'y');
        }
}

static void organisation_itself__seen_by_its_own_keys_and_the_platform(void **state)
{
    struct caller platform = caller("", "", ROLE_VIEWER), own = caller("o", "", ROLE_VIEWER),
                  cluster = caller("o", "c", ROLE_VIEWER), other = caller("p", "", ROLE_ADMIN);

    (void)state;
    assert_true(caller_is_platform(&platform) && !caller_is_platform(&own));
    assert_true(caller_may_see_organisation(&platform, "o"));
    assert_true(caller_may_see_organisation(&own, "o"));
    assert_true(caller_may_see_organisation(&cluster, "o"));
    assert_false(caller_may_see_organisation(&other, "o"));
}

static void roles__greater_ones_include_smaller_ones(void **state)
{
    (void)state;
    for (int has = 0; has < ROLE_COUNT; has++)
        for (int wants = 0; wants < ROLE_COUNT; wants++) {
            struct caller by = caller("o", "", (enum role)has);
            assert_int_equal(caller_has_role(&by, (enum role)wants), has >= wants);
        }
}

static bool may_grant(struct caller by, const char *organisation, const char *cluster)
{
    struct api_key key = {.role = ROLE_ADMIN};

    snprintf(key.organisation, sizeof key.organisation, "%s", organisation);
    snprintf(key.cluster, sizeof key.cluster, "%s", cluster);
    return caller_may_grant(&by, &key);
}

static void granting__by_administrators_and_never_wider_than_the_own_scope(void **state)
{
    (void)state;
    assert_true(may_grant(caller("", "", ROLE_ADMIN), "", ""));
    assert_true(may_grant(caller("", "", ROLE_ADMIN), "o", ""));
    assert_false(may_grant(caller("", "", ROLE_ADMIN), "o", "c"));
    assert_false(may_grant(caller("", "", ROLE_OPERATOR), "o", ""));
    assert_true(may_grant(caller("o", "", ROLE_ADMIN), "o", ""));
    assert_true(may_grant(caller("o", "", ROLE_ADMIN), "o", "c"));
    assert_false(may_grant(caller("o", "", ROLE_ADMIN), "", ""));
    assert_false(may_grant(caller("o", "", ROLE_ADMIN), "p", ""));
    assert_false(may_grant(caller("o", "", ROLE_OPERATOR), "o", ""));
    assert_true(may_grant(caller("o", "c", ROLE_ADMIN), "o", "c"));
    assert_false(may_grant(caller("o", "c", ROLE_ADMIN), "o", "d"));
    assert_false(may_grant(caller("o", "c", ROLE_ADMIN), "o", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_caller_and_object__seen_as_the_table_says),
        cmocka_unit_test(organisation_itself__seen_by_its_own_keys_and_the_platform),
        cmocka_unit_test(roles__greater_ones_include_smaller_ones),
        cmocka_unit_test(granting__by_administrators_and_never_wider_than_the_own_scope),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
