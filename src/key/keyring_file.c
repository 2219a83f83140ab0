/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyring_file.c - the keyring's two copies on disk, and the lock that guards them.
 *
 * Invariant: while the lock is held, at least one copy on disk holds the current keyring, and a write
 * goes to the other copy first. Never writes a copy from bytes that were not authenticated.
 */
#include "key/keyring_file.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/atomic_file.h"

enum { COPIES = 2, FILE_MODE = 0600 };

static const char *const copy_names[COPIES] = {"keyring.0", "keyring.1"};
static const char lock_name[] = "lock";

/* A keyring and the bytes it was read from. */
struct image {
    struct buf bytes;
    struct keyring *k; /* NULL: none */
};

struct keyring_file {
    struct io *io;
    struct io_node *dir; /* borrowed */
    struct io_node *lock_node;
    struct io_file *lock; /* NULL: opened for reading only */
    struct image current;
    struct image other;     /* a whole copy that differs from the current one, for a fall-back */
    const char *foreign;    /* the name of a copy that is another volume's; NULL */
    bool is_stale[COPIES];  /* not known to hold the current bytes */
    bool is_authentic;      /* the current keyring's MAC was checked, or we wrote it */
    uint64_t sequence_used; /* the highest that may stand on disk, also from a write that failed */
};

static struct image image_none(void)
{
    return (struct image){buf_init(KEYRING_BYTES_MAX), NULL};
}

static void image_done(struct image *m)
{
    buf_done(&m->bytes);
    keyring_free(m->k);
    m->k = NULL;
}

static void image_move(struct image *to, struct image *from)
{
    image_done(to);
    *to = *from;
    *from = image_none();
}

void keyring_file_close(struct keyring_file *f)
{
    if (!f)
        return;
    image_done(&f->current);
    image_done(&f->other);
    if (f->lock)
        f->io->ops->close(f->io, f->lock);
    if (f->lock_node)
        f->io->ops->node_close(f->io, f->lock_node);
    mem_free(f);
}

static void file_closep(struct keyring_file **f)
{
    keyring_file_close(*f);
}

static ks_rc file_new(struct io *io, struct io_node *dir, struct keyring_file **ret)
{
    struct keyring_file *f;

    TRY(mem_new(1, sizeof *f, &f));
    f->io = io;
    f->dir = dir;
    f->current = image_none();
    f->other = image_none();
    *ret = f;
    return KS_SUCCESS;
}

/* --- the lock ------------------------------------------------------------------------------- */

static ks_rc open_lock(struct keyring_file *f)
{
    struct io *io = f->io;
    ks_rc rc = io->ops->lookup(io, f->dir, lock_name, &f->lock_node, NULL);

    if (ks_ok(rc))
        return io->ops->open(io, f->lock_node, false, &f->lock);
    if (!ks_is_os(rc, ENOENT))
        return rc;
    rc = io->ops->create(io, f->dir, lock_name, FILE_MODE, &f->lock_node, &f->lock);
    if (!ks_is_os(rc, EEXIST))
        return rc;
    /* Somebody else was faster; the lock itself decides. */
    TRY(io->ops->lookup(io, f->dir, lock_name, &f->lock_node, NULL));
    return io->ops->open(io, f->lock_node, false, &f->lock);
}

static ks_rc take_lock(struct keyring_file *f)
{
    ks_rc rc = open_lock(f);

    if (ks_is_os(rc, EROFS))
        return ks_fail(KS_E_READ_ONLY, "its file system is mounted read-only; mount it writable");
    if (ks_is_os(rc, EACCES) || ks_is_os(rc, EPERM))
        return ks_fail(KS_E_PERMISSION,
                       "this user may not write to it; run as its owner or change its permissions");
    TRY(ks_wrap(rc, "cannot open the lock file"));
    rc = f->io->ops->lock(f->io, f->lock);
    if (rc.cls == KS_CLASS_BUSY)
        return ks_fail(KS_E_BUSY, "a volume process holds it; use the mounted volume's commands or "
                                  "unmount it first: keystead volume unmount PATH");
    return ks_wrap(rc, "cannot lock");
}

/* --- reading -------------------------------------------------------------------------------- */

static ks_rc read_copy(struct keyring_file *f, int i, struct image *m)
{
    ks_rc rc = atomic_file_read(f->io, f->dir, copy_names[i], KEYRING_BYTES_MAX, &m->bytes);

    /* Once more, because going on with the other copy may mean going on with an older one. */
    if (rc.cls == KS_CLASS_IO)
        rc = atomic_file_read(f->io, f->dir, copy_names[i], KEYRING_BYTES_MAX, &m->bytes);
    TRY(rc);
    return keyring_parse(buf_view(&m->bytes), &m->k);
}

/* Whether the other copy may stand in for one that could not be read with this result. A copy of a
 * newer version that is whole is not damage: going on without it would undo what it says. */
