/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a file key store keeps its promises: states follow the table and take effect
 * with the next call, old ciphertexts open after rotations, a destroyed key is gone from the disk,
 * every changed bit is noticed, and a store out of reach is never taken for a denial.
 */
#include "kms/file_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "kms/file_record.h"
#include "kms/stretched.h"
#include "tmpdir.h"

enum { WALL = 1800000000, DAY = 86400 };

struct fixture {
    struct tmpdir tmp;
    struct path dir, key_file;
    struct clock_manual clock;
    struct file_store_conf conf;
    struct file_store *store;
    struct stretched *stretched;
    struct file_root root; /* with setup_handed_on: the store's root record */
    struct secret *plain;
    struct buf blob;
    const char *passphrase; /* what is answered when somebody asks */
    int asked;
};

static bool has_no_memory_to_hand_on;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
ks_rc __real_stretched_keep(struct stretched *s, const uint8_t *salt, struct pwhash_cost cost,
                            const struct secret *key);
ks_rc __wrap_stretched_keep(struct stretched *s, const uint8_t *salt, struct pwhash_cost cost,
                            const struct secret *key);
/* NOLINTEND(bugprone-reserved-identifier) */

ks_rc __wrap_stretched_keep(struct stretched *s, const uint8_t *salt, struct pwhash_cost cost,
                            const struct secret *key)
{
    if (has_no_memory_to_hand_on)
        return ks_fail(KS_E_MEMLOCK, "as told");
    return __real_stretched_keep(s, salt, cost, key);
}

static ks_rc answer(void *arg, const char *what, struct secret **ret)
{
    struct fixture *f = arg;

    f->asked++;
    ENSURE(f->passphrase && strstr(what, f->dir.text), KS_E_CREDENTIAL, "nobody is there");
    return secret_copy(view_text(f->passphrase), ret);
}

static struct fixture *fixture_new(bool has_key_file)
{
    struct fixture *f;

    has_no_memory_to_hand_on = false;
    check_ok(secret_init());
    check_ok(mem_new(1, sizeof *f, &f));
    f->tmp = tmpdir_make();
    f->dir = tmpdir_path(&f->tmp, "store");
    f->key_file = tmpdir_path(&f->tmp, "key");
    f->passphrase = "correct horse";
    clock_manual_init(&f->clock, 1000, WALL);
    f->conf = (struct file_store_conf){.io = io_posix(),
                                       .path = f->dir.text,
                                       .key_file = has_key_file ? f->key_file.text : NULL,
                                       .passphrase = answer,
                                       .passphrase_arg = f,
                                       .clock = &f->clock.clock,
                                       .random = random_system(),
                                       .pwhash_ops = 1,
                                       .pwhash_mem_bytes = 8192};
    f->blob = buf_init(KEY_BLOB_MAX);
    check_ok(file_store_create(&f->conf));
    check_ok(file_store_open(&f->conf, &f->store));
    check_ok(secret_copy(view_text("0123456789abcdef0123456789abcdef"), &f->plain));
    return f;
}

static int setup(void **state)
{
    struct file_key_info info;
    struct fixture *f = fixture_new(true);

    check_ok(file_store_key_create(f->store, "orders", &info));
    *state = f;
    return 0;
}

static int setup_passphrase(void **state)
{
    *state = fixture_new(false);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    file_store_close(f->store);
    stretched_free(f->stretched);
    secret_free(f->plain);
    buf_done(&f->blob);
    tmpdir_remove(&f->tmp);
    mem_free(f);
    return 0;
}

static ks_rc wrap_as(struct fixture *f, const char *name)
{
    uint32_t version = 0;

    f->blob.len = 0;
    return file_store_wrap(f->store, name, view_text("ctx"), f->plain, &f->blob, &version);
}

static ks_rc unwrap_view(struct fixture *f, const char *name, struct view blob)
{
    struct secret *got = NULL;
    ks_rc rc = file_store_unwrap(f->store, name, view_text("ctx"), blob, &got);

    if (ks_ok(rc))
        check_bytes(secret_view(got), secret_view(f->plain));
    else
        assert_null(got);
    secret_free(got);
    return rc;
}

static ks_rc unwrap_as(struct fixture *f, const char *name)
{
    return unwrap_view(f, name, buf_view(&f->blob));
}

