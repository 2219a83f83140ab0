/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_home.c - where an engine lives on its volume.
 *
 * Invariant: "initialised" is written when everything that it names is durable, and a home is never used twice: what an attempt left that did not
 * come to its end lies there, and the next one gets a new home. Only root writes outside of the home, so an engine that was taken over
 * cannot lead us elsewhere by a link.
 * Between two calls nothing of the volume is open: it must be possible to unmount it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "node/engine_int.h"

enum {
    MODE_ENTER = 0711,
    MODE_OURS = 0700,
    MODE_FILE = 0600,
    NOTE_MAX = 1024,
    HOMES_MAX = 100,
    DEPTH_MAX = 24,
};

static const char ENGINE[] = "engine", NOTE[] = "initialised", PASSWORD[] = "password";
static const char HOME[] = "home-";

/* ---- small steps ---- */

static struct io *io(void)
{
    return io_posix();
}

static void node_close(struct io_node **node)
{
    if (*node)
        io()->ops->node_close(io(), *node);
}

static ks_rc lookup(struct io_node *dir, const char *name, struct io_node **ret,
                    struct stat *ret_st)
{
    struct stat st;

    return io()->ops->lookup(io(), dir, name, ret, ret_st ? ret_st : &st);
}

static ks_rc set_mode(struct io_node *node, mode_t mode)
{
    const struct stat st = {.st_mode = mode};

    return io()->ops->setattr(io(), node, IO_ATTR_MODE, &st);
}

static ks_rc give_to(struct io_node *node, const struct program_user *user)
{
    const struct stat st = {.st_uid = user->uid, .st_gid = user->gid};

    return user->is_other ? io()->ops->setattr(io(), node, IO_ATTR_UID | IO_ATTR_GID, &st)
                          : KS_SUCCESS;
}

/* One that is there already will do. */
static ks_rc make_dir(struct io_node *dir, const char *name, mode_t mode, struct io_node **ret)
{
    CLEANUP(node_close) struct io_node *node = NULL;
    struct stat st;

    ks_rc rc = io()->ops->mkdir(io(), dir, name, mode);
    if (!ks_ok(rc) && !ks_is_os(rc, EEXIST))
        return ks_wrap(rc, "the directory %s", name);
    TRY(ks_wrap(lookup(dir, name, &node, &st), "%s", name));
    ENSURE(S_ISDIR(st.st_mode), KS_E_STATE, "%s is no directory", name);
    TRY(ks_wrap(set_mode(node, mode), "%s", name));
    if (ret)
        *ret = TAKE(node);
    return KS_SUCCESS;
}

/* ---- opening ---- */

static ks_rc device_of(const char *path, struct io_node **ret, uint64_t *ret_device)
{
    CLEANUP(node_close) struct io_node *node = NULL;
    struct stat st;

    TRY(ks_wrap(io()->ops->open_root(io(), path, &node), "%s", path));
    TRY(ks_wrap(io()->ops->stat(io(), node, &st), "%s", path));
    *ret_device = st.st_dev;
    if (ret)
        *ret = TAKE(node);
    return KS_SUCCESS;
}

/* The volume's own root, and not the directory that it is to be mounted on: what is written there would not be encrypted. */
static ks_rc open_volume(const struct engine_conf *conf, struct io_node **ret, uint64_t *ret_device)
{
    CLEANUP(node_close) struct io_node *node = NULL;
    CLEANUP(mem_freep) char *above = NULL;
    uint64_t device = 0, outside = 0;

    TRY(mem_format(&above, "%s/..", conf->mountpoint));
    TRY(device_of(conf->mountpoint, &node, &device));
    TRY(device_of(above, NULL, &outside));
    ENSURE(device != outside || conf->may_be_plain, KS_E_STATE, "no volume is mounted on %s",
           conf->mountpoint);
    *ret_device = device;
    *ret = TAKE(node);
    return KS_SUCCESS;
}

/* MOUNTPOINT/engine, which must be where it was. */
static ks_rc enter(const struct engine_home *h, struct io_node **ret)
{
    CLEANUP(node_close) struct io_node *node = NULL;
    uint64_t device = 0;

    TRY(device_of(h->path, &node, &device));
    ENSURE(device == h->device, KS_E_STATE, "%s is not on the volume any more", h->path);
    *ret = TAKE(node);
    return KS_SUCCESS;
}

static ks_rc set_home(struct engine_home *h, const char *name)
{
    mem_freep(&h->home);
    return mem_format(&h->home, "%s/%s", h->path, name);
}

