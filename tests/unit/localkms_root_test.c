/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the root key comes out the same from the same key file or passphrase, and from no other; and what is
 * wrong with the source is told.
 */
#include "check.h"
#include "kms/file_store.h"
#include "localkms/root.h"
#include "tmpdir.h"

struct fixture {
    struct tmpdir dir;
    const char *passphrase;
    struct path key_file;
};

static ks_rc answer(void *arg, const char *what, struct secret **ret)
{
    struct fixture *f = arg;

    (void)what;
    ENSURE(f->passphrase, KS_E_CREDENTIAL, "nobody is there");
    return secret_copy(view_text(f->passphrase), ret);
}

static struct root_conf conf_of(struct fixture *f, bool has_key_file)
{
    return (struct root_conf){.io = io_posix(),
                              .dir = f->dir.path,
                              .key_file = has_key_file ? f->key_file.text : NULL,
                              .passphrase = answer,
                              .passphrase_arg = f,
                              .random = random_system(),
                              .pwhash_ops = 1,
                              .pwhash_mem_bytes = 8192 * 4};
}

static void set_up(struct fixture *f)
{
    check_ok(secret_init());
    *f = (struct fixture){.dir = tmpdir_make(), .passphrase = "correct horse"};
    f->key_file = tmpdir_path(&f->dir, "key");
}

static void root__same_source__same_key(void **state)
{
    (void)state;
    for (int has_key_file = 0; has_key_file < 2; has_key_file++) {
        struct fixture f;
        struct secret *made = NULL, *opened = NULL;
        set_up(&f);
        struct root_conf conf = conf_of(&f, has_key_file);
        check_ok(root_make(&conf, &made));
        check_ok(root_open(&conf, &opened));
        check_bytes(secret_view(opened), secret_view(made));
        secret_free(made);
        secret_free(opened);
        tmpdir_remove(&f.dir);
    }
}

/* A key store with the key "root", opened by the fixture's key file. */
static struct file_store_conf store_conf(const struct fixture *f, const struct path *store)
{
    return (struct file_store_conf){.io = io_posix(),
                                    .path = store->text,
                                    .key_file = f->key_file.text,
                                    .clock = clock_system(),
                                    .random = random_system()};
}

static struct key_spec make_key(struct fixture *f, struct path *store)
{
    struct key_spec spec = {.type = "FILE"};
    struct file_store *opened = NULL;
    struct file_key_info info;

    *store = tmpdir_path(&f->dir, "store");
    struct file_store_conf conf = store_conf(f, store);
    check_ok(file_store_create(&conf));
    check_ok(file_store_open(&conf, &opened));
    check_ok(file_store_key_create(opened, "root", &info));
    file_store_close(opened);
    snprintf(spec.uri, sizeof spec.uri, "%s#root", store->text);
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", f->key_file.text);
    return spec;
}

static void disable_key(struct fixture *f, const struct path *store)
{
    struct file_store *opened = NULL;
    struct file_store_conf conf = store_conf(f, store);

    check_ok(file_store_open(&conf, &opened));
    check_ok(file_store_key_disable(opened, "root"));
    file_store_close(opened);
}

static void root__wrapped_by_a_key_elsewhere__same_while_it_may_be_used(void **state)
{
    struct secret *made = NULL, *opened = NULL;
    struct path store;
    struct fixture f;

    (void)state;
    set_up(&f);
    struct key_spec spec = make_key(&f, &store);
    struct root_conf conf = conf_of(&f, false);
    conf.spec = &spec;
    check_ok(root_make(&conf, &made));
    conf.spec = NULL;
    check_ok(root_open(&conf, &opened));
    check_bytes(secret_view(opened), secret_view(made));
    secret_free(TAKE(opened));
    conf.key_file = f.key_file.text;
    check_rc(root_open(&conf, &opened), USAGE);
    conf.key_file = NULL;
    disable_key(&f, &store);
    check_rc(root_open(&conf, &opened), KEY_DISABLED);
    assert_null(opened);
    secret_free(made);
    tmpdir_remove(&f.dir);
}

