/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ring.c - one buffer of one queue of FUSE over io_uring.
 *
 * The names and layouts are those of the kernel's <linux/fuse.h> of 7.42; the headers of Debian 12 are older. The kernel puts
 * a request's parts into three places; libfuse wants them in one piece, so the two short parts are put right before
 * the long one, which is not moved.
 */
#include "fuse/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    PAYLOAD_BYTES = 1024 * 1024 + 4096, /* not less than the longest read or write */
    HEAD_BYTES = 4096,                  /* before the payload: a request's header and fixed part */
    PART_BYTES = 128,
    COMMAND_REGISTER = 1,
    COMMAND_ANSWER_AND_FETCH = 2,
    QUEUES_MAX = 1024,
};

/* The kernel writes requests here and takes answers from here. */
struct ring_header {
    uint8_t in_out[PART_BYTES]; /* struct fuse_in_header, struct fuse_out_header */
    uint8_t op_in[PART_BYTES];
    uint64_t flags, commit_id;
    uint32_t payload_bytes, padding;
    uint64_t reserved;
};

struct ring_command {
    uint64_t flags, commit_id;
    uint16_t queue;
    uint8_t padding[6];
};

enum ring_phase {
    RING_NEW,
    RING_REGISTERING, /* whether the kernel takes it shows with the first request */
    RING_WAITING,     /* the kernel has the buffer */
    RING_SERVING,     /* a request is in it */
    RING_REFUSED,
    RING_ENDED,
};

struct ring {
    struct io_uring io;
    bool has_io;
    unsigned queue;
    enum ring_phase phase;
    struct ring_header *header;
    uint8_t *memory, *payload;
    struct iovec parts[2];
    uint64_t unique; /* of the request being served */
    size_t dirty_bytes;
};

unsigned ring_queue_count(void)
{
    char allowed = 'N', text[64] = "";
    unsigned first, last = 0;

    int fd = open("/sys/module/fuse/parameters/enable_uring", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, &allowed, 1);
    close(fd);
    if (n != 1 || allowed != 'Y')
        return 0;
    fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0 || sscanf(text, "%u-%u", &first, &last) < 1 || last >= QUEUES_MAX)
        return 0;
    return last + 1;
}

static void ring_freep(struct ring **r)
{
    ring_free(*r);
}

static ks_rc get_memory(struct ring *r)
{
    TRY(mem_new(1, HEAD_BYTES + PAYLOAD_BYTES, &r->memory));
    r->payload = r->memory + HEAD_BYTES;
    TRY(mem_new(1, sizeof *r->header, &r->header));
    r->parts[0] = (struct iovec){r->header, sizeof *r->header};
    r->parts[1] = (struct iovec){r->payload, PAYLOAD_BYTES};
    return KS_SUCCESS;
}

ks_rc ring_new(unsigned queue, struct ring **ret)
{
    CLEANUP(ring_freep) struct ring *r = NULL;

    TRY(mem_new(1, sizeof *r, &r));
    r->queue = queue;
    TRY(get_memory(r));
    int err = io_uring_queue_init(2, &r->io, IORING_SETUP_SQE128);
    ENSURE(err == 0, KS_E_UNSUPPORTED, "io_uring cannot be used here: %s", strerror(-err));
    r->has_io = true;
    *ret = TAKE(r);
    return KS_SUCCESS;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    if (r->has_io)
        io_uring_queue_exit(&r->io);
    if (r->memory) {
        mem_wipe(r->memory, HEAD_BYTES + r->dirty_bytes);
        mem_free(r->memory);
    }
    mem_free(r->header);
    mem_free(r);
}

bool ring_is_refused(const struct ring *r)
{
    return r->phase == RING_REFUSED;
}

/* --- giving the buffer to the kernel and getting it back --- */

static void command(struct ring *r, int fuse_fd, uint32_t what)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->io);
    struct ring_command c = {.queue = (uint16_t)r->queue};

    if (!sqe)
        return; /* cannot be: one command is in flight at most, and there is room for two */
    memset(sqe, 0, 2 * sizeof *sqe); /* SQE128: two in a row make one */
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->fd = fuse_fd;
    sqe->cmd_op = what;
    if (what == COMMAND_REGISTER) {
        sqe->addr = (uint64_t)(uintptr_t)r->parts;
        sqe->len = 2;
    } else {
        c.commit_id = r->header->commit_id;
    }
    memcpy(sqe->cmd, &c, sizeof c);
}