static struct path record_path(struct fixture *f)
{
    return tmpdir_path(&f->tmp, "store/keys/orders.key");
}

static void wrap__enabled_key__opens_again(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    check_ok(unwrap_as(f, "orders"));
}

static void wrap__other_store_object__opens_there_too(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    file_store_close(TAKE(f->store));
    check_ok(file_store_open(&f->conf, &f->store));
    check_ok(unwrap_as(f, "orders"));
}

static void unwrap__other_context__auth(void **state)
{
    struct fixture *f = *state;
    struct secret *got = NULL;

    check_ok(wrap_as(f, "orders"));
    check_rc(file_store_unwrap(f->store, "orders", view_text("other"), buf_view(&f->blob), &got),
             AUTH);
    assert_null(got);
}

static void unwrap__blob_of_another_key__wrong_key(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    check_ok(file_store_key_create(f->store, "people", &info));
    check_ok(wrap_as(f, "orders"));
    check_rc(unwrap_as(f, "people"), WRONG_KEY);
}

static void unwrap__every_bit_flipped_or_cut__corrupt(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    for (size_t bit = 0; bit < 8 * f->blob.len; bit++) {
        f->blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ks_rc rc = unwrap_as(f, "orders");
        assert_true(rc.cls == KS_CLASS_CORRUPT || (bit < 8 && ks_is(rc, KS_E_NEWER_VERSION)));
        f->blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < f->blob.len; len++)
        check_class(unwrap_view(f, "orders", view_of(f->blob.bytes, len)), CORRUPT);
    check_ok(unwrap_as(f, "orders"));
}

static void wrap__too_much_or_nothing__usage_and_output_untouched(void **state)
{
    struct fixture *f = *state;
    struct secret *big, *none;
    uint32_t version = 77;

    check_ok(secret_new(KEY_PLAIN_MAX + 1, &big));
    check_ok(secret_new(0, &none));
    check_rc(file_store_wrap(f->store, "orders", view_text("x"), big, &f->blob, &version), USAGE);
    check_rc(file_store_wrap(f->store, "orders", view_text("x"), none, &f->blob, &version), USAGE);
    assert_int_equal(f->blob.len, 0);
    assert_int_equal(version, 77);
    secret_free(big);
    secret_free(none);
}

static void rotate__old_and_new_ciphertexts__both_open(void **state)
{
    struct fixture *f = *state;
    struct buf old = buf_init(KEY_BLOB_MAX);
    uint32_t version = 0;

    check_ok(wrap_as(f, "orders"));
    check_ok(buf_append(&old, buf_view(&f->blob)));
    for (uint32_t n = 2; n <= 4; n++) {
        check_ok(file_store_key_rotate(f->store, "orders"));
        check_ok(file_store_version(f->store, "orders", &version));
        assert_int_equal(version, n);
        check_ok(wrap_as(f, "orders"));
        check_ok(unwrap_as(f, "orders"));
        check_ok(unwrap_view(f, "orders", buf_view(&old)));
    }
    buf_done(&old);
}

static void disable__use__key_disabled_with_the_way_out(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    check_ok(file_store_key_disable(f->store, "orders"));
    ks_rc rc = unwrap_as(f, "orders");
    check_rc(rc, KEY_DISABLED);
    check_text(rc, "keystead kms key enable orders --store");
    check_text(rc, f->key_file.text);
    check_rc(wrap_as(f, "orders"), KEY_DISABLED);
    check_ok(file_store_key_enable(f->store, "orders"));
    check_ok(wrap_as(f, "orders"));
}

static void schedule_deletion__before_and_after_its_time__pending_then_destroyed(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    check_ok(wrap_as(f, "orders"));
    check_ok(file_store_key_schedule_deletion(f->store, "orders", 7));
    check_ok(file_store_key_show(f->store, "orders", &info));
    assert_int_equal(info.deletion_s, WALL + 7 * DAY);
    ks_rc rc = unwrap_as(f, "orders");
    check_rc(rc, KEY_PENDING_DELETION);
    check_text(rc, "cancel-deletion orders");
    f->clock.now_s = WALL + 7 * DAY - 1;
    check_rc(unwrap_as(f, "orders"), KEY_PENDING_DELETION);
    f->clock.now_s = WALL + 7 * DAY;
    check_rc(unwrap_as(f, "orders"), KEY_DESTROYED);
    check_ok(file_store_key_show(f->store, "orders", &info));
    assert_int_equal(info.state, FILE_KEY_DESTROYED);
}