static ks_rc take_note(struct engine_home *h, const json_t *note, const char *engine)
{
    const char *name = NULL, *home = NULL;

    TRY(json_get_text(note, "engine", ENGINE_NAME_BYTES, &name));
    TRY(json_get_text(note, "home", 32, &home));
    TRY(json_may_bool(note, "prepared", &h->is_prepared));
    ENSURE(strcmp(name, engine) == 0, KS_E_STATE,
           "%s lives on this volume already; it cannot become %s", name, engine);
    ENSURE(strncmp(home, HOME, sizeof HOME - 1) == 0 && !strchr(home, '/'), KS_E_CORRUPT,
           "the note of initialisation names no home");
    h->is_initialised = true;
    return set_home(h, home);
}

static ks_rc read_note(struct engine_home *h, struct io_node *root, const char *engine)
{
    CLEANUP(buf_done) struct buf text = buf_init(NOTE_MAX);
    json_t *note = NULL;

    ks_rc rc = atomic_file_read(io(), root, NOTE, NOTE_MAX, &text);
    if (ks_is_os(rc, ENOENT))
        return KS_SUCCESS;
    if (ks_ok(rc))
        rc = json_read(buf_view(&text), (struct json_limits){NOTE_MAX, 4}, NOTE, &note);
    if (ks_ok(rc))
        rc = take_note(h, note, engine);
    json_decref(note);
    return ks_wrap(rc, "%s/%s", h->path, NOTE);
}

static ks_rc read_password(struct engine_home *h, struct io_node *root)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(ENGINE_PASSWORD_BYTES);

    ks_rc rc = atomic_file_read(io(), root, PASSWORD, ENGINE_PASSWORD_BYTES, &text);
    if (ks_is_os(rc, ENOENT))
        return KS_SUCCESS;
    TRY(ks_wrap(rc, "%s/%s", h->path, PASSWORD));
    ENSURE(text.len == ENGINE_PASSWORD_BYTES, KS_E_CORRUPT, "%s/%s is damaged", h->path, PASSWORD);
    return secret_copy(buf_view(&text), &h->password);
}

/* A new volume's root is for root alone; the engine must be able to pass, and nobody else: its group may enter, if it has one of its own. */
static ks_rc let_pass(struct io_node *volume, uid_t owner)
{
    struct stat st, want = {.st_gid = owner};

    TRY(io()->ops->stat(io(), volume, &st));
    mode_t mode = st.st_mode & 07777;
    if (owner == 0)
        return mode & S_IXOTH ? KS_SUCCESS : set_mode(volume, mode | S_IXGRP | S_IXOTH);
    want.st_mode = (mode & ~(mode_t)S_IRWXO) | S_IXGRP;
    if (st.st_gid == want.st_gid && mode == want.st_mode)
        return KS_SUCCESS;
    return io()->ops->setattr(io(), volume, IO_ATTR_GID | IO_ATTR_MODE, &want);
}

static ks_rc fill(struct engine_home *h, const struct engine_conf *conf)
{
    CLEANUP(node_close) struct io_node *volume = NULL, *root = NULL;

    TRY(mem_format(&h->path, "%s/%s", conf->mountpoint, ENGINE));
    TRY(mem_format(&h->conf, "%s/conf", h->path));
    TRY(mem_format(&h->log, "%s/log/engine.log", h->path));
    TRY(open_volume(conf, &volume, &h->device));
    TRY(make_dir(volume, ENGINE, MODE_ENTER, &root));
    TRY(make_dir(root, "conf", MODE_ENTER, NULL));
    TRY(make_dir(root, "log", MODE_OURS, NULL));
    TRY(read_note(h, root, engine_template_name(conf->kind)));
    return read_password(h, root);
}

ks_rc engine_home_open(const struct engine_conf *conf, struct engine_home **ret)
{
    struct engine_home *h;

    TRY(mem_new(1, sizeof *h, &h));
    ks_rc rc = fill(h, conf);
    if (ks_ok(rc))
        *ret = h;
    else
        engine_home_free(h);
    return rc;
}

ks_rc engine_home_admit(struct engine_home *h, const struct engine_conf *conf, uid_t owner)
{
    CLEANUP(node_close) struct io_node *volume = NULL;
    uint64_t device = 0;

    TRY(open_volume(conf, &volume, &device));
    ENSURE(device == h->device, KS_E_STATE, "%s is not on the volume any more", h->path);
    return ks_wrap(let_pass(volume, owner), "%s", conf->mountpoint);
}

void engine_home_free(struct engine_home *h)
{
    if (!h)
        return;
    secret_free(h->password);
    mem_free(h->path);
    mem_free(h->home);
    mem_free(h->conf);
    mem_free(h->log);
    mem_free(h);
}

