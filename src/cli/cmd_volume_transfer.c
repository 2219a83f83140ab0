/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_transfer.c - keystead volume adopt, keystead volume release: a plain directory into a volume and back.
 *
 * Both work on a volume that nobody mounts, under its lock.
 */
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/create.h"
#include "cli/in_use.h"
#include "cli/interrupt.h"
#include "cli/offline.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "io/hold.h"
#include "volume/transfer.h"

struct transfer_command {
    struct cli *cli;
    const char *dir, *backing; /* as given */
    bool is_release;
    struct progress progress;
    struct transfer_result result;
};

/* ---- while it runs ---- */

static bool on_progress(void *arg, const struct transfer_progress *p)
{
    struct transfer_command *c = arg;
    struct progress_news news;

    progress_measure(&c->progress, p->bytes, p->bytes_total, &news);
    progress_show(&c->progress, &news, "%s, %" PRIu64 " of %" PRIu64 " files",
                  c->is_release ? "decrypting" : "encrypting", p->objects, p->objects_total);
    return !interrupt_came();
}

/* ---- the two directories ---- */

static ks_rc check_apart(const char *a, const char *b)
{
    size_t len = strlen(a);
    bool is_within = strncmp(a, b, len) == 0 && (b[len] == '/' || b[len] == '\0');

    ENSURE(!is_within, KS_E_USAGE,
           "%s and %s overlap; give two directories of which none is in the other", b, a);
    return KS_SUCCESS;
}

static ks_rc check_dirs(const struct transfer_command *c, char **ret_dir)
{
    CLEANUP(mem_freep) char *dir = NULL, *backing = NULL;

    TRY(resolve_absolute(c->dir, "directory", &dir));
    TRY(resolve_absolute(c->backing, "volume", &backing));
    TRY(check_apart(dir, backing));
    TRY(check_apart(backing, dir));
    TRY(in_use_check(dir));
    *ret_dir = TAKE(dir);
    return KS_SUCCESS;
}

static ks_rc transfer_between(struct transfer_command *c, struct target *t, struct volume *v,
                              struct io_node *dir)
{
    struct side_plain plain;
    struct side_volume volume;
    struct transfer_conf conf = {
        .is_measured = c->progress.is_terminal, /* or nobody would see the totals */
        .progress = on_progress,
        .arg = c,
    };

    side_plain_init(&plain, io_posix(), dir);
    side_volume_init(&volume, v, io_posix(), backing_tree(t->backing));
    conf.from = c->is_release ? &volume.side : &plain.side;
    conf.to = c->is_release ? &plain.side : &volume.side;
    interrupt_note();
    ks_rc rc = transfer_run(&conf, &c->result);
    progress_clear(&c->progress);
    return c->result.is_interrupted ? KS_SUCCESS : rc;
}

static ks_rc transfer_opened(struct transfer_command *c, struct target *t, const char *dir_path)
{
    CLEANUP(offline_freep) struct volume *v = NULL;
    struct io *io = io_posix();
    struct io_node *dir;

    TRY(offline_volume(t, &v));
    TRY(ks_wrap(io->ops->open_root(io, dir_path, &dir), "%s", dir_path));
    ks_rc rc = transfer_between(c, t, v, dir);
    io->ops->node_close(io, dir);
    return rc;
}

static void target_freep(struct target *t)
{
    target_done(t);
}

static ks_rc transfer_command_run(struct transfer_command *c)
{
    CLEANUP(target_freep) struct target t = {0};
    CLEANUP(mem_freep) char *dir = NULL;
    CLEANUP(hold_end) struct hold *hold = NULL;

    TRY(check_dirs(c, &dir));
    /* two transfers into or out of one directory would take each other's unfinished copies away */
    TRY(hold_directory(dir, &hold));
    TRY(target_init(c->cli, c->backing, &t));
    ENSURE(!target_is_running(&t), KS_E_BUSY,
           "volume %s is mounted; unmount it first: keystead volume unmount %s", t.keyring->label,
           c->backing);
    TRY(target_unlock(&t));
    umask(0);
    TRY(transfer_opened(c, &t, dir));
    if (c->is_release && !c->result.is_interrupted)
        TRY(backing_remove(t.backing));
    return KS_SUCCESS;
}

