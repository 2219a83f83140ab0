/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/wire.c - the few bits of the kernel's protocol that libfuse 3.14 does not hand through.
 *
 * Looks at requests, never changes one; changes exactly one bit of exactly one reply (INIT).
 */
#include "fuse/wire.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The INIT request we saw and whether the kernel offered the flag in it. */
static struct {
    _Atomic uint64_t unique; /* 0: none, or answered */
    _Atomic bool is_offered;
    _Atomic bool is_ring_offered;
    bool is_ring_wanted;
    void (*on_agreed)(void *arg, bool is_ring);
    void *arg;
} init;

static _Thread_local bool is_killing;
static _Thread_local struct ring *own_ring; /* of this thread; NULL: it reads the device */

static void look_at_init(const struct fuse_in_header *head, const uint8_t *body, size_t len)
{
    struct fuse_init_in in = {0};

    memcpy(&in, body, len < sizeof in ? len : sizeof in);
    atomic_store(&init.is_offered, (in.flags & FUSE_HANDLE_KILLPRIV_V2) != 0);
    atomic_store(&init.is_ring_offered, (in.flags & FUSE_INIT_EXT) != 0 &&
                                            (in.flags2 & (uint32_t)(RING_INIT_FLAG >> 32)) != 0);
    atomic_store(&init.unique, head->unique);
}

/* has_bit(body, len, at, bit): a bit of the 32-bit field at offset at of a request's body. */
static bool has_bit(const uint8_t *body, size_t len, size_t at, uint32_t bit)
{
    uint32_t field;

    if (at + sizeof field > len)
        return false;
    memcpy(&field, body + at, sizeof field);
    return (field & bit) != 0;
}

static void look_at_request(const uint8_t *bytes, size_t len)
{
    struct fuse_in_header head;

    is_killing = false;
    if (len < sizeof head)
        return;
    memcpy(&head, bytes, sizeof head);
    const uint8_t *body = bytes + sizeof head;
    len -= sizeof head;
    if (head.opcode == FUSE_INIT)
        look_at_init(&head, body, len);
    else if (head.opcode == FUSE_WRITE)
        is_killing = has_bit(body, len, offsetof(struct fuse_write_in, write_flags),
                             FUSE_WRITE_KILL_SUIDGID);
    else if (head.opcode == FUSE_SETATTR)
        is_killing =
            has_bit(body, len, offsetof(struct fuse_setattr_in, valid), FATTR_KILL_SUIDGID);
}

static ssize_t wire_read(int fd, void *buf, size_t buf_len, void *userdata)
{
    ssize_t n = read(fd, buf, buf_len);

    (void)userdata;
    if (n > 0)
        look_at_request(buf, (size_t)n);
    return n;
}

static bool is_init_reply(const struct iovec *iov, int count)
{
    struct fuse_out_header head;

    if (atomic_load(&init.unique) == 0 || count < 2 || iov[0].iov_len != sizeof head ||
        iov[1].iov_len < offsetof(struct fuse_init_out, max_background))
        return false;
    memcpy(&head, iov[0].iov_base, sizeof head);
    return head.unique == atomic_load(&init.unique) && head.error == 0;
}

static void set_bits(const struct iovec *reply, size_t at, uint32_t bits)
{
    uint8_t *field = (uint8_t *)reply->iov_base + at;
    uint32_t flags;

    memcpy(&flags, field, sizeof flags);
    flags |= bits;
    memcpy(field, &flags, sizeof flags);
}

/* accept(reply): puts what libfuse does not know into its answer. Whether requests will come through rings. */
static bool accept(const struct iovec *reply)
{
    bool is_ring = init.is_ring_wanted && atomic_load(&init.is_ring_offered) &&
                   reply->iov_len >= offsetof(struct fuse_init_out, flags2) + sizeof(uint32_t);

    if (atomic_load(&init.is_offered))
        set_bits(reply, offsetof(struct fuse_init_out, flags), FUSE_HANDLE_KILLPRIV_V2);
    if (is_ring) {
        set_bits(reply, offsetof(struct fuse_init_out, flags), FUSE_INIT_EXT);
        set_bits(reply, offsetof(struct fuse_init_out, flags2), (uint32_t)(RING_INIT_FLAG >> 32));
    }
    return is_ring;
}

static ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    bool is_init = is_init_reply(iov, count), is_ring = is_init && accept(&iov[1]);

    (void)userdata;
    if (own_ring && ring_answers(own_ring, iov, count))
        return ring_put(own_ring, iov, count);
    ssize_t n = writev(fd, iov, count);
    if (is_init && n > 0) {
        atomic_store(&init.unique, 0);
        init.on_agreed(init.arg, is_ring);
    }
    return n;
}

int wire_receive(struct ring *ring, struct fuse_session *se, struct fuse_buf *ret)
{
    own_ring = ring;
    int n = ring_next(ring, fuse_session_fd(se), ret);
    if (n > 0)
        look_at_request(ret->mem, ret->size);
    if (n == 0)
        own_ring = NULL;
    return n;
}

ks_rc wire_attach(struct fuse_session *se, bool is_ring_wanted,
                  void (*on_agreed)(void *arg, bool is_ring), void *arg)
{
    static const struct fuse_custom_io io = {.writev = wire_writev, .read = wire_read};

    init.is_ring_wanted = is_ring_wanted;
    init.on_agreed = on_agreed;
    init.arg = arg;
    int err = fuse_session_custom_io(se, &io, fuse_session_fd(se));
    ENSURE(err == 0, KS_E_BUG, "libfuse refuses our reading and writing of its device");
    return KS_SUCCESS;
}

bool wire_must_kill_suidgid(void)
{
    return is_killing;
}

bool wire_answers_at_once(void)
{
    return own_ring == NULL;
}