/* ---- a new home ---- */

/* The number of the newest attempt; 0: there was none. */
static ks_rc last_home(struct io_node *root, unsigned long *ret)
{
    struct io_dirent e = {.name = "."};
    struct io_dir *list = NULL;
    unsigned long last = 0;
    char *end;

    TRY(io()->ops->dir_open(io(), root, &list));
    ks_rc rc = KS_SUCCESS;
    while (ks_ok(rc) && e.name[0]) {
        rc = io()->ops->dir_next(io(), list, &e);
        if (!ks_ok(rc) || strncmp(e.name, HOME, sizeof HOME - 1) != 0)
            continue;
        unsigned long n = strtoul(e.name + sizeof HOME - 1, &end, 10);
        if (!*end && n > last)
            last = n;
    }
    io()->ops->dir_close(io(), list);
    *ret = last;
    return rc;
}

static ks_rc make_directories(struct io_node *home, const struct engine_template *t,
                              const struct program_user *user)
{
    json_t *item;
    size_t i;

    json_array_foreach(t->directories, i, item)
    {
        CLEANUP(node_close) struct io_node *node = NULL;
        TRY(make_dir(home, json_string_value(item), MODE_OURS, &node));
        TRY(give_to(node, user));
    }
    return give_to(home, user); /* last: until then nobody else can put a link there */
}

ks_rc engine_home_begin(struct engine_home *h, const struct engine_template *t,
                        const struct program_user *user)
{
    CLEANUP(node_close) struct io_node *root = NULL, *home = NULL;
    unsigned long last = 0;
    char name[32];

    TRY(enter(h, &root));
    TRY(ks_wrap(last_home(root, &last), "%s", h->path));
    ENSURE(last < HOMES_MAX, KS_E_LIMIT,
           "%lu attempts to initialise %s failed; remove what they left in %s", last, t->name,
           h->path);
    snprintf(name, sizeof name, "%s%lu", HOME, last + 1);
    TRY(ks_wrap(io()->ops->mkdir(io(), root, name, MODE_OURS), "%s/%s", h->path, name));
    TRY(lookup(root, name, &home, NULL));
    TRY(make_directories(home, t, user));
    return set_home(h, name);
}

/* ---- a home that changes hands ---- */

typedef ks_rc visit_entry(void *arg, struct io_node *dir, const char *name, unsigned depth);

static ks_rc each_entry(struct io_node *dir, unsigned depth, visit_entry *visit, void *arg)
{
    struct io_dirent e = {.name = "."};
    struct io_dir *list = NULL;

    ENSURE(depth < DEPTH_MAX, KS_E_LIMIT, "directories are nested deeper than %d", DEPTH_MAX);
    TRY(io()->ops->dir_open(io(), dir, &list));
    ks_rc rc = KS_SUCCESS;
    while (ks_ok(rc) && e.name[0]) {
        rc = io()->ops->dir_next(io(), list, &e);
        if (ks_ok(rc) && e.name[0] && strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0)
            rc = ks_wrap(visit(arg, dir, e.name, depth), "%s", e.name);
    }
    io()->ops->dir_close(io(), list);
    return rc;
}

struct giving {
    uid_t from;
    const struct program_user *user;
};

static ks_rc give_inside(struct io_node *dir, uid_t from, const struct program_user *user,
                         unsigned depth);

/* Links into somebody else's files stay as they are. */
static ks_rc give_one(void *arg, struct io_node *dir, const char *name, unsigned depth)
{
    const struct giving *g = arg;
    CLEANUP(node_close) struct io_node *node = NULL;
    struct stat st;

    TRY(lookup(dir, name, &node, &st));
    if (S_ISDIR(st.st_mode))
        TRY(give_inside(node, g->from, g->user, depth + 1));
    return st.st_uid == g->from ? give_to(node, g->user) : KS_SUCCESS;
}

static ks_rc give_inside(struct io_node *dir, uid_t from, const struct program_user *user,
                         unsigned depth)
{
    struct giving g = {from, user};

    return each_entry(dir, depth, give_one, &g);
}

/* The home itself is given last: until then it is found not to be given. */
ks_rc engine_home_give(struct engine_home *h, const struct program_user *user)
{
    CLEANUP(node_close) struct io_node *root = NULL, *home = NULL;
    struct stat st;

    TRY(enter(h, &root));
    TRY(ks_wrap(lookup(root, strrchr(h->home, '/') + 1, &home, &st), "%s", h->home));
    if (!user->is_other || st.st_uid == user->uid)
        return KS_SUCCESS;
    TRY(ks_wrap(give_inside(home, st.st_uid, user, 0), "%s", h->home));
    return ks_wrap(give_to(home, user), "%s", h->home);
}