/* ---- the answer ---- */

static ks_rc print_json(const struct transfer_command *c)
{
    const struct transfer_result *r = &c->result;

    return output_json(json_pack("{s:I, s:I, s:I, s:b}", "objects", (json_int_t)r->progress.objects,
                                 "bytes", (json_int_t)r->progress.bytes, "files_linked_elsewhere",
                                 (json_int_t)r->files_linked_elsewhere, "is_interrupted",
                                 (int)r->is_interrupted));
}

static void print_text(const struct transfer_command *c)
{
    const struct transfer_result *r = &c->result;
    char bytes[OUTPUT_BYTES_TEXT];

    output_bytes(r->progress.bytes, bytes);
    printf("%s%" PRIu64 " files, %s, are %s now\n", r->is_interrupted ? "interrupted: " : "",
           r->progress.objects, bytes, c->is_release ? "plain" : "encrypted");
    if (r->is_interrupted) {
        printf("start it again to go on; until then the rest is where it was\n");
        return;
    }
    if (r->files_linked_elsewhere > 0)
        printf("%" PRIu64
               " files have other names outside of %s, where their contents are as before\n",
               r->files_linked_elsewhere, c->is_release ? c->backing : c->dir);
    printf("next: ");
    if (c->is_release)
        printf("the volume has ended; %s is an empty directory\n", c->backing);
    else
        printf("keystead volume mount %s %s\n", c->backing, c->dir);
}

static ks_rc transfer_command(struct transfer_command *c)
{
    c->progress = progress_begin();
    TRY(transfer_command_run(c));
    if (c->cli->is_json)
        TRY(print_json(c));
    else
        print_text(c);
    if (c->result.is_interrupted)
        c->cli->exit_code = EXIT_INTERRUPTED;
    return KS_SUCCESS;
}

/* The directory that path is to be made in. */
static ks_rc parent_of(const char *path, char **ret)
{
    CLEANUP(mem_freep) char *copy = NULL;

    TRY(mem_text(path, &copy));
    return resolve_absolute(dirname(copy), "directory", ret);
}

/* Everything that can be wrong with the place is found before anything is made. */
static ks_rc make_volume(struct cli *cli, const char *dir_path, const char *path)
{
    CLEANUP(mem_freep) char *dir = NULL, *parent = NULL;

    ENSURE(cli->key_count > 0, KS_E_USAGE,
           "%s is no volume yet; say with --key under which key it is to be made", path);
    TRY(resolve_absolute(dir_path, "directory", &dir));
    TRY(parent_of(path, &parent));
    TRY(check_apart(dir, parent));
    TRY(in_use_check(dir));
    return create_volume(cli, path);
}

/* Whether a transfer that began earlier is to be continued. */
static ks_rc is_volume(struct cli *cli, const char *path, bool *ret)
{
    struct backing_conf conf = target_conf(cli, path);
    struct backing *b = NULL;
    ks_rc rc = backing_open(&conf, false, &b);

    backing_close(b);
    *ret = ks_ok(rc);
    return ks_is(rc, KS_E_NOT_FOUND) || ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

ks_rc cmd_volume_adopt(struct cli *cli)
{
    struct transfer_command c = {.cli = cli, .dir = cli->args[0], .backing = cli->args[1]};

    bool is_there;

    TRY(is_volume(cli, c.backing, &is_there));
    if (is_there)
        TRY(backing_check_storage(io_posix(), c.backing));
    else
        TRY(make_volume(cli, c.dir, c.backing));
    return transfer_command(&c);
}

ks_rc cmd_volume_release(struct cli *cli)
{
    struct transfer_command c = {
        .cli = cli, .dir = cli->args[1], .backing = cli->args[0], .is_release = true};

    return transfer_command(&c);
}
