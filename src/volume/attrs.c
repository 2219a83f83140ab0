/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/attrs.c - what is known about an object besides its contents.
 *
 * Attributes named user.* are encrypted, name and value; security.* and trusted.* belong to the
 * kernel and its administrator and pass as they are; others are not supported.
 */
#include <sys/xattr.h>

#include "base/mem.h"
#include "volume/volume_int.h"

enum {
    VALUE_MAX = 64 * 1024,
    LIST_MAX = 64 * 1024,
    VALUE_OVERHEAD = XAES_NONCE_BYTES + XAES_TAG_BYTES,
    PLAIN_MAX = sizeof "user." + NAME_PLAIN_MAX, /* a name in clear */
};

static const char user_prefix[] = "user.";
static const char sealed_prefix[] = "user.ks.";

ks_rc volume_getattr(struct volume *v, struct inode *i, struct stat *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    return inode_stat(v, i, ret);
}

void inode_show_mtime(struct inode *i, struct stat *st)
{
    pthread_mutex_lock(&i->times_mutex);
    if (i->has_mtime)
        st->st_mtim = i->mtime;
    pthread_mutex_unlock(&i->times_mutex);
}

ks_rc inode_flush_mtime(struct volume *v, struct inode *i)
{
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&i->times_mutex);
    struct stat in = {.st_mtim = i->mtime};
    if (i->has_mtime)
        rc = v->conf.io->ops->setattr(v->conf.io, i->node, IO_ATTR_MTIME, &in);
    i->has_mtime = i->has_mtime && !ks_ok(rc);
    pthread_mutex_unlock(&i->times_mutex);
    return rc;
}

static bool get_seen(struct inode *i, struct stat *ret)
{
    pthread_mutex_lock(&i->times_mutex);
    bool is_seen = i->seen != NULL;
    if (is_seen)
        *ret = *i->seen;
    pthread_mutex_unlock(&i->times_mutex);
    return is_seen;
}

/* Without memory for it the next time looks again. */
static void put_seen(struct inode *i, const struct stat *st)
{
    pthread_mutex_lock(&i->times_mutex);
    if (i->seen || ks_ok(mem_new(1, sizeof *i->seen, &i->seen)))
        *i->seen = *st;
    pthread_mutex_unlock(&i->times_mutex);
}

void inode_forget_seen(struct inode *i)
{
    pthread_mutex_lock(&i->times_mutex);
    mem_free(TAKE(i->seen));
    pthread_mutex_unlock(&i->times_mutex);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

ks_rc volume_keep_mtime(struct volume *v, struct inode *i, const struct timespec *mtime,
                        struct stat *ret)
{
    VOLUME_OPERATION(v, NEED_FLUSH);
    struct stat st;

    if (!get_seen(i, &st)) {
        TRY(inode_stat(v, i, &st));
        if (is_same_time(&st.st_mtim,
                         mtime)) { /* something else has changed, the name for example */
            *ret = st;
            return KS_SUCCESS;
        }
        put_seen(i, &st);
    }
    pthread_mutex_lock(&i->times_mutex);
    i->mtime = *mtime;
    i->has_mtime = true;
    pthread_mutex_unlock(&i->times_mutex);
    if (!inode_is_open(i))
        TRY(inode_flush_mtime(v, i));
    st.st_mtim = *mtime;
    *ret = st;
    return KS_SUCCESS;
}

/* Times may still be set while the kernel flushes: it does so for what it has written back. */
ks_rc volume_setattr(struct volume *v, struct inode *i, unsigned attrs, const struct stat *in,
                     struct stat *ret)
{
    const unsigned times = IO_ATTR_ATIME | IO_ATTR_MTIME | IO_ATTR_ATIME_NOW | IO_ATTR_MTIME_NOW;

    VOLUME_OPERATION(v, (attrs & ~times) ? NEED_OPEN : NEED_FLUSH);
    TRY(inode_flush_mtime(v, i));
    ks_rc rc = v->conf.io->ops->setattr(v->conf.io, i->node, attrs, in);
    inode_forget_seen(i);
    TRY(rc);
    return inode_stat(v, i, ret);
}

ks_rc node_target(struct volume *v, struct io_node *node, struct buf *ret)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(TARGET_PLAIN_MAX + 1);

    TRY(v->conf.io->ops->readlink(v->conf.io, node, &sealed));
    return names_open(v->names, NAME_TARGET, buf_text(&sealed), ret);
}

ks_rc volume_target(struct volume *v, struct inode *i, struct buf *ret)
{
    return node_target(v, i->node, ret);
}

ks_rc volume_readlink(struct volume *v, struct inode *i, struct buf *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    return volume_target(v, i, ret);
}

/* Blocks of the host are blocks of ours; each holds a little less. */
ks_rc volume_statfs(struct volume *v, struct statvfs *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    struct statvfs st;

    TRY(v->conf.io->ops->statfs(v->conf.io, v->conf.tree, &st));
    st.f_namemax = NAME_PLAIN_MAX;
    *ret = st;
    return KS_SUCCESS;
}

