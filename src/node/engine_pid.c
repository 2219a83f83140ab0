/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_pid.c - the note of who runs, in the engine's directory on the host.
 *
 * It is a hint: what it names is taken over only when the process is that very one (io/program.h). Damage counts as no note.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "node/engine_int.h"

enum { NOTE_MAX = 8192, MODE_FILE = 0600 };

static const char NAME[] = "running.json";

static ks_rc take_text(const json_t *o, const char *name, char *room, size_t len)
{
    const char *text = NULL;

    TRY(json_get_text(o, name, len - 1, &text));
    snprintf(room, len, "%s", text);
    return KS_SUCCESS;
}

static ks_rc parse(const json_t *o, struct engine_pid *ret)
{
    int64_t pid = 0, ticks = 0;

    TRY(json_get_int(o, "pid", 2, INT32_MAX, &pid));
    TRY(json_get_int(o, "start_ticks", 0, INT64_MAX, &ticks));
    TRY(take_text(o, "boot", ret->identity.boot, sizeof ret->identity.boot));
    TRY(take_text(o, "program", ret->program, sizeof ret->program));
    TRY(take_text(o, "home", ret->home, sizeof ret->home));
    TRY(take_text(o, "log", ret->log, sizeof ret->log));
    ret->identity.pid = (pid_t)pid;
    ret->identity.start_ticks = (uint64_t)ticks;
    return KS_SUCCESS;
}

static ks_rc open_dir(const char *dir, struct io_node **ret)
{
    return ks_wrap(io_posix()->ops->open_root(io_posix(), dir, ret), "%s", dir);
}

ks_rc engine_pid_read(const char *dir, struct engine_pid *ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(NOTE_MAX);
    struct io_node *node = NULL;
    json_t *o = NULL;

    TRY(open_dir(dir, &node));
    ks_rc rc = atomic_file_read(io_posix(), node, NAME, NOTE_MAX, &text);
    io_posix()->ops->node_close(io_posix(), node);
    if (ks_ok(rc))
        rc = json_read(buf_view(&text), (struct json_limits){NOTE_MAX, 4}, NAME, &o);
    if (ks_ok(rc))
        rc = parse(o, ret);
    json_decref(o);
    return ks_ok(rc) ? rc : ks_fail(KS_E_NOT_FOUND, "no engine is noted in %s", dir);
}

static ks_rc remove_note(struct io_node *dir)
{
    ks_rc rc = io_posix()->ops->unlink(io_posix(), dir, NAME);

    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

static ks_rc write_note(struct io_node *dir, const struct engine_pid *pid)
{
    CLEANUP(buf_done) struct buf text = buf_init(NOTE_MAX);
    json_t *o =
        json_pack("{s:i, s:I, s:s, s:s, s:s, s:s}", "pid", (int)pid->identity.pid, "start_ticks",
                  (json_int_t)pid->identity.start_ticks, "boot", pid->identity.boot, "program",
                  pid->program, "home", pid->home, "log", pid->log);

    ENSURE(o, KS_E_NO_MEMORY, "no memory for a note");
    ks_rc rc = json_write(o, false, &text);
    json_decref(o);
    TRY(rc);
    return atomic_file_write(io_posix(), dir, NAME, MODE_FILE, buf_view(&text));
}

ks_rc engine_pid_write(const char *dir, const struct engine_pid *pid)
{
    struct io_node *node = NULL;

    TRY(open_dir(dir, &node));
    ks_rc rc = pid ? write_note(node, pid) : remove_note(node);
    io_posix()->ops->node_close(io_posix(), node);
    return ks_wrap(rc, "%s in %s", NAME, dir);
}
