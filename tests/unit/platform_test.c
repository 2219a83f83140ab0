/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what customers are to put into trust policies is what an administrator of the platform said last, whole and in itself
 * without contradiction.
 */
#include "fleet_fixture.h"

static int set_up(void **state)
{
    struct fleet *f;

    check_ok(mem_new(1, sizeof *f, &f));
    fleet_open(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fleet_close(*state);
    mem_freep(state);
    return 0;
}

static void platform__that_cannot_be_one__is_refused_and_nothing_changes(void **state)
{
    static const struct platform_change wrong[] = {
        {.aws_account = "44445555666"},
        {.aws_account = "44445555666x"},
        {.aws_principal = "arn:aws:iam::444455556666:user/nodes"}, /* of no account that was told */
        {.aws_account = "111122223333", .aws_principal = "arn:aws:iam::444455556666:user/nodes"},
        {.aws_account = "444455556666", .aws_principal = "arn:aws:iam::444455556666:root"},
        {.aws_account = "444455556666", .aws_principal = "arn:aws:iam::444455556666:user/"},
        {.aws_account = "444455556666", .aws_principal = "arn:aws:iam::4444"},
        {.aws_account = "444455556666", .aws_principal = "444455556666"},
        {.gcp_project = "Upper-case"},
        {.gcp_project = "ends-with-"},
        {.gcp_project = "short"},
        {.gcp_project = "a-project", .gcp_service_account = "n@b-project.iam.gserviceaccount.com"},
        {.gcp_project = "a-project", .gcp_service_account = "n@a-project.example.com"},
        {.gcp_project = "a-project", .gcp_service_account = "@a-project.iam.gserviceaccount.com"},
        {.gcp_service_account = "n@a-project.iam.gserviceaccount.com"},
        {.azure_client_id = "not-a-uuid"},
        {.azure_client_id = "6a0d3c9e-0f0a-4c55-8d35_61c6a3a2f0c4"},
        {.azure_client_id = "6a0d3c9e-0f0a-4c55-8d35-61c6a3a2f0cg"},
        {.azure_application = "two\nlines"},
        {.azure_application = "\xff"},
    };
    struct fleet *f = *state;
    struct platform p;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_rc(control_platform_change(f->c, &f->platform, &wrong[i], &p), USAGE);
    check_ok(control_platform_get(f->c, &p));
    assert_memory_equal(&p, &(struct platform){0}, sizeof p);
}

static int64_t count_events(struct control *c)
{
    int64_t count;

    check_ok(control_audit_verify(c, &count));
    return count;
}

static void platform__changed__stays_over_a_restart_with_one_event(void **state)
{
    const struct platform_change all = {
        .aws_account = "444455556666",
        .aws_principal = "arn:aws-cn:iam::444455556666:role/a/nodes",
        .gcp_project = "a-project",
        .gcp_service_account = "n@a-project.iam.gserviceaccount.com",
        .azure_client_id = "6a0d3c9e-0f0a-4c55-8d35-61c6a3a2f0c4",
        .azure_application = "Keystead nodes"};
    struct fleet *f = *state;
    struct platform p;
    int64_t before = count_events(f->c);

    check_ok(control_platform_change(f->c, &f->platform, &all, &p));
    check_ok(control_platform_change(f->c, &f->platform, &all, &p)); /* nothing new */
    assert_int_equal(count_events(f->c), before + 1);
    check_ok(control_platform_change(
        f->c, &f->platform, &(struct platform_change){.gcp_project = "", .gcp_service_account = ""},
        &p));
    assert_int_equal(count_events(f->c), before + 2);
    fleet_reopen(f);
    check_ok(control_platform_get(f->c, &p));
    assert_string_equal(p.aws_principal, all.aws_principal);
    assert_string_equal(p.gcp_project, "");
    assert_string_equal(p.azure_application, "Keystead nodes");
    assert_int_not_equal(p.updated, 0);
}

static void platform__changed_by_others__is_refused(void **state)
{
    const struct platform_change change = {.aws_account = "444455556666"};
    struct fleet *f = *state;
    struct caller small = fleet_caller("", ROLE_OPERATOR);
    struct platform p;

    check_rc(control_platform_change(f->c, &small, &change, &p), PERMISSION);
    check_rc(control_platform_change(f->c, &f->admin, &change, &p), PERMISSION);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(platform__that_cannot_be_one__is_refused_and_nothing_changes),
        TEST(platform__changed__stays_over_a_restart_with_one_event),
        TEST(platform__changed_by_others__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