/* --- extended attributes --- */

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_passed(const char *name)
{
    return has_prefix(name, "security.") || has_prefix(name, "trusted.");
}

/* The name under which an attribute is kept. */
static ks_rc kept_name(struct volume *v, const char *name, bool is_storing, struct buf *ret)
{
    if (is_passed(name))
        return buf_append(ret, view_text(name));
    if (!has_prefix(name, user_prefix))
        return ks_os(EOPNOTSUPP);
    if (name[strlen(user_prefix)] == 0)
        return ks_os(EINVAL);
    TRY(buf_append(ret, view_text(sealed_prefix)));
    return volume_seal(v, NAME_ATTRIBUTE, name + strlen(user_prefix),
                       IO_NAME_BYTES - strlen(sealed_prefix), is_storing, ret);
}

static ks_rc value_aad(struct volume *v, const char *kept, struct buf *ret)
{
    TRY(buf_append(ret, view_of(v->conf.volume_id, sizeof v->conf.volume_id)));
    return buf_append(ret, view_text(kept));
}

static ks_rc value_cipher(struct volume *v, struct space *s, struct xaes_key *ret)
{
    return xaes_key_init(ret, s->cipher, secret_view(v->attribute_key));
}

/* nonce | tag | cipher text */
static ks_rc value_seal(struct volume *v, struct space *s, const char *kept, struct view value,
                        struct buf *ret)
{
    CLEANUP(buf_done) struct buf aad = buf_init(2 * IO_NAME_BYTES);
    struct xaes_key key;
    uint8_t *out;

    TRY(value_aad(v, kept, &aad));
    TRY(buf_extend(ret, VALUE_OVERHEAD + value.len, &out));
    TRY(random_fill(v->conf.random, out, XAES_NONCE_BYTES));
    ks_rc rc = value_cipher(v, s, &key);
    if (ks_ok(rc))
        rc = xaes_seal(s->cipher, &key, out, buf_view(&aad), value, out + VALUE_OVERHEAD,
                       out + XAES_NONCE_BYTES);
    mem_wipe(&key, sizeof key);
    return rc;
}

static ks_rc value_open(struct volume *v, struct space *s, const char *kept, struct view sealed,
                        struct buf *ret)
{
    CLEANUP(buf_done) struct buf aad = buf_init(2 * IO_NAME_BYTES);
    struct xaes_key key;
    uint8_t *out;

    ENSURE(sealed.len >= VALUE_OVERHEAD, KS_E_FORMAT, "an attribute's value is too short");
    TRY(value_aad(v, kept, &aad));
    struct view ct = view_of(sealed.bytes + VALUE_OVERHEAD, sealed.len - VALUE_OVERHEAD);
    TRY(buf_extend(ret, ct.len, &out));
    ks_rc rc = value_cipher(v, s, &key);
    if (ks_ok(rc))
        rc = xaes_open(s->cipher, &key, sealed.bytes, buf_view(&aad), ct,
                       sealed.bytes + XAES_NONCE_BYTES, out);
    mem_wipe(&key, sizeof key);
    return rc;
}

ks_rc volume_getxattr(struct volume *v, struct inode *i, const char *name, struct buf *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(buf_done) struct buf kept = buf_init(IO_NAME_BYTES);
    CLEANUP(buf_done) struct buf sealed = buf_init(VALUE_MAX + VALUE_OVERHEAD);
    struct space *s;

    TRY(kept_name(v, name, false, &kept));
    if (is_passed(name))
        return v->conf.io->ops->xattr_get(v->conf.io, i->node, name, ret);
    TRY(v->conf.io->ops->xattr_get(v->conf.io, i->node, buf_text(&kept), &sealed));
    TRY(volume_space_get(v, &s));
    ks_rc rc = value_open(v, s, buf_text(&kept), buf_view(&sealed), ret);
    volume_space_put(v, s);
    return rc;
}

ks_rc volume_setxattr(struct volume *v, struct inode *i, const char *name, struct view value,
                      int flags)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(buf_done) struct buf kept = buf_init(IO_NAME_BYTES);
    CLEANUP(buf_done) struct buf sealed = buf_init(VALUE_MAX + VALUE_OVERHEAD);
    struct io *io = v->conf.io;
    struct space *s;

    TRY(kept_name(v, name, true, &kept));
    if (is_passed(name))
        return io->ops->xattr_set(io, i->node, name, value, flags);
    TRY(volume_space_get(v, &s));
    ks_rc rc = value_seal(v, s, buf_text(&kept), value, &sealed);
    volume_space_put(v, s);
    TRY(rc);
    return io->ops->xattr_set(io, i->node, buf_text(&kept), buf_view(&sealed), flags);
}