static void cancel_deletion__too_late__state_and_material_gone(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    check_ok(file_store_key_schedule_deletion(f->store, "orders", 1));
    f->clock.now_s += DAY;
    ks_rc rc = file_store_key_cancel_deletion(f->store, "orders");
    check_rc(rc, STATE);
    check_text(rc, "DESTROYED");
    f->clock.now_s -= DAY; /* turning the clock back does not bring it back */
    check_rc(unwrap_as(f, "orders"), KEY_DESTROYED);
}

static void cancel_deletion__in_time__disabled_then_usable(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    check_ok(wrap_as(f, "orders"));
    check_ok(file_store_key_schedule_deletion(f->store, "orders", 1));
    check_ok(file_store_key_cancel_deletion(f->store, "orders"));
    check_ok(file_store_key_show(f->store, "orders", &info));
    assert_int_equal(info.state, FILE_KEY_DISABLED);
    assert_int_equal(info.deletion_s, 0);
    check_ok(file_store_key_enable(f->store, "orders"));
    check_ok(unwrap_as(f, "orders"));
}

/* Not only the record is new: the blocks of the old one are overwritten. A second name for the old
 * file shows what became of it. */
static void schedule_deletion__zero_days__material_overwritten_now(void **state)
{
    struct fixture *f = *state;
    struct path record = record_path(f), old = tmpdir_path(&f->tmp, "old");
    uint8_t before[4096], after[4096];

    check_ok(wrap_as(f, "orders"));
    assert_int_equal(link(record.text, old.text), 0);
    size_t len = file_get(record.text, before, sizeof before);
    check_ok(file_store_key_schedule_deletion(f->store, "orders", 0));
    check_rc(unwrap_as(f, "orders"), KEY_DESTROYED);
    assert_int_equal(file_get(old.text, after, sizeof after), len);
    assert_true(mem_is_zero(after, len));
    size_t now = file_get(record.text, after, sizeof after);
    size_t at = len - FILE_MAC_BYTES - FILE_WRAPPED_BYTES;
    assert_int_equal(now, len);
    assert_false(mem_is_zero(before + at, FILE_WRAPPED_BYTES));
    assert_true(mem_is_zero(after + at, FILE_WRAPPED_BYTES));
}

static void transition__not_in_the_table__state_that_names_the_state(void **state)
{
    struct fixture *f = *state;

    check_rc(file_store_key_enable(f->store, "orders"), STATE);
    check_rc(file_store_key_cancel_deletion(f->store, "orders"), STATE);
    check_ok(file_store_key_disable(f->store, "orders"));
    ks_rc rc = file_store_key_rotate(f->store, "orders");
    check_rc(rc, STATE);
    check_text(rc, "DISABLED; rotate");
    check_rc(file_store_key_disable(f->store, "orders"), STATE);
    check_ok(file_store_key_schedule_deletion(f->store, "orders", 30));
    check_rc(file_store_key_enable(f->store, "orders"), STATE);
    check_rc(file_store_key_schedule_deletion(f->store, "orders", 30), STATE);
    check_rc(file_store_key_rotate(f->store, "orders"), STATE);
    f->clock.now_s += 30 * DAY;
    check_rc(file_store_key_enable(f->store, "orders"), STATE);
    check_rc(file_store_key_schedule_deletion(f->store, "orders", 0), STATE);
}

static void schedule_deletion__too_many_days__usage(void **state)
{
    struct fixture *f = *state;

    check_rc(file_store_key_schedule_deletion(f->store, "orders", 366), USAGE);
    check_ok(wrap_as(f, "orders"));
}

static void create__name_taken__exists_even_when_destroyed(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info = {.version = 99};

    check_rc(file_store_key_create(f->store, "orders", &info), EXISTS);
    check_ok(file_store_key_schedule_deletion(f->store, "orders", 0));
    check_rc(file_store_key_create(f->store, "orders", &info), EXISTS);
    assert_int_equal(info.version, 99);
}

static void create__bad_names__usage(void **state)
{
    static const char *const names[] = {
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "Orders",
        "-x",
        "_x",
        "a b",
        "a\n",
        ("0123456789012345678901234567890123456789012345678901234567"
         "8901234")};
    struct fixture *f = *state;
    struct file_key_info info;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_rc(file_store_key_create(f->store, names[i], &info), USAGE);
        check_rc(wrap_as(f, names[i]), USAGE);
    }
}

