/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/session.c - the mount itself and the threads that serve it.
 *
 * Each thread reads one request, answers it, reads the next; a few of those that have nothing to do wait for one. None of them ever notifies the kernel:
 * the kernel may need one of them free to let a notification end.
 */
#include "fuse/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "fuse/harden.h"
#include "fuse/invalidate.h"
#include "fuse/mount_point.h"
#include "fuse/ops.h"
#include "fuse/seats.h"
#include "fuse/shedder.h"
#include "fuse/wire.h"

enum {
    STACK_BYTES = 256 * 1024,
    BACKGROUND_MAX =
        32, /* reading ahead and writing back leave threads to those who wait for an answer */
    SCRUB_POLL_MS = 2,
    READAHEAD_KB = 4096,
    INIT_MS_MAX = 20000,
    SEATS = 2,        /* one is taken while the other waits */
    RESERVE_MAX = 56, /* threads that are started when a disk makes all others wait */
    RESERVE_BYTES = 4 * 1024 * 1024, /* what each may lock: two buffers and a stack */
    PATIENCE_MS = 20,                /* and nobody took a request for so long */
    RING_THREADS_MIN = 4,            /* for each queue: some wait for a disk while others serve */
};

struct worker {
    struct session *session;
    pthread_t thread;
    struct ring *ring; /* where its requests come from; NULL: the device */
    struct fuse_buf buf;
    struct resting resting;
    unsigned served;           /* requests since the last AWAKE_BATCH */
    size_t dirty_bytes;        /* how much of buf held requests since the last scrub */
    _Atomic uint64_t scrubbed; /* the last scrub this thread has done */
};

struct session {
    struct fuse_session *se;
    struct ops_env env;
    struct shedder *shedder;
    struct awake *awake;
    struct seats seats; /* of those that read the device */
    char *mountpoint;
    dev_t device;
    int end_fd;
    unsigned worker_count;
    _Atomic unsigned started_count;
    struct worker *workers; /* worker_count, and those in reserve */
    unsigned reserve;
    pthread_t usher;
    bool has_usher;
    _Atomic uint64_t scrub;
    atomic_bool is_ended;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned queue_count; /* of the io_uring transport; 0: not used */
    bool is_agreed;       /* under mutex: INIT was answered */
    bool is_ring;         /* under mutex: and rings were agreed on */
};