static bool is_damage(ks_rc rc, const struct image *m)
{
    if (ks_is(rc, KS_E_NEWER_VERSION))
        return !keyring_is_whole(buf_view(&m->bytes));
    return rc.cls == KS_CLASS_CORRUPT || rc.cls == KS_CLASS_IO || ks_is(rc, KS_E_LIMIT) ||
           ks_is_os(rc, ENOENT);
}

static void choose(struct keyring_file *f, struct image copies[COPIES])
{
    const struct keyring *a = copies[0].k, *b = copies[1].k;
    int newest = b && (!a || b->sequence > a->sequence);
    int older = !newest;

    image_move(&f->current, &copies[newest]);
    f->is_stale[newest] = false;
    f->is_stale[older] = !copies[older].k || !view_is_equal(buf_view(&copies[older].bytes),
                                                            buf_view(&f->current.bytes));
    if (copies[older].k && f->is_stale[older])
        image_move(&f->other, &copies[older]);
    f->sequence_used = f->current.k->sequence;
}

static void images_done(struct image (*copies)[COPIES])
{
    for (int i = 0; i < COPIES; i++)
        image_done(&(*copies)[i]);
}

static ks_rc read_copies(struct keyring_file *f)
{
    CLEANUP(images_done) struct image copies[COPIES] = {image_none(), image_none()};
    char reasons[COPIES][160] = {"", ""};
    int missing = 0;
    const char *newer = NULL;

    for (int i = 0; i < COPIES; i++) {
        ks_rc rc = read_copy(f, i, &copies[i]);

        if (!ks_ok(rc) && !is_damage(rc, &copies[i]))
            return rc;
        if (!ks_ok(rc))
            snprintf(reasons[i], sizeof reasons[i], "%s", ks_text(rc));
        missing += ks_is_os(rc, ENOENT);
        newer = ks_is(rc, KS_E_NEWER_VERSION) ? reasons[i] : newer;
    }
    ENSURE(missing < COPIES, KS_E_NOT_FOUND, "it holds no keyring");
    /* Whole or not as far as we can tell: a newer program may see more in it. */
    ENSURE(copies[0].k || copies[1].k || !newer, KS_E_NEWER_VERSION, "%s", newer);
    ENSURE(copies[0].k || copies[1].k, KS_E_CORRUPT,
           "neither copy of the keyring can be used (%s: %s; %s: %s); put both back from a backup",
           copy_names[0], reasons[0], copy_names[1], reasons[1]);
    choose(f, copies);
    return KS_SUCCESS;
}

ks_rc keyring_file_open(struct io *io, struct io_node *dir, bool is_exclusive,
                        struct keyring_file **ret)
{
    CLEANUP(file_closep) struct keyring_file *f = NULL;

    TRY(file_new(io, dir, &f));
    if (is_exclusive)
        TRY(take_lock(f));
    TRY(read_copies(f));
    *ret = TAKE(f);
    return KS_SUCCESS;
}

const struct keyring *keyring_file_current(const struct keyring_file *f)
{
    return f->current.k;
}

const char *keyring_file_name(const struct keyring_file *f)
{
    return copy_names[f->is_stale[0]];
}

/* --- whose it is --- */

