/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the directory of a node keeps documents whole, tells damaged ones, takes half-made volumes for none, and gives up
 * nothing but what is to be deleted.
 */
#include "node/dir.h"

#include <string.h>
#include <sys/stat.h>

#include "tmpdir.h"

static const char ID[] = "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11";

struct place {
    struct tmpdir tmp;
    struct path path;
    struct node_dir *dir;
};

static int setup(void **state)
{
    static struct place p;

    p = (struct place){.tmp = tmpdir_make()};
    p.path = tmpdir_path(&p.tmp, "node");
    check_ok(node_dir_open(p.path.text, &p.dir));
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;

    node_dir_close(p->dir);
    tmpdir_remove(&p->tmp);
    return 0;
}

static char *below(struct place *p, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", p->path.text, name);
    return path;
}

static bool is_there(struct place *p, const char *name)
{
    return access(below(p, name), F_OK) == 0;
}

static unsigned mode_of(struct place *p, const char *name)
{
    struct stat st;

    assert_int_equal(stat(below(p, name), &st), 0);
    return st.st_mode & 07777;
}

static void open__new__is_for_the_owner_but_for_the_way_to_mounts(void **state)
{
    struct place *p = *state;

    assert_int_equal(mode_of(p, ""), 0711);
    assert_int_equal(mode_of(p, "mounts"), 0711);
    assert_int_equal(mode_of(p, "volumes"), 0700);
    assert_int_equal(mode_of(p, "receipts"), 0700);
    assert_int_equal(mode_of(p, "deleted"), 0700);
}

static void open__a_second_time__busy(void **state)
{
    struct place *p = *state;
    struct node_dir *second = NULL;

    check_rc(node_dir_open(p->path.text, &second), BUSY);
    assert_null(second);
}

/* A second one would ask for a certificate too, and the keys of the two would be mixed. */
static void open_to_join__beside_another__busy(void **state)
{
    struct place *p = *state;
    struct node_dir *first = NULL, *second = NULL;

    check_ok(node_dir_open_to_join(p->path.text, &first)); /* beside the agent */
    ks_rc rc = node_dir_open_to_join(p->path.text, &second);
    check_rc(rc, BUSY);
    check_text(rc, "another keystead node join works on");
    assert_null(second);
    node_dir_close(first);
    check_ok(node_dir_open_to_join(p->path.text, &second));
    node_dir_close(second);
}

static void open__no_place_for_it__fails(void **state)
{
    struct node_dir *d = NULL;

    (void)state;
    check_class(node_dir_open("/nonexistent/node", &d), USAGE);
    check_class(node_dir_open("relative", &d), USAGE);
    check_class(node_dir_open("/", &d), USAGE);
    assert_null(d);
}

static void document__written__read_again_and_private(void **state)
{
    struct place *p = *state;
    json_t *value = NULL;

    check_rc(node_dir_volume_read(p->dir, ID, "wish.json", &value), NOT_FOUND);
    check_ok(node_dir_volume_write(p->dir, ID, "wish.json", json_pack("{s:i}", "goal", 7)));
    check_ok(node_dir_volume_read(p->dir, ID, "wish.json", &value));
    assert_int_equal(json_integer_value(json_object_get(value, "goal")), 7);
    json_decref(value);
    char name[128];
    snprintf(name, sizeof name, "volumes/%s/wish.json", ID);
    assert_int_equal(mode_of(p, name), 0600);
    check_rc(node_dir_volume_read(p->dir, ID, "deed.json", &value), NOT_FOUND);
}

static void document__cut_or_no_object__corrupt(void **state)
{
    static const char *const damaged[] = {"", "{\"goal\": ", "[]", "{} {}", "\x01"};
    struct place *p = *state;
    char name[128];

    check_ok(node_dir_volume_write(p->dir, ID, "wish.json", json_object()));
    snprintf(name, sizeof name, "volumes/%s/wish.json", ID);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        json_t *value = NULL;
        file_put(below(p, name), view_text(damaged[i]));
        check_rc(node_dir_volume_read(p->dir, ID, "wish.json", &value), CORRUPT);
        assert_null(value);
    }
}

static void document__no_memory_for_it__told(void **state)
{
    struct place *p = *state;

    check_rc(node_dir_volume_write(p->dir, ID, "wish.json", NULL), NO_MEMORY);
}

static void make(struct place *p, const char *name)
{
    assert_int_equal(mkdir(below(p, name), 0700), 0);
}

static void volume__half_made__counts_for_nothing(void **state)
{
    struct place *p = *state;
    bool is_made = true;
    char name[128];

    check_ok(node_dir_has_backing(p->dir, ID, &is_made));
    assert_false(is_made);
    check_ok(node_dir_prepare(p->dir, ID));
    snprintf(name, sizeof name, "volumes/%s/new", ID);
    make(p, name);
    snprintf(name, sizeof name, "volumes/%s/new/tree", ID);
    make(p, name);
    check_ok(node_dir_has_backing(p->dir, ID, &is_made));
    assert_false(is_made);
    check_ok(node_dir_prepare(p->dir, ID));
    snprintf(name, sizeof name, "volumes/%s/new", ID);
    assert_false(is_there(p, name));
    check_class(node_dir_adopt(p->dir, ID), USAGE); /* there is nothing to adopt */
}