static void on_agreed(void *arg, bool is_ring)
{
    struct session *s = arg;

    pthread_mutex_lock(&s->mutex);
    s->is_agreed = true;
    s->is_ring = is_ring;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

static KS_PRINTF(2, 0) void on_fuse_log(enum fuse_log_level level, const char *fmt, va_list args)
{
    char text[256];

    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = 0;
    log_line(level <= FUSE_LOG_ERR ? LOG_ERROR : LOG_INFO, "fuse: %s", text);
}

static ks_rc add_option(char **options, const char *option)
{
    ENSURE(fuse_opt_add_opt_escaped(options, option) == 0, KS_E_NO_MEMORY, "no memory for options");
    return KS_SUCCESS;
}

static void options_freep(char **options)
{
    mem_free(*options);
}

static ks_rc make_options(const struct session_conf *conf, char **ret)
{
    CLEANUP(options_freep) char *options = NULL;
    CLEANUP(mem_freep) char *source = NULL;
    char read_max[32];

    TRY(mem_format(&source, "fsname=keystead:%s", conf->source));
    snprintf(read_max, sizeof read_max, "max_read=%d", OPS_READ_MAX);
    TRY(add_option(&options, source));
    TRY(add_option(&options, "subtype=keystead"));
    TRY(add_option(&options, read_max));
    TRY(add_option(&options, "default_permissions"));
    if (conf->is_allow_other)
        TRY(add_option(&options, "allow_other"));
    *ret = TAKE(options);
    return KS_SUCCESS;
}

static void args_done(struct fuse_args *args)
{
    fuse_opt_free_args(args);
}

static ks_rc make_fuse(struct session *s, const struct session_conf *conf)
{
    CLEANUP(args_done) struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    CLEANUP(options_freep) char *options = NULL;

    TRY(make_options(conf, &options));
    ENSURE(fuse_opt_add_arg(&args, "keystead") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
               fuse_opt_add_arg(&args, options) == 0,
           KS_E_NO_MEMORY, "no memory for options");
    s->se = fuse_session_new(&args, ops_table(), sizeof(struct fuse_lowlevel_ops), &s->env);
    ENSURE(s->se, KS_E_IO, "cannot set up a FUSE session for %s", conf->mountpoint);
    return KS_SUCCESS;
}

unsigned session_threads(unsigned wanted, unsigned *queues)
{
    if (*queues > (SESSION_THREADS_MAX - 1) / RING_THREADS_MIN) {
        log_line(LOG_NOTICE, "requests come through the device: %u processors are too many",
                 *queues);
        *queues = 0;
    }
    unsigned needed = *queues ? 1 + RING_THREADS_MIN * *queues : 1;
    return wanted > needed ? wanted : needed;
}

unsigned session_reserve(uint64_t memlock)
{
    uint64_t spare = memlock > HARDEN_MEMLOCK_BYTES_MIN ? memlock - HARDEN_MEMLOCK_BYTES_MIN : 0;

    return spare / RESERVE_BYTES < RESERVE_MAX ? (unsigned)(spare / RESERVE_BYTES) : RESERVE_MAX;
}

static unsigned reserve_here(void)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_MEMLOCK, &limit);
    return harden_may_lock_memory() ? RESERVE_MAX : session_reserve(limit.rlim_cur);
}

/* The first thread reads the device, for what comes through it in any case; the others share the queues. */
static ks_rc make_rings(struct session *s, unsigned queues)
{
    if (queues == 0)
        return KS_SUCCESS;
    for (unsigned k = 1; k < s->worker_count; k++) {
        ks_rc rc = ring_new((k - 1) % queues, &s->workers[k].ring);
        if (!ks_ok(rc)) {
            log_line(LOG_NOTICE, "requests come through the device: %s", ks_text(rc));
            return KS_SUCCESS;
        }
    }
    s->queue_count = queues;
    return KS_SUCCESS;
}

/* A question for nothing else is not passed on to the file system: that would be us. */
static ks_rc find_device(const char *mountpoint, dev_t *ret)
{
    struct statx st;

    if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st) != 0)
        return ks_fail_os(errno, "the mount on %s", mountpoint);
    *ret = makedev(st.stx_dev_major, st.stx_dev_minor);
    return KS_SUCCESS;
}

static void session_freep(struct session **s)
{
    session_free(*s);
}

ks_rc session_mount(const struct session_conf *conf, struct session **ret)
{
    CLEANUP(session_freep) struct session *s = NULL;

    fuse_set_log_func(on_fuse_log);
    TRY(mem_new(1, sizeof *s, &s));
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->cond);
    seats_init(&s->seats, SEATS);
    s->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ENSURE(s->end_fd >= 0, KS_E_LIMIT, "no descriptor left for the session");
    s->shedder = conf->shedder;
    s->awake = conf->awake;
    s->env = (struct ops_env){conf->volume, conf->trouble, BACKGROUND_MAX, false};
    s->worker_count = conf->threads ? conf->threads : SESSION_THREADS_DEFAULT;
    ENSURE(s->worker_count <= SESSION_THREADS_MAX, KS_E_USAGE, "at most %d threads",
           SESSION_THREADS_MAX);
    unsigned queues = conf->is_ring_wanted ? ring_queue_count() : 0;
    s->worker_count = session_threads(s->worker_count, &queues);
    s->reserve = reserve_here();
    TRY(mem_new(s->worker_count + s->reserve, sizeof *s->workers, &s->workers));
    TRY(mem_text(conf->mountpoint, &s->mountpoint));
    TRY(make_fuse(s, conf));
    ENSURE(fuse_session_mount(s->se, conf->mountpoint) == 0, KS_E_IO,
           "cannot mount on %s (see the log; is /dev/fuse there, and may this user mount?)",
           conf->mountpoint);
    TRY(find_device(conf->mountpoint, &s->device));
    TRY(make_rings(s, queues));
    TRY(wire_attach(s->se, s->queue_count > 0, on_agreed, s));
    *ret = TAKE(s);
    return KS_SUCCESS;
}