/* A sync of each file: syncing a mount as a whole reaches its process, not the disk. */
static ks_rc sync_tree(struct io_node *dir, unsigned depth);

static ks_rc sync_file(struct io_node *node)
{
    struct io_file *file = NULL;

    TRY(io()->ops->open(io(), node, true, &file));
    ks_rc rc = io()->ops->sync(io(), file, false);
    io()->ops->close(io(), file);
    return rc;
}

static ks_rc sync_one(void *arg, struct io_node *dir, const char *name, unsigned depth)
{
    CLEANUP(node_close) struct io_node *node = NULL;
    struct stat st;

    (void)arg;
    TRY(lookup(dir, name, &node, &st));
    if (S_ISDIR(st.st_mode))
        return sync_tree(node, depth + 1);
    return S_ISREG(st.st_mode) ? sync_file(node) : KS_SUCCESS;
}

static ks_rc sync_tree(struct io_node *dir, unsigned depth)
{
    TRY(each_entry(dir, depth, sync_one, NULL));
    return io()->ops->sync_dir(io(), dir);
}

static ks_rc write_note(struct engine_home *h, struct io_node *root, const char *name,
                        bool is_prepared)
{
    CLEANUP(buf_done) struct buf text = buf_init(NOTE_MAX);
    json_t *note = json_pack("{s:s, s:s, s:b}", "engine", name, "home", strrchr(h->home, '/') + 1,
                             "prepared", (int)is_prepared);

    ENSURE(note, KS_E_NO_MEMORY, "no memory for a note");
    ks_rc rc = json_write(note, false, &text);
    json_decref(note);
    TRY(rc);
    return atomic_file_write(io(), root, NOTE, MODE_FILE, buf_view(&text));
}

ks_rc engine_home_commit(struct engine_home *h, const char *name, bool is_prepared)
{
    CLEANUP(node_close) struct io_node *root = NULL, *home = NULL;

    TRY(enter(h, &root));
    if (!h->is_initialised) {
        TRY(lookup(root, strrchr(h->home, '/') + 1, &home, NULL));
        TRY(ks_wrap(sync_tree(home, 0), "%s", h->home));
        TRY(io()->ops->sync_dir(io(), root));
    }
    TRY(ks_wrap(write_note(h, root, name, is_prepared), "%s/%s", h->path, NOTE));
    h->is_initialised = true;
    h->is_prepared = is_prepared;
    return KS_SUCCESS;
}

/* ---- secrets and files ---- */

/* Letters and digits, each as likely as the others: 190 bits. */
static ks_rc make_password(struct random *random, uint8_t text[ENGINE_PASSWORD_BYTES])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum { LETTERS = sizeof alphabet - 1, FAIR = 256 / LETTERS * LETTERS };
    uint8_t byte;

    for (size_t n = 0; n < ENGINE_PASSWORD_BYTES;) {
        TRY(random_fill(random, &byte, 1));
        if (byte < FAIR)
            text[n++] = (uint8_t)alphabet[byte % LETTERS];
    }
    return KS_SUCCESS;
}

ks_rc engine_home_password(struct engine_home *h, struct random *random)
{
    CLEANUP(node_close) struct io_node *root = NULL;
    CLEANUP(secret_freep) struct secret *password = NULL;

    if (h->password)
        return KS_SUCCESS;
    TRY(enter(h, &root));
    TRY(secret_new(ENGINE_PASSWORD_BYTES, &password));
    TRY(make_password(random, secret_bytes(password)));
    TRY(ks_wrap(atomic_file_write(io(), root, PASSWORD, MODE_FILE, secret_view(password)), "%s/%s",
                h->path, PASSWORD));
    h->password = TAKE(password);
    return KS_SUCCESS;
}

ks_rc engine_home_write(struct engine_home *h, const char *name, struct view text,
                        const struct program_user *user)
{
    CLEANUP(node_close) struct io_node *root = NULL, *conf = NULL, *file = NULL;

    TRY(enter(h, &root));
    TRY(lookup(root, "conf", &conf, NULL));
    TRY(ks_wrap(atomic_file_write(io(), conf, name, MODE_FILE, text), "%s/%s", h->conf, name));
    TRY(lookup(conf, name, &file, NULL));
    return ks_wrap(give_to(file, user), "%s/%s", h->conf, name);
}