static void make__key_that_cannot_be_used__nothing_is_left(void **state)
{
    struct key_spec spec = {.type = "FILE", .uri = "/nonexistent/store#root"};
    struct secret *made = NULL;
    struct fixture f;

    (void)state;
    set_up(&f);
    struct root_conf conf = conf_of(&f, false);
    conf.spec = &spec;
    assert_false(ks_ok(root_make(&conf, &made)));
    assert_null(made);
    check_rc(root_open(&conf, &made), NOT_FOUND);
    tmpdir_remove(&f.dir);
}

static void root__other_passphrase__other_key(void **state)
{
    struct fixture f;
    struct secret *made = NULL, *opened = NULL;

    (void)state;
    set_up(&f);
    struct root_conf conf = conf_of(&f, false);
    check_ok(root_make(&conf, &made));
    f.passphrase = "incorrect horse";
    check_ok(root_open(&conf, &opened));
    assert_false(secret_is_equal(secret_view(made), secret_view(opened)));
    secret_free(made);
    secret_free(opened);
    tmpdir_remove(&f.dir);
}

static void make__twice__exists(void **state)
{
    struct fixture f;
    struct secret *made = NULL, *again = NULL;

    (void)state;
    set_up(&f);
    struct root_conf conf = conf_of(&f, true);
    check_ok(root_make(&conf, &made));
    check_rc(root_make(&conf, &again), EXISTS);
    assert_null(again);
    secret_free(made);
    tmpdir_remove(&f.dir);
}

static void open__nothing_there__not_found(void **state)
{
    struct fixture f;
    struct secret *root = NULL;

    (void)state;
    set_up(&f);
    struct root_conf conf = conf_of(&f, true);
    check_rc(root_open(&conf, &root), NOT_FOUND);
    conf.dir = "/nonexistent/dir";
    check_rc(root_open(&conf, &root), NOT_FOUND);
    tmpdir_remove(&f.dir);
}

static void open__wrong_kind_of_source__usage(void **state)
{
    struct fixture f;
    struct secret *made = NULL, *root = NULL;

    (void)state;
    set_up(&f);
    struct root_conf conf = conf_of(&f, true);
    check_ok(root_make(&conf, &made));
    conf.key_file = NULL;
    check_rc(root_open(&conf, &root), USAGE);
    secret_free(made);
    remove(tmpdir_path(&f.dir, "root.json").text);
    made = NULL;
    check_ok(root_make(&conf, &made));
    conf.key_file = f.key_file.text;
    check_rc(root_open(&conf, &root), USAGE);
    conf.key_file = NULL;
    f.passphrase = NULL;
    check_rc(root_open(&conf, &root), CREDENTIAL);
    secret_free(made);
    tmpdir_remove(&f.dir);
}

static void open__damaged_file__refused(void **state)
{
    static const struct {
        const char *text;
        enum ks_code want;
    } files[] = {
        {"{", KS_E_USAGE},
        {"{\"format\":2}", KS_E_NEWER_VERSION},
        {"{\"format\":1,\"source\":\"passphrase\",\"salt\":\"00\",\"ops\":1,\"mem_bytes\":32768}",
         KS_E_FORMAT},
        {"{\"format\":1,\"source\":\"passphrase\",\"salt\":\"00112233445566778899aabbccddeeff\","
         "\"ops\":1,\"mem_bytes\":99999999999999}",
         KS_E_FORMAT},
    };
    struct fixture f;
    struct secret *root = NULL;

    (void)state;
    set_up(&f);
    struct root_conf conf = conf_of(&f, false);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(tmpdir_path(&f.dir, "root.json").text, "w");
        fputs(files[i].text, file);
        fclose(file);
        assert_true(ks_is(root_open(&conf, &root), files[i].want));
    }
    tmpdir_remove(&f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root__same_source__same_key),
        cmocka_unit_test(root__wrapped_by_a_key_elsewhere__same_while_it_may_be_used),
        cmocka_unit_test(make__key_that_cannot_be_used__nothing_is_left),
        cmocka_unit_test(root__other_passphrase__other_key),
        cmocka_unit_test(make__twice__exists),
        cmocka_unit_test(open__nothing_there__not_found),
        cmocka_unit_test(open__wrong_kind_of_source__usage),
        cmocka_unit_test(open__damaged_file__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