static void scrub_own(struct worker *w)
{
    uint64_t wanted = atomic_load(&w->session->scrub);

    if (atomic_load(&w->scrubbed) == wanted)
        return;
    if (w->ring && !ring_wipe(w->ring))
        return; /* an answer is in it, that goes out first */
    if (w->buf.mem)
        mem_wipe(w->buf.mem, w->dirty_bytes);
    w->dirty_bytes = 0;
    ops_scratch_wipe();
    mem_wipe_trail();
    atomic_store(&w->scrubbed, wanted);
}

static void served(struct worker *w)
{
    shedder_look(w->session->shedder);
    if (++w->served < AWAKE_BATCH)
        return;
    w->served = 0;
    awake_note(w->session->awake);
}

/* serve_ring(w): the same for a thread with a ring. */
static bool serve_ring(struct worker *w)
{
    struct fuse_buf request;
    int n = wire_receive(w->ring, w->session->se, &request);

    if (n == -EINTR)
        return true;
    if (n > 0)
        fuse_session_process_buf(w->session->se, &request);
    served(w);
    return n > 0 || ring_is_refused(w->ring);
}

static void drop_buffers(struct worker *w)
{
    if (w->buf.mem)
        mem_wipe(w->buf.mem, w->dirty_bytes);
    mem_free(w->buf.mem);
    w->buf = (struct fuse_buf){.mem = NULL};
    w->dirty_bytes = 0;
    ops_scratch_done();
}

/* serve_one(w): false when the mount has ended. */
static bool serve_one(struct worker *w)
{
    if (w->ring && !ring_is_refused(w->ring))
        return serve_ring(w);
    if (w->resting.is_reserve)
        drop_buffers(w); /* it may rest for days */
    if (!seats_take(&w->session->seats, &w->resting))
        return true;
    int n = fuse_session_receive_buf(w->session->se, &w->buf);
    seats_leave(&w->session->seats);
    if (n == -ENOMEM)
        clock_sleep_ms(clock_system(), PATIENCE_MS); /* for the buffer */
    if (n == -EINTR || n == -EAGAIN || n == -ENOMEM)
        return true;
    if (n <= 0)
        return false;
    if ((size_t)n > w->dirty_bytes)
        w->dirty_bytes = (size_t)n;
    fuse_session_process_buf(w->session->se, &w->buf);
    served(w);
    return true;
}

static void worker_end(struct worker *w)
{
    struct session *s = w->session;
    uint64_t one = 1;

    atomic_store(&s->is_ended, true);
    seats_close(&s->seats);
    pthread_mutex_lock(&s->mutex);
    pthread_cond_broadcast(&s->cond); /* session_start may be waiting */
    pthread_mutex_unlock(&s->mutex);
    ssize_t n = write(w->session->end_fd, &one, sizeof one);
    (void)n; /* the counter can only be full, which is as good */
    drop_buffers(w);
}

/* A ring can be given to the kernel only when both have agreed on rings. */
static void await_agreement(struct worker *w)
{
    struct session *s = w->session;

    pthread_mutex_lock(&s->mutex);
    while (!s->is_agreed && !session_is_ended(s))
        pthread_cond_wait(&s->cond, &s->mutex);
    bool is_ring = s->is_ring;
    pthread_mutex_unlock(&s->mutex);
    if (!is_ring) {
        ring_free(w->ring);
        w->ring = NULL;
    }
}

