/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each use is one whole line of the log, side by side with others, over changes of files, whatever
 * its texts hold; and a log that cannot be written is told.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

#include "check.h"
#include "io/fault.h"
#include "localkms/audit.h"
#include "tmpdir.h"

enum { THREADS = 4, LINES = 200, TIME_S = 1000000000 };

struct fixture {
    struct tmpdir dir;
    struct io *io;
    struct io_node *node;
    struct lk_audit *audit;
};

static void open_log(struct fixture *f, uint64_t file_bytes)
{
    check_ok(lk_audit_open(
        &(struct lk_audit_conf){.io = f->io, .dir = f->node, .file_bytes = file_bytes}, &f->audit));
}

static void set_up(struct fixture *f, uint64_t file_bytes)
{
    f->dir = tmpdir_make();
    f->io = io_posix();
    check_ok(f->io->ops->open_root(f->io, f->dir.path, &f->node));
    open_log(f, file_bytes);
}

static void tear_down(struct fixture *f)
{
    lk_audit_close(f->audit);
    f->io->ops->node_close(f->io, f->node);
    tmpdir_remove(&f->dir);
}

/* Counts the lines of one file; each must be an object. */
static int count_lines(const struct fixture *f, const char *name, json_t **ret_last)
{
    static char line[65536];
    int count = 0;

    FILE *file = fopen(tmpdir_path(&f->dir, name).text, "r");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_true(json_is_object(object));
        if (ret_last) {
            json_decref(*ret_last);
            *ret_last = json_incref(object);
        }
        json_decref(object);
        count++;
    }
    fclose(file);
    return count;
}

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void use__all_members__one_line(void **state)
{
    struct fixture f;
    json_t *last = NULL;
    struct lk_event event = {.request_id = "r",
                             .principal = "a\"b\\c\n\xff",
                             .source = "127.0.0.1",
                             .operation = "kms:Decrypt",
                             .resource = "arn",
                             .context = "{\"tenant\":\"7\"}",
                             .outcome = "ok"};

    (void)state;
    set_up(&f, 0);
    check_ok(lk_audit_use(f.audit, TIME_S, &event));
    assert_int_equal(count_lines(&f, "audit.log", &last), 1);
    assert_string_equal(member(last, "time"), "2001-09-09T01:46:40Z");
    assert_string_equal(member(last, "principal"), "a\"b\\c\n\xc3\xbf");
    assert_string_equal(member(json_object_get(last, "context"), "tenant"), "7");
    assert_string_equal(member(last, "outcome"), "ok");
    assert_null(json_object_get(last, "account"));
    json_decref(last);
    tear_down(&f);
}

static void *write_lines(void *arg)
{
    struct fixture *f = arg;

    for (int i = 0; i < LINES; i++)
        check_ok(lk_audit_use(f->audit, TIME_S, &(struct lk_event){.operation = "kms:Encrypt"}));
    return NULL;
}

static void use__side_by_side_over_files__no_line_lost_or_torn(void **state)
{
    struct fixture f;
    pthread_t threads[THREADS];
    int lines = 0;

    (void)state;
    set_up(&f, 8000);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &f), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < AUDIT_FILES_MAX; i++) {
        char name[32] = "audit.log";
        if (i > 0)
            snprintf(name, sizeof name, "audit.log.%d", i);
        lines += count_lines(&f, name, NULL);
    }
    assert_int_equal(lines, THREADS * LINES);
    assert_true(count_lines(&f, "audit.log.1", NULL) > 0);
    tear_down(&f);
}

static void open__log_is_there__goes_on_behind_it(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, 0);
    check_ok(lk_audit_use(f.audit, TIME_S, &(struct lk_event){.operation = "a"}));
    lk_audit_close(f.audit);
    open_log(&f, 0);
    check_ok(lk_audit_use(f.audit, TIME_S, &(struct lk_event){.operation = "b"}));
    assert_int_equal(count_lines(&f, "audit.log", NULL), 2);
    tear_down(&f);
}

static void use__line_too_long__limit(void **state)
{
    struct fixture f;
    static char text[70000];

    (void)state;
    set_up(&f, 0);
    memset(text, 'x', sizeof text - 1);
    check_rc(lk_audit_use(f.audit, TIME_S, &(struct lk_event){.operation = text}), LIMIT);
    tear_down(&f);
}

static void open__disk_fails__told(void **state)
{
    struct fixture f;
    struct lk_audit *audit = NULL;

    (void)state;
    f.dir = tmpdir_make();
    struct io *io;
    check_ok(fault_new(io_posix(), &io));
    check_ok(io->ops->open_root(io, f.dir.path, &f.node));
    fault_arm(io, 1, ENOSPC, true);
    assert_true(
        ks_is_os(lk_audit_open(&(struct lk_audit_conf){.io = io, .dir = f.node}, &audit), ENOSPC));
    fault_arm(io, 0, 0, false);
    check_ok(lk_audit_open(&(struct lk_audit_conf){.io = io, .dir = f.node, .sync_ms = 3600000},
                           &audit));
    fault_arm(io, 1, ENOSPC, true);
    assert_true(ks_is_os(lk_audit_use(audit, TIME_S, &(struct lk_event){0}), ENOSPC));
    fault_arm(io, 0, 0, false);
    check_ok(lk_audit_use(audit, TIME_S, &(struct lk_event){0}));
    lk_audit_close(audit);
    io->ops->node_close(io, f.node);
    fault_free(io);
    tmpdir_remove(&f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(use__all_members__one_line),
        cmocka_unit_test(use__side_by_side_over_files__no_line_lost_or_torn),
        cmocka_unit_test(open__log_is_there__goes_on_behind_it),
        cmocka_unit_test(use__line_too_long__limit),
        cmocka_unit_test(open__disk_fails__told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