static void image_id(const struct image *m, char out[2 * KEYRING_ID_BYTES + 1])
{
    out[0] = 0;
    for (size_t i = 0; m->k && i < KEYRING_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", m->k->volume_id[i]);
}

ks_rc keyring_file_keep_to(struct keyring_file *f, const char *volume_id)
{
    char current[2 * KEYRING_ID_BYTES + 1], other[2 * KEYRING_ID_BYTES + 1];

    image_id(&f->current, current);
    image_id(&f->other, other);
    if (strcmp(current, volume_id) != 0) {
        ENSURE(strcmp(other, volume_id) == 0, KS_E_FOREIGN,
               "its keyring is that of another volume, %s; put back its own, of %s", current,
               volume_id);
        f->foreign = keyring_file_name(f);
        keyring_file_fall_back(f);
        image_done(&f->other);
    } else if (f->other.k && strcmp(other, volume_id) != 0) {
        f->foreign = copy_names[!f->is_stale[0]];
        image_done(&f->other);
    }
    return KS_SUCCESS;
}

const char *keyring_file_foreign(const struct keyring_file *f)
{
    return f->foreign;
}

/* --- authenticity --------------------------------------------------------------------------- */

bool keyring_file_is_authentic(const struct keyring_file *f)
{
    return f->is_authentic;
}

bool keyring_file_fall_back(struct keyring_file *f)
{
    if (!f->other.k)
        return false;
    struct image given_up = f->current;
    f->current = f->other;
    f->other = given_up;
    f->is_stale[0] = !f->is_stale[0];
    f->is_stale[1] = !f->is_stale[1];
    f->sequence_used = f->current.k->sequence;
    f->is_authentic = false;
    return true;
}

ks_rc keyring_file_authenticate(struct keyring_file *f, struct view mac_key, bool *ret_fell_back)
{
    ks_rc rc = keyring_check_mac(buf_view(&f->current.bytes), mac_key);
    bool fell_back = false;

    if (!ks_ok(rc) && f->other.k && ks_ok(keyring_check_mac(buf_view(&f->other.bytes), mac_key))) {
        fell_back = keyring_file_fall_back(f);
        rc = KS_SUCCESS;
    }
    TRY(rc);
    f->is_authentic = true;
    *ret_fell_back = fell_back;
    return KS_SUCCESS;
}

/* --- writing -------------------------------------------------------------------------------- */

static ks_rc write_copy(struct keyring_file *f, int i, struct view bytes)
{
    /* Until it has succeeded nobody knows what stands there. */
    f->is_stale[i] = true;
    TRY(atomic_file_write(f->io, f->dir, copy_names[i], FILE_MODE, bytes));
    f->is_stale[i] = false;
    return KS_SUCCESS;
}

/* The bytes of k as number sequence, read back before they are trusted to the disk. */
static ks_rc make_image(const struct keyring *k, uint64_t sequence, struct view mac_key,
                        struct image *m)
{
    CLEANUP(keyring_freep) struct keyring *copy = NULL;

    TRY(keyring_copy(k, &copy));
    copy->sequence = sequence;
    TRY(keyring_write(copy, mac_key, &m->bytes));
    return keyring_parse(buf_view(&m->bytes), &m->k);
}

static ks_rc write_image(struct keyring_file *f, struct image *next)
{
    uint64_t sequence = next->k->sequence;
    int first = f->is_stale[0] != f->is_stale[1] ? f->is_stale[1] : (int)(sequence % COPIES);

    /* A failed write may still come to light after a crash: its number is used up. */
    f->sequence_used = sequence;
    TRY(write_copy(f, first, buf_view(&next->bytes)));
    image_move(&f->current, next);
    image_done(&f->other);
    f->is_authentic = true;
    /* The new keyring is durable, so this succeeded; the copy stays marked, and keyring_file_mend tries
     * again and tells. */
    IGNORE(write_copy(f, !first, buf_view(&f->current.bytes)));
    return KS_SUCCESS;
}

ks_rc keyring_file_replace(struct keyring_file *f, const struct keyring *k, struct view mac_key)
{
    CLEANUP(image_done) struct image next = image_none();

    ENSURE(f->lock, KS_E_STATE, "the volume was opened for reading only");
    ENSURE(f->is_authentic, KS_E_STATE, "the keyring must be unlocked before it can be changed");
    ENSURE(f->sequence_used < UINT64_MAX, KS_E_LIMIT, "the keyring's numbers are used up");
    TRY(make_image(k, f->sequence_used + 1, mac_key, &next));
    return write_image(f, &next);
}

const char *keyring_file_stale(const struct keyring_file *f)
{
    for (int i = 0; i < COPIES; i++)
        if (f->is_stale[i])
            return copy_names[i];
    return NULL;
}

bool keyring_file_is_mended(const struct keyring_file *f)
{
    return !keyring_file_stale(f);
}

ks_rc keyring_file_mend(struct keyring_file *f)
{
    ENSURE(f->lock, KS_E_STATE, "the volume was opened for reading only");
    ENSURE(f->is_authentic, KS_E_STATE, "the keyring must be unlocked before it can be mended");
    for (int i = 0; i < COPIES; i++)
        if (f->is_stale[i])
            TRY(write_copy(f, i, buf_view(&f->current.bytes)));
    return KS_SUCCESS;
}

static ks_rc check_none(struct keyring_file *f)
{
    for (int i = 0; i < COPIES; i++) {
        struct io_node *node = NULL;
        ks_rc rc = f->io->ops->lookup(f->io, f->dir, copy_names[i], &node, NULL);

        if (ks_ok(rc)) {
            f->io->ops->node_close(f->io, node);
            return ks_fail(KS_E_EXISTS, "it is a volume already");
        }
        if (!ks_is_os(rc, ENOENT))
            return ks_wrap(rc, "cannot look for %s", copy_names[i]);
    }
    return KS_SUCCESS;
}

ks_rc keyring_file_create(struct io *io, struct io_node *dir, struct keyring *k,
                          struct view mac_key, struct keyring_file **ret)
{
    CLEANUP(file_closep) struct keyring_file *f = NULL;
    CLEANUP(image_done) struct image first = image_none();

    TRY(file_new(io, dir, &f));
    TRY(take_lock(f));
    TRY(check_none(f));
    TRY(make_image(k, 1, mac_key, &first));
    TRY(write_image(f, &first));
    k->sequence = 1;
    *ret = TAKE(f);
    return KS_SUCCESS;
}