/* The first thread of a queue stays on its processor: a request is answered where it was made. */
static void stay_on_processor(const struct session *s, unsigned index)
{
    cpu_set_t set;

    if (index == 0 || index > s->queue_count)
        return;
    CPU_ZERO(&set);
    CPU_SET(index - 1, &set);
    /* A processor that is not there, or not ours: the thread runs anywhere. */
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;

    /* It serves nothing before it is counted: a scrub looks at those who are. */
    pthread_mutex_lock(&w->session->mutex);
    pthread_mutex_unlock(&w->session->mutex);
    if (w->ring) {
        await_agreement(w);
        stay_on_processor(w->session, (unsigned)(w - w->session->workers));
    }
    do
        scrub_own(w);
    while (serve_one(w) && !fuse_session_exited(w->session->se));
    worker_end(w);
    return NULL;
}

/* Only there to make a blocked read(2) return, so that its thread looks around. */
static void on_nudge(int signal_number)
{
    (void)signal_number;
}

/* The next one that has not been started. Only from session_start, and then from the usher. */
static ks_rc start_worker(struct session *s)
{
    unsigned k = atomic_load(&s->started_count);
    struct worker *w = &s->workers[k];

    w->session = s;
    resting_init(&w->resting, k >= s->worker_count);
    pthread_mutex_lock(&s->mutex);
    ks_rc rc = thread_start(STACK_BYTES, worker_run, w, &w->thread);
    if (ks_ok(rc))
        atomic_store(&s->started_count, k + 1);
    else
        resting_done(&w->resting);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

/* Calls the reserve when it is needed, and makes it larger while it may be. */
static void *usher_run(void *arg)
{
    struct session *s = arg;

    for (;;) {
        enum seats_news news = seats_watch(&s->seats, PATIENCE_MS);
        if (news == SEATS_CLOSED)
            return NULL;
        if (news == SEATS_DESERTED && atomic_load(&s->started_count) < s->worker_count + s->reserve)
            IGNORE(start_worker(s)); /* without one the mount waits as it would have */
    }
}

static ks_rc start_workers(struct session *s)
{
    struct sigaction nudge = {.sa_handler = on_nudge};
    ks_rc rc = KS_SUCCESS;

    sigaction(SIGUSR1, &nudge, NULL);
    while (atomic_load(&s->started_count) < s->worker_count && ks_ok(rc))
        rc = start_worker(s);
    if (ks_ok(rc))
        rc = thread_start(STACK_BYTES, usher_run, s, &s->usher);
    s->has_usher = ks_ok(rc);
    return ks_wrap(rc, "cannot start the threads of the mount");
}

ks_rc session_start(struct session *s)
{
    TRY(start_workers(s));
    struct timespec deadline = clock_deadline(INIT_MS_MAX);
    pthread_mutex_lock(&s->mutex);
    int err = 0;
    while (!s->is_agreed && !session_is_ended(s) && err == 0)
        err = pthread_cond_timedwait(&s->cond, &s->mutex, &deadline);
    bool is_agreed = s->is_agreed;
    pthread_mutex_unlock(&s->mutex);
    ENSURE(is_agreed, KS_E_IO, "the kernel does not start the mount on %s", s->mountpoint);
    return KS_SUCCESS;
}

bool session_is_ring(struct session *s)
{
    pthread_mutex_lock(&s->mutex);
    bool is_ring = s->is_ring;
    pthread_mutex_unlock(&s->mutex);
    return is_ring;
}

dev_t session_device(const struct session *s)
{
    return s->device;
}

int session_fd(const struct session *s)
{
    return fuse_session_fd(s->se);
}

int session_end_fd(const struct session *s)
{
    return s->end_fd;
}

bool session_is_ended(const struct session *s)
{
    return atomic_load(&s->is_ended);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    if (s->se) {
        /* After an unmount by somebody else this only closes the device, which ends blocked threads. */
        fuse_session_exit(s->se);
        fuse_session_unmount(s->se);
    }
    seats_close(&s->seats);
    if (s->has_usher)
        pthread_join(s->usher, NULL);
    for (unsigned k = 0; k < s->started_count; k++) {
        pthread_join(s->workers[k].thread, NULL);
        resting_done(&s->workers[k].resting);
    }
    for (unsigned k = 0; s->workers && k < s->worker_count; k++)
        ring_free(s->workers[k].ring);
    if (s->se)
        fuse_session_destroy(s->se);
    if (s->end_fd >= 0)
        close(s->end_fd);
    seats_done(&s->seats);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s->workers);
    mem_free(s->mountpoint);
    mem_free(s);
}