static void make_volume(struct place *p)
{
    char name[128];

    check_ok(node_dir_prepare(p->dir, ID));
    snprintf(name, sizeof name, "volumes/%s/new", ID);
    make(p, name);
    snprintf(name, sizeof name, "volumes/%s/new/keyring.0", ID);
    file_put(below(p, name), view_text("k"));
    check_ok(node_dir_adopt(p->dir, ID));
}

static ks_rc count_volume(void *arg, const char *id)
{
    unsigned *count = arg;

    assert_string_equal(id, ID);
    (*count)++;
    return KS_SUCCESS;
}

static void volume__made__is_there_and_listed(void **state)
{
    struct place *p = *state;
    bool is_made = false;
    unsigned count = 0;

    make_volume(p);
    make(p, "volumes/lost+found");
    check_ok(node_dir_has_backing(p->dir, ID, &is_made));
    assert_true(is_made);
    check_ok(node_dir_volumes(p->dir, count_volume, &count));
    assert_int_equal(count, 1);
}

static ks_rc count_deleted(void *arg, const char *name)
{
    unsigned *count = arg;

    assert_int_equal(strncmp(name, ID, strlen(ID)), 0);
    (*count)++;
    return KS_SUCCESS;
}

static void discard__keeps_what_was_in_it_until_it_is_removed(void **state)
{
    struct place *p = *state;
    unsigned count = 0;
    char name[128];

    make_volume(p);
    check_ok(node_dir_discard(p->dir, ID, 1000));
    snprintf(name, sizeof name, "deleted/%s.1000/keyring.0", ID);
    assert_true(is_there(p, name));
    snprintf(name, sizeof name, "volumes/%s", ID);
    assert_false(is_there(p, name));
    snprintf(name, sizeof name, "mounts/%s", ID);
    assert_false(is_there(p, name));
    check_ok(node_dir_discard(p->dir, ID, 1001)); /* once more, after a crash */
    snprintf(name, sizeof name, "%s.1000", ID);
    check_ok(node_dir_deleted(p->dir, count_deleted, &count));
    assert_int_equal(count, 1);
    check_ok(node_dir_deleted_remove(p->dir, name));
    check_ok(node_dir_deleted_remove(p->dir, name));
    check_ok(node_dir_deleted(p->dir, count_deleted, &count));
    assert_int_equal(count, 1);
}

static ks_rc count_receipt(void *arg, const char *id, json_t *taken)
{
    unsigned *count = arg;

    assert_string_equal(id, ID);
    assert_int_equal(json_integer_value(json_object_get(taken, "n")), 3);
    json_decref(taken);
    (*count)++;
    return KS_SUCCESS;
}

static void receipts__kept_until_removed(void **state)
{
    struct place *p = *state;
    json_t *receipt = json_pack("{s:i}", "n", 3);
    unsigned count = 0;

    check_ok(node_dir_receipt_write(p->dir, ID, receipt));
    file_put(below(p, "receipts/other.txt"), view_text("x"));
    char unfinished[128];
    snprintf(unfinished, sizeof unfinished, "receipts/%s.json.tmp", ID);
    file_put(below(p, unfinished), view_text("{\"n\""));
    check_ok(node_dir_receipts(p->dir, count_receipt, &count));
    assert_int_equal(count, 1);
    assert_false(is_there(p, unfinished));
    assert_true(is_there(p, "receipts/other.txt"));
    check_ok(node_dir_receipt_remove(p->dir, ID));
    check_ok(node_dir_receipt_remove(p->dir, ID));
    check_ok(node_dir_receipts(p->dir, count_receipt, &count));
    assert_int_equal(count, 1);
    json_decref(receipt);
}

static void receipts__one_is_damaged__the_others_are_there(void **state)
{
    struct place *p = *state;
    json_t *receipt = json_pack("{s:i}", "n", 3);
    unsigned count = 0;

    check_ok(node_dir_receipt_write(p->dir, ID, receipt));
    file_put(below(p, "receipts/00000000-0000-4000-8000-000000000001.json"), view_text(""));
    file_put(below(p, "receipts/ffffffff-0000-4000-8000-000000000001.json"), view_text("{\"n"));
    check_ok(node_dir_receipts(p->dir, count_receipt, &count));
    assert_int_equal(count, 1);
    assert_true(is_there(p, "receipts/00000000-0000-4000-8000-000000000001.json"));
    json_decref(receipt);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(open__new__is_for_the_owner_but_for_the_way_to_mounts),
        TEST(open__a_second_time__busy),
        TEST(open_to_join__beside_another__busy),
        TEST(open__no_place_for_it__fails),
        TEST(document__written__read_again_and_private),
        TEST(document__cut_or_no_object__corrupt),
        TEST(document__no_memory_for_it__told),
        TEST(volume__half_made__counts_for_nothing),
        TEST(volume__made__is_there_and_listed),
        TEST(discard__keeps_what_was_in_it_until_it_is_removed),
        TEST(receipts__kept_until_removed),
        TEST(receipts__one_is_damaged__the_others_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