/* What the kernel says of the command: 0 a request is there. */
static int wait_for_kernel(struct ring *r)
{
    struct io_uring_cqe *cqe;
    int err = io_uring_submit_and_wait(&r->io, 1);

    if (err < 0)
        return err;
    err = io_uring_peek_cqe(&r->io, &cqe);
    if (err < 0)
        return -EINTR;
    err = cqe->res;
    io_uring_cqe_seen(&r->io, cqe);
    return err == -EINTR ? -EIO : err; /* of the command, not of our waiting */
}

static void note_dirty(struct ring *r, size_t bytes)
{
    if (bytes > r->dirty_bytes)
        r->dirty_bytes = bytes;
}

/* Header and fixed part go right before the payload. False for what cannot be a request. */
static bool assemble(struct ring *r, struct fuse_buf *ret)
{
    struct fuse_in_header head;
    size_t payload = r->header->payload_bytes;

    memcpy(&head, r->header->in_out, sizeof head);
    if (payload > PAYLOAD_BYTES || head.len < sizeof head + payload ||
        head.len - sizeof head - payload > PART_BYTES)
        return false;
    size_t fixed = head.len - sizeof head - payload;
    uint8_t *at = r->payload - fixed - sizeof head;
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, r->header->op_in, fixed);
    r->unique = head.unique;
    note_dirty(r, payload);
    *ret = (struct fuse_buf){.size = head.len, .mem = at};
    return true;
}

static void answer_with_error(struct ring *r, int err)
{
    struct fuse_out_header head = {.len = sizeof head, .error = -err, .unique = r->unique};

    memcpy(r->header->in_out, &head, sizeof head);
    r->header->payload_bytes = 0;
    r->unique = 0;
}

static int took(struct ring *r, int result, struct fuse_buf *ret)
{
    if (result < 0) {
        r->phase = r->phase == RING_REGISTERING ? RING_REFUSED : RING_ENDED;
        return 0;
    }
    r->phase = RING_SERVING;
    return assemble(r, ret) ? 1 : 0;
}

static void give_to_kernel(struct ring *r, int fuse_fd)
{
    if (r->phase == RING_NEW) {
        command(r, fuse_fd, COMMAND_REGISTER);
        r->phase = RING_REGISTERING;
    } else if (r->phase == RING_SERVING) {
        if (r->unique != 0)
            answer_with_error(r, EIO); /* nobody answered: never leave the asker waiting */
        command(r, fuse_fd, COMMAND_ANSWER_AND_FETCH);
        r->phase = RING_WAITING;
    }
}

int ring_next(struct ring *r, int fuse_fd, struct fuse_buf *ret)
{
    if (r->phase == RING_REFUSED || r->phase == RING_ENDED)
        return 0;
    give_to_kernel(r, fuse_fd);
    int result = wait_for_kernel(r);
    return result == -EINTR ? -EINTR : took(r, result, ret);
}

/* --- answers --- */

bool ring_answers(const struct ring *r, const struct iovec *iov, int count)
{
    struct fuse_out_header head;

    if (r->phase != RING_SERVING || r->unique == 0 || count < 1 || iov[0].iov_len < sizeof head)
        return false;
    memcpy(&head, iov[0].iov_base, sizeof head);
    return head.unique == r->unique;
}

ssize_t ring_put(struct ring *r, const struct iovec *iov, int count)
{
    size_t len = 0;

    for (int k = 1; k < count; k++) {
        if (iov[k].iov_len > PAYLOAD_BYTES - len) {
            answer_with_error(r, EIO);
            return -EMSGSIZE;
        }
        memcpy(r->payload + len, iov[k].iov_base, iov[k].iov_len);
        len += iov[k].iov_len;
    }
    memcpy(r->header->in_out, iov[0].iov_base, sizeof(struct fuse_out_header));
    r->header->payload_bytes = (uint32_t)len;
    r->unique = 0;
    note_dirty(r, len);
    return (ssize_t)(sizeof(struct fuse_out_header) + len);
}

bool ring_wipe(struct ring *r)
{
    if (r->phase == RING_SERVING || io_uring_cq_ready(&r->io) > 0)
        return false;
    mem_wipe(r->memory, HEAD_BYTES + r->dirty_bytes);
    r->dirty_bytes = 0;
    return true;
}