/* A number that has died meanwhile means nothing to the kernel, or another inode, which does no harm. */
static int drop(void *arg, const struct inode *i)
{
    struct session *s = arg;

    return fuse_lowlevel_notify_inval_inode(s->se, ops_nodeid(s->env.volume, i), 0, 0);
}

ks_rc session_invalidate(struct session *s)
{
    struct volume *v = s->env.volume;
    unsigned threads = invalidate_threads(sysconf(_SC_NPROCESSORS_ONLN), volume_inode_count(v) + 1);

    return invalidate_all(&(struct invalidate_conf){v, threads, drop, s});
}

static bool is_scrubbed(const struct session *s, uint64_t wanted)
{
    for (unsigned k = 0; k < s->started_count; k++)
        if (atomic_load(&s->workers[k].scrubbed) != wanted)
            return false;
    return true;
}

ks_rc session_scrub(struct session *s, uint32_t timeout_ms)
{
    uint64_t wanted = atomic_fetch_add(&s->scrub, 1) + 1;
    uint64_t deadline = clock_boot_ms(clock_system()) + timeout_ms;

    while (!is_scrubbed(s, wanted) && !session_is_ended(s)) {
        ENSURE(clock_boot_ms(clock_system()) < deadline, KS_E_BUSY,
               "a thread of the mount is stuck in a request");
        seats_call_all(&s->seats);
        /* Again and again: a nudge that comes just before the read is lost. */
        for (unsigned k = 0; k < s->started_count; k++)
            if (atomic_load(&s->workers[k].scrubbed) != wanted)
                pthread_kill(s->workers[k].thread, SIGUSR1);
        clock_sleep_ms(clock_system(), SCRUB_POLL_MS);
    }
    return KS_SUCCESS;
}

/* Another file system may have been mounted over ours, or ours unmounted lazily: then the path leads to something else. */
static bool is_at_path(const struct session *s)
{
    dev_t device = s->device;

    IGNORE(find_device(s->mountpoint, &device)); /* what cannot be asked is most likely ours */
    return device == s->device;
}

bool session_abort(struct session *s)
{
    if (!is_at_path(s)) {
        ks_rc rc = mount_point_abort(s->device, session_fd(s));
        if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
            log_line(LOG_ERROR, "cannot cut the mount off: %s", ks_text(rc));
        return false;
    }
    /* What matters is how a forced unmount begins: it ends the connection, even when it then says "busy". */
    if (umount2(s->mountpoint, MNT_FORCE | UMOUNT_NOFOLLOW) == 0)
        return false;
    if (errno != EBUSY)
        log_line(LOG_ERROR, "cannot cut the mount off: %s", strerror(errno));
    return true;
}

void session_tune(const struct session *s)
{
    char path[96];

    snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major(s->device),
             minor(s->device));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    int len = snprintf(path, sizeof path, "%d\n", READAHEAD_KB);
    ssize_t n = write(fd, path, (size_t)len);
    (void)n; /* slower reading, nothing else */
    close(fd);
}