static void use__no_such_key__denied_but_manage__not_found(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    ks_rc rc = wrap_as(f, "people");
    check_rc(rc, KEY_NOT_FOUND);
    check_class(rc, DENIED);
    check_text(rc, "keystead kms key create people");
    check_rc(file_store_key_show(f->store, "people", &info), NOT_FOUND);
    check_rc(file_store_key_disable(f->store, "people"), NOT_FOUND);
}

static void record__every_bit_flipped__never_used(void **state)
{
    struct fixture *f = *state;
    struct path record = record_path(f);
    uint8_t bytes[4096];

    check_ok(wrap_as(f, "orders"));
    size_t len = file_get(record.text, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        file_put(record.text, view_of(bytes, len));
        ks_rc rc = unwrap_as(f, "orders");
        assert_true(rc.cls == KS_CLASS_CORRUPT || ks_is(rc, KS_E_NEWER_VERSION));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    file_put(record.text, view_of(bytes, len));
    check_ok(unwrap_as(f, "orders"));
}

static void record__under_another_name__foreign(void **state)
{
    struct fixture *f = *state;
    struct path people = tmpdir_path(&f->tmp, "store/keys/people.key");

    assert_int_equal(rename(record_path(f).text, people.text), 0);
    check_rc(wrap_as(f, "people"), FOREIGN);
}

static void root__every_bit_flipped__refused(void **state)
{
    struct fixture *f = *state;
    struct path root = tmpdir_path(&f->tmp, "store/store");
    uint8_t bytes[4096];
    struct file_store *other = NULL;

    size_t len = file_get(root.text, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        file_put(root.text, view_of(bytes, len));
        ks_rc rc = file_store_open(&f->conf, &other);
        assert_true(rc.cls == KS_CLASS_CORRUPT || ks_is(rc, KS_E_NEWER_VERSION));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(other);
}

/* A forger can mend the sum, but not the commitment: it binds every field. */
static void root__fields_forged_with_a_right_sum__wrong_key(void **state)
{
    struct fixture *f = *state;
    struct path path = tmpdir_path(&f->tmp, "store/store");
    struct buf out = buf_init(FILE_ROOT_MAX);
    struct file_store *other = NULL;
    struct file_root root;
    uint8_t bytes[4096];

    size_t len = file_get(path.text, bytes, sizeof bytes);
    check_ok(file_root_parse(view_of(bytes, len), &root));
    root.created_s++;
    check_ok(file_root_write(&root, &out));
    file_put(path.text, buf_view(&out));
    check_rc(file_store_open(&f->conf, &other), WRONG_KEY);
    buf_done(&out);
}

static void open__another_key_file__wrong_key_with_the_way_out(void **state)
{
    struct fixture *f = *state;
    struct path other = tmpdir_path(&f->tmp, "other");
    struct file_store *store = NULL;

    file_put(other.text, view_text("0123456789abcdef0123456789abcdef"));
    f->conf.key_file = other.text;
    ks_rc rc = file_store_open(&f->conf, &store);
    check_rc(rc, WRONG_KEY);
    check_text(rc, f->dir.text);
    check_text(rc, "--key-file");
    assert_null(store);
}

/* With a key file nothing is remembered: taking the file away takes the key away. */
static void use__key_file_gone__credential_until_it_is_back(void **state)
{
    struct fixture *f = *state;
    struct path away = tmpdir_path(&f->tmp, "away");

    check_ok(wrap_as(f, "orders"));
    assert_int_equal(rename(f->key_file.text, away.text), 0);
    ks_rc rc = unwrap_as(f, "orders");
    check_rc(rc, CREDENTIAL);
    check_class(rc, UNREACHABLE);
    assert_int_equal(rename(away.text, f->key_file.text), 0);
    check_ok(unwrap_as(f, "orders"));
}

static void use__store_gone__unreachable_until_it_is_back(void **state)
{
    struct fixture *f = *state;
    struct path away = tmpdir_path(&f->tmp, "away");

    check_ok(wrap_as(f, "orders"));
    assert_int_equal(rename(f->dir.text, away.text), 0);
    check_rc(unwrap_as(f, "orders"), UNREACHABLE);
    assert_int_equal(mkdir(f->dir.text, 0700), 0); /* an empty mountpoint */
    check_rc(unwrap_as(f, "orders"), UNREACHABLE);
    assert_int_equal(rmdir(f->dir.text), 0);
    assert_int_equal(rename(away.text, f->dir.text), 0);
    check_ok(unwrap_as(f, "orders"));
}

static void use__keys_directory_gone__unreachable(void **state)
{
    struct fixture *f = *state;
    struct path keys = tmpdir_path(&f->tmp, "store/keys"), away = tmpdir_path(&f->tmp, "away");

    check_ok(wrap_as(f, "orders"));
    assert_int_equal(rename(keys.text, away.text), 0);
    check_class(unwrap_as(f, "orders"), UNREACHABLE);
}

static void use__lock_held_by_a_writer__works(void **state)
{
    struct fixture *f = *state;
    int fd = open(tmpdir_path(&f->tmp, "store/lock").text, O_RDWR | O_CLOEXEC);

    assert_int_equal(flock(fd, LOCK_EX), 0);
    check_ok(wrap_as(f, "orders"));
    check_ok(unwrap_as(f, "orders"));
    close(fd);
}

static void change__lock_held_by_another__busy_after_five_seconds(void **state)
{
    struct fixture *f = *state;
    uint64_t before = f->clock.now_ms;
    int fd = open(tmpdir_path(&f->tmp, "store/lock").text, O_RDWR | O_CLOEXEC);

    assert_int_equal(flock(fd, LOCK_EX), 0);
    check_rc(file_store_key_disable(f->store, "orders"), BUSY);
    assert_int_equal(f->clock.now_ms - before, 5000);
    close(fd);
    check_ok(file_store_key_disable(f->store, "orders"));
}

static void files__modes__private_and_kept(void **state)
{
    struct fixture *f = *state;
    struct path record = record_path(f);
    struct stat st;

    assert_int_equal(stat(f->dir.text, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(f->key_file.text, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(record.text, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(chmod(record.text, 0640), 0);
    check_ok(file_store_key_rotate(f->store, "orders"));
    assert_int_equal(stat(record.text, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

/* Nobody can write, and the lock cannot be opened for writing: use needs reading only. As root
 * modes stop nobody, so this shows the call sequence with an immutable-looking tree at least. */
static void use__read_only_tree__works(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    assert_int_equal(unlink(tmpdir_path(&f->tmp, "store/lock").text), 0);
    assert_int_equal(chmod(tmpdir_path(&f->tmp, "store/keys").text, 0500), 0);
    assert_int_equal(chmod(record_path(f).text, 0400), 0);
    check_ok(unwrap_as(f, "orders"));
    assert_int_equal(chmod(tmpdir_path(&f->tmp, "store/keys").text, 0700), 0);
}

struct seen {
    char names[8][FILE_STORE_NAME_BYTES + 1];
    size_t count;
};

static void see(void *arg, const struct file_key_info *info)
{
    struct seen *s = arg;

    assert_true(s->count < 8);
    memcpy(s->names[s->count++], info->name, sizeof info->name);
}

static void list__several_keys__in_order_of_name(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.count = 0};
    struct file_key_info info;

    check_ok(file_store_key_create(f->store, "zebra", &info));
    check_ok(file_store_key_create(f->store, "ant.key", &info));
    file_put(tmpdir_path(&f->tmp, "store/keys/orders.key.tmp").text, view_text("left over"));
    check_ok(file_store_key_list(f->store, see, &seen));
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.names[0], "ant.key");
    assert_string_equal(seen.names[1], "orders");
    assert_string_equal(seen.names[2], "zebra");
}

static void list__one_damaged_key__others_seen_and_damage_told(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.count = 0};
    struct file_key_info info;

    check_ok(file_store_key_create(f->store, "zebra", &info));
    file_put(record_path(f).text, view_text("rubbish"));
    ks_rc rc = file_store_key_list(f->store, see, &seen);
    check_class(rc, CORRUPT);
    check_text(rc, "orders.key");
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], "zebra");
}

static void show__new_key__what_it_is(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    check_ok(file_store_key_show(f->store, "orders", &info));
    assert_string_equal(info.name, "orders");
    assert_string_equal(file_key_state_name(info.state), "ENABLED");
    assert_int_equal(strlen(info.id), 32);
    assert_int_equal(info.version, 1);
    assert_int_equal(info.created_s, WALL);
    assert_int_equal(info.deletion_s, 0);
}

static void create_store__twice__exists_and_first_intact(void **state)
{
    struct fixture *f = *state;

    check_ok(wrap_as(f, "orders"));
    check_rc(file_store_create(&f->conf), EXISTS);
    check_ok(unwrap_as(f, "orders"));
}

static void open__no_store__not_found(void **state)
{
    struct fixture *f = *state;
    struct path none = tmpdir_path(&f->tmp, "none");
    struct file_store *store = NULL;

    f->conf.path = none.text;
    check_rc(file_store_open(&f->conf, &store), NOT_FOUND);
    assert_int_equal(mkdir(none.text, 0700), 0); /* a directory, but no store */
    check_rc(file_store_open(&f->conf, &store), NOT_FOUND);
    assert_null(store);
}

static void open__key_file_for_a_passphrase_store__credential(void **state)
{
    struct fixture *f = *state;
    struct file_store *store = NULL;

    f->conf.key_file = f->key_file.text;
    check_rc(file_store_open(&f->conf, &store), CREDENTIAL);
    assert_null(store);
}

static void open__no_key_file_for_a_key_file_store__credential(void **state)
{
    struct fixture *f = *state;
    struct file_store *store = NULL;

    f->conf.key_file = NULL;
    ks_rc rc = file_store_open(&f->conf, &store);
    check_rc(rc, CREDENTIAL);
    check_text(rc, "--key-file");
}

static void passphrase__right_one__asked_once_and_keys_usable(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;
    int asked = f->asked;

    check_ok(file_store_key_create(f->store, "orders", &info));
    check_ok(wrap_as(f, "orders"));
    check_ok(unwrap_as(f, "orders"));
    assert_int_equal(f->asked, asked);
}

static void passphrase__wrong_one__wrong_key(void **state)
{
    struct fixture *f = *state;
    struct file_store *store = NULL;

    f->passphrase = "incorrect horse";
    ks_rc rc = file_store_open(&f->conf, &store);
    check_rc(rc, WRONG_KEY);
    check_text(rc, f->dir.text);
    assert_null(store);
}

static void passphrase__nobody_to_ask__credential(void **state)
{
    struct fixture *f = *state;
    struct file_store *store = NULL;

    f->passphrase = NULL;
    check_rc(file_store_open(&f->conf, &store), CREDENTIAL);
    f->conf.passphrase = NULL;
    check_rc(file_store_open(&f->conf, &store), CREDENTIAL);
}

static void passphrase__store_replaced_under_an_open_one__wrong_key(void **state)
{
    struct fixture *f = *state;
    struct path away = tmpdir_path(&f->tmp, "away");
    struct file_key_info info;

    check_ok(file_store_key_create(f->store, "orders", &info));
    assert_int_equal(rename(f->dir.text, away.text), 0);
    f->passphrase = "another passphrase";
    check_ok(file_store_create(&f->conf));
    check_rc(wrap_as(f, "orders"), WRONG_KEY);
}

/* Each stretching is preceded by one question for the passphrase, so the questions count them. */
static ks_rc open_another(struct fixture *f)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;

    return file_store_open(&f->conf, &store);
}

/* From now on stores hand on what they stretched. */
static void begin_to_hand_on(struct fixture *f)
{
    check_ok(stretched_new(&f->stretched));
    f->conf.stretched = f->stretched;
}

static void read_root(struct fixture *f, struct file_root *ret)
{
    struct path path = tmpdir_path(&f->tmp, "store/store");
    uint8_t bytes[FILE_ROOT_MAX];

    size_t len = file_get(path.text, bytes, sizeof bytes);
    check_ok(file_root_parse(view_of(bytes, len), ret));
}

/* One has stretched the passphrase and handed it on; from then on the questions count. */
static int setup_handed_on(void **state)
{
    setup_passphrase(state);
    struct fixture *f = *state;
    begin_to_hand_on(f);
    check_ok(open_another(f));
    f->asked = 0;
    read_root(f, &f->root);
    return 0;
}

static void stretched__handed_on__nobody_asked_and_keys_usable(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    f->passphrase = NULL;
    file_store_close(TAKE(f->store));
    check_ok(file_store_open(&f->conf, &f->store));
    check_ok(file_store_key_create(f->store, "orders", &info));
    check_ok(wrap_as(f, "orders"));
    check_ok(unwrap_as(f, "orders"));
    assert_int_equal(f->asked, 0);
}

/* The others have to ask. */
static void stretched__no_memory_to_hand_it_on__opens_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct file_key_info info;

    begin_to_hand_on(f);
    has_no_memory_to_hand_on = true;
    file_store_close(TAKE(f->store));
    int asked = f->asked;
    check_ok(file_store_open(&f->conf, &f->store));
    check_ok(file_store_key_create(f->store, "orders", &info));
    check_ok(wrap_as(f, "orders"));
    check_ok(unwrap_as(f, "orders"));
    assert_int_equal(f->asked, asked + 1);
    check_ok(open_another(f));
    assert_int_equal(f->asked, asked + 2);
}

static void stretched__from_a_wrong_passphrase__not_handed_on(void **state)
{
    struct fixture *f = *state;
    int asked = f->asked;

    begin_to_hand_on(f);
    f->passphrase = "incorrect horse";
    check_rc(open_another(f), WRONG_KEY);
    f->passphrase = "correct horse";
    check_ok(open_another(f)); /* or the wrong one would have been found */
    assert_int_equal(f->asked, asked + 2);
}

/* The root record as a store would have it whose passphrase became passphrase: with a commitment that is right. */
static void write_root(struct fixture *f, const char *passphrase)
{
    struct file_root *root = &f->root;
    struct path path = tmpdir_path(&f->tmp, "store/store");
    struct buf out = buf_init(FILE_ROOT_MAX);
    uint8_t key[32];

    check_ok(pwhash_derive(view_text(passphrase), root->salt, root->cost, key, sizeof key));
    check_ok(file_root_commit(root, view_of(key, sizeof key), root->commitment));
    check_ok(file_root_write(root, &out));
    file_put(path.text, buf_view(&out));
    buf_done(&out);
}

static void stretched__passphrase_and_salt_changed__asked_again(void **state)
{
    struct fixture *f = *state;

    f->root.salt[PWHASH_SALT_BYTES - 1] ^= 1;
    f->passphrase = "another passphrase";
    write_root(f, f->passphrase);
    check_ok(open_another(f));
    assert_int_equal(f->asked, 1);
    check_ok(open_another(f)); /* the new one is handed on as well */
    assert_int_equal(f->asked, 1);
}

static void stretched__cost_changed__asked_again(void **state)
{
    struct fixture *f = *state;

    f->root.cost.ops++;
    write_root(f, f->passphrase);
    check_ok(open_another(f));
    assert_int_equal(f->asked, 1);
    f->root.cost.mem_bytes *= 2;
    write_root(f, f->passphrase);
    check_ok(open_another(f));
    assert_int_equal(f->asked, 2);
}

/* What was handed on proves nothing by itself: the commitment is checked by everybody who uses it. */
static void stretched__record_forged_since__wrong_key(void **state)
{
    struct fixture *f = *state;

    write_root(f, "another passphrase");
    check_rc(open_another(f), WRONG_KEY);
}

static void stretched__with_a_key_file__credential(void **state)
{
    struct fixture *f = *state;

    f->conf.key_file = f->key_file.text;
    check_rc(open_another(f), CREDENTIAL);
}

static void stretched__with_a_key_file_store__nothing_handed_on(void **state)
{
    struct fixture *f = *state;
    CLEANUP(secret_freep) struct secret *key = NULL;
    struct file_root root;

    begin_to_hand_on(f);
    check_ok(open_another(f));
    read_root(f, &root);
    check_ok(secret_new(32, &key));
    assert_false(stretched_find(f->stretched, root.salt, root.cost, key));
}

static void create_store__short_passphrase__usage_and_no_store(void **state)
{
    struct fixture *f = *state;
    struct path dir = tmpdir_path(&f->tmp, "second");
    struct file_store *store = NULL;

    f->conf.path = dir.text;
    f->dir = dir;
    f->passphrase = "seven 7";
    check_rc(file_store_create(&f->conf), USAGE);
    check_rc(file_store_open(&f->conf, &store), NOT_FOUND);
    f->passphrase = "eight 88";
    check_ok(file_store_create(&f->conf)); /* what the first attempt left is no hindrance */
}

#define WITH_KEY_FILE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define WITH_PASSPHRASE(fn) cmocka_unit_test_setup_teardown(fn, setup_passphrase, teardown)
#define WITH_HANDED_ON(fn) cmocka_unit_test_setup_teardown(fn, setup_handed_on, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEY_FILE(wrap__enabled_key__opens_again),
        WITH_KEY_FILE(wrap__other_store_object__opens_there_too),
        WITH_KEY_FILE(unwrap__other_context__auth),
        WITH_KEY_FILE(unwrap__blob_of_another_key__wrong_key),
        WITH_KEY_FILE(unwrap__every_bit_flipped_or_cut__corrupt),
        WITH_KEY_FILE(wrap__too_much_or_nothing__usage_and_output_untouched),
        WITH_KEY_FILE(rotate__old_and_new_ciphertexts__both_open),
        WITH_KEY_FILE(disable__use__key_disabled_with_the_way_out),
        WITH_KEY_FILE(schedule_deletion__before_and_after_its_time__pending_then_destroyed),
        WITH_KEY_FILE(cancel_deletion__too_late__state_and_material_gone),
        WITH_KEY_FILE(cancel_deletion__in_time__disabled_then_usable),
        WITH_KEY_FILE(schedule_deletion__zero_days__material_overwritten_now),
        WITH_KEY_FILE(transition__not_in_the_table__state_that_names_the_state),
        WITH_KEY_FILE(schedule_deletion__too_many_days__usage),
        WITH_KEY_FILE(create__name_taken__exists_even_when_destroyed),
        WITH_KEY_FILE(create__bad_names__usage),
        WITH_KEY_FILE(use__no_such_key__denied_but_manage__not_found),
        WITH_KEY_FILE(record__every_bit_flipped__never_used),
        WITH_KEY_FILE(record__under_another_name__foreign),
        WITH_KEY_FILE(root__every_bit_flipped__refused),
        WITH_KEY_FILE(root__fields_forged_with_a_right_sum__wrong_key),
        WITH_KEY_FILE(open__another_key_file__wrong_key_with_the_way_out),
        WITH_KEY_FILE(use__key_file_gone__credential_until_it_is_back),
        WITH_KEY_FILE(use__store_gone__unreachable_until_it_is_back),
        WITH_KEY_FILE(use__keys_directory_gone__unreachable),
        WITH_KEY_FILE(use__lock_held_by_a_writer__works),
        WITH_KEY_FILE(change__lock_held_by_another__busy_after_five_seconds),
        WITH_KEY_FILE(files__modes__private_and_kept),
        WITH_KEY_FILE(use__read_only_tree__works),
        WITH_KEY_FILE(list__several_keys__in_order_of_name),
        WITH_KEY_FILE(list__one_damaged_key__others_seen_and_damage_told),
        WITH_KEY_FILE(show__new_key__what_it_is),
        WITH_KEY_FILE(create_store__twice__exists_and_first_intact),
        WITH_KEY_FILE(open__no_store__not_found),
        WITH_PASSPHRASE(open__key_file_for_a_passphrase_store__credential),
        WITH_KEY_FILE(open__no_key_file_for_a_key_file_store__credential),
        WITH_PASSPHRASE(passphrase__right_one__asked_once_and_keys_usable),
        WITH_PASSPHRASE(passphrase__wrong_one__wrong_key),
        WITH_PASSPHRASE(passphrase__nobody_to_ask__credential),
        WITH_PASSPHRASE(passphrase__store_replaced_under_an_open_one__wrong_key),
        WITH_HANDED_ON(stretched__handed_on__nobody_asked_and_keys_usable),
        WITH_PASSPHRASE(stretched__no_memory_to_hand_it_on__opens_all_the_same),
        WITH_PASSPHRASE(stretched__from_a_wrong_passphrase__not_handed_on),
        WITH_HANDED_ON(stretched__passphrase_and_salt_changed__asked_again),
        WITH_HANDED_ON(stretched__cost_changed__asked_again),
        WITH_HANDED_ON(stretched__record_forged_since__wrong_key),
        WITH_HANDED_ON(stretched__with_a_key_file__credential),
        WITH_KEY_FILE(stretched__with_a_key_file_store__nothing_handed_on),
        WITH_PASSPHRASE(create_store__short_passphrase__usage_and_no_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