static ks_rc plain_name(struct volume *v, const char *kept, struct buf *ret)
{
    CLEANUP(buf_done) struct buf plain = buf_init(NAME_PLAIN_MAX);

    TRY(names_open(v->names, NAME_ATTRIBUTE, kept + strlen(sealed_prefix), &plain));
    TRY(buf_append(ret, view_text(user_prefix)));
    return buf_append(ret, buf_view(&plain));
}

/* One kept name of a list as the plain one; names that are not ours are left out. */
static ks_rc list_one(struct volume *v, const char *kept, struct buf *ret)
{
    CLEANUP(buf_done) struct buf plain = buf_init(PLAIN_MAX);

    if (is_passed(kept))
        return buf_append(ret, view_of(kept, strlen(kept) + 1));
    if (!has_prefix(kept, sealed_prefix))
        return KS_SUCCESS;
    TRY(plain_name(v, kept, &plain));
    return buf_append(ret, view_of(plain.bytes, plain.len + 1)); /* with its terminator */
}

static ks_rc list_sound(struct volume *v, const char *kept, struct buf *ret)
{
    ks_rc rc = list_one(v, kept, ret);

    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    volume_alert(v, "attribute %s is left out: %s", kept, ks_text(rc));
    return KS_SUCCESS;
}

static ks_rc list_whole(struct volume *v, const char *kept, struct buf *ret)
{
    return ks_wrap(list_one(v, kept, ret), "attribute %s", kept);
}

static ks_rc list_each(struct volume *v, struct inode *i,
                       ks_rc (*list)(struct volume *, const char *kept, struct buf *),
                       struct buf *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(buf_done) struct buf kept = buf_init(LIST_MAX);

    TRY(v->conf.io->ops->xattr_list(v->conf.io, i->node, &kept));
    for (size_t at = 0; at < kept.len; at += strlen((const char *)kept.bytes + at) + 1)
        TRY(list(v, (const char *)kept.bytes + at, ret));
    return KS_SUCCESS;
}

ks_rc volume_listxattr(struct volume *v, struct inode *i, struct buf *ret)
{
    return list_each(v, i, list_sound, ret);
}

ks_rc volume_listxattr_whole(struct volume *v, struct inode *i, struct buf *ret)
{
    return list_each(v, i, list_whole, ret);
}

ks_rc volume_removexattr(struct volume *v, struct inode *i, const char *name)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    CLEANUP(buf_done) struct buf kept = buf_init(IO_NAME_BYTES);

    TRY(kept_name(v, name, false, &kept));
    return v->conf.io->ops->xattr_remove(v->conf.io, i->node, buf_text(&kept));
}

/* --- looking at all of them --- */

static ks_rc check_value(struct volume *v, struct space *s, struct io_node *node, const char *kept)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(VALUE_MAX + VALUE_OVERHEAD);
    CLEANUP(buf_done) struct buf plain = buf_init_wiping(VALUE_MAX);
    ks_rc rc = v->conf.io->ops->xattr_get(v->conf.io, node, kept, &sealed);

    if (ks_is_os(rc, ENODATA))
        return KS_SUCCESS; /* removed meanwhile */
    TRY(rc);
    return ks_wrap(value_open(v, s, kept, buf_view(&sealed), &plain), "its value");
}

/* By the name in clear, where that can be had. */
static ks_rc check_one(struct volume *v, struct space *s, struct io_node *node, const char *kept)
{
    CLEANUP(buf_done) struct buf plain = buf_init(PLAIN_MAX);

    if (!has_prefix(kept, sealed_prefix))
        return KS_SUCCESS;
    ks_rc rc = plain_name(v, kept, &plain);
    if (!ks_ok(rc))
        return ks_wrap(rc, "attribute %s", kept);
    return ks_wrap(check_value(v, s, node, kept), "attribute %s", buf_text(&plain));
}

static ks_rc enter_and_check(struct volume *v, struct io_node *node, const char *kept)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    struct space *s;

    TRY(volume_space_get(v, &s));
    ks_rc rc = check_one(v, s, node, kept);
    volume_space_put(v, s);
    return rc;
}

static ks_rc enter_and_list(struct volume *v, struct io_node *node, struct buf *ret)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    ks_rc rc = v->conf.io->ops->xattr_list(v->conf.io, node, ret);

    return ks_is_os(rc, ENOTSUP) ? KS_SUCCESS : rc; /* the host's file system has none */
}

ks_rc node_check_attributes(struct volume *v, struct io_node *node,
                            void (*damaged)(void *arg, ks_rc why), void *arg)
{
    CLEANUP(buf_done) struct buf kept = buf_init(LIST_MAX);

    TRY(enter_and_list(v, node, &kept));
    for (size_t at = 0; at < kept.len; at += strlen((const char *)kept.bytes + at) + 1) {
        ks_rc rc = enter_and_check(v, node, (const char *)kept.bytes + at);
        if (rc.cls == KS_CLASS_CORRUPT)
            damaged(arg, rc);
        else
            TRY(rc);
    }
    return KS_SUCCESS;
}
