/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/awake.c - keeps idle processors awake while requests come one after another.
 *
 * The kernel's promise hangs on an open descriptor: opening it and writing the number asks, closing it lets go.
 */
#include "fuse/awake.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    STACK_BYTES = 256 * 1024,
    WINDOW_MS = 5,
    STILL_WINDOWS_MAX = 4,
    LIGHT_SLEEP_US = 2,
    HYPERVISOR_BIT = 31, /* of ECX of leaf 1: reserved by both makers of processors for this */
};

struct awake {
    char *device;
    int32_t latency_us;
    int fd; /* the thread's own: -1 while processors may sleep */
    uint64_t since_ms;
    struct awake_state state;
    _Atomic unsigned batches;
    _Atomic uint64_t held_ms;
    atomic_bool is_looking; /* the thread will see the next batch by itself */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool is_stopping;
    pthread_t thread;
};

bool awake_pays(enum awake_wish wish, const struct awake_machine *machine)
{
    if (wish != AWAKE_AUTO)
        return wish == AWAKE_ON;
    return machine->is_virtual && machine->processors <= AWAKE_PROCESSORS_MAX;
}

int awake_latency_us(const struct awake_machine *machine)
{
    return machine->is_virtual ? 0 : LIGHT_SLEEP_US;
}

static bool is_virtual(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> HYPERVISOR_BIT & 1) != 0;
#else
    return false;
#endif
}

struct awake_machine awake_this_machine(void)
{
    return (struct awake_machine){sysconf(_SC_NPROCESSORS_ONLN), is_virtual()};
}

/* Two windows in a row with a batch, 1600 requests a second: then the wake-ups saved are worth a processor that does not
 * sleep. A few requests now and then are not. */
bool awake_step(struct awake_state *s, unsigned batches)
{
    s->still = batches > 0 ? 0 : s->still + 1;
    s->is_quiet = s->still >= STILL_WINDOWS_MAX;
    s->is_awake = !s->is_quiet && (s->is_awake || batches > 0);
    return s->is_awake;
}

static void hold(struct awake *a)
{
    a->fd = open(a->device, O_WRONLY | O_CLOEXEC);
    a->since_ms = clock_boot_ms(clock_system());
    if (a->fd < 0)
        return;
    ssize_t n = write(a->fd, &a->latency_us, sizeof a->latency_us);
    (void)n; /* slower, nothing else */
}

static void let_go(struct awake *a)
{
    if (a->fd < 0)
        return;
    /* Counted first: who sees that it is let go finds the time in the sum. */
    atomic_fetch_add(&a->held_ms, clock_boot_ms(clock_system()) - a->since_ms);
    close(a->fd);
    a->fd = -1;
}

static void look(struct awake *a)
{
    bool was_awake = a->state.is_awake;
    bool is_awake = awake_step(&a->state, atomic_exchange(&a->batches, 0));

    if (is_awake && !was_awake)
        hold(a);
    if (!is_awake && was_awake)
        let_go(a);
}

/* With the mutex held. */
static void sleep_for_a_window(struct awake *a)
{
    struct timespec until = clock_deadline(WINDOW_MS);
    int err = 0;

    while (!a->is_stopping && err == 0)
        err = pthread_cond_timedwait(&a->cond, &a->mutex, &until);
}

/* With the mutex held. The batch that ends the rest is not counted: the next window is whole. */
static void rest(struct awake *a)
{
    atomic_store(&a->is_looking, false);
    while (!a->is_stopping && atomic_load(&a->batches) == 0)
        pthread_cond_wait(&a->cond, &a->mutex);
    atomic_store(&a->is_looking, true);
    atomic_store(&a->batches, 0);
    a->state = (struct awake_state){0};
}

static void *awake_run(void *arg)
{
    struct awake *a = arg;

    pthread_mutex_lock(&a->mutex);
    rest(a);
    while (!a->is_stopping) {
        sleep_for_a_window(a);
        look(a);
        if (a->state.is_quiet)
            rest(a);
    }
    let_go(a);
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

static void awake_free(struct awake *a)
{
    pthread_cond_destroy(&a->cond);
    pthread_mutex_destroy(&a->mutex);
    mem_free(a->device);
    mem_free(a);
}

ks_rc awake_start(const char *device, int latency_us, struct awake **ret)
{
    struct awake *a;

    if (access(device, W_OK) != 0)
        return ks_fail_os(errno, "%s", device);
    TRY(mem_new(1, sizeof *a, &a));
    pthread_mutex_init(&a->mutex, NULL);
    clock_cond_init(&a->cond);
    a->fd = -1;
    a->latency_us = latency_us;
    ks_rc rc = mem_text(device, &a->device);
    if (ks_ok(rc))
        rc = ks_wrap(thread_start(STACK_BYTES, awake_run, a, &a->thread),
                     "cannot start a thread of the mount");
    if (!ks_ok(rc)) {
        awake_free(a);
        return rc;
    }
    *ret = a;
    return KS_SUCCESS;
}

void awake_stop(struct awake *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->is_stopping = true;
    pthread_cond_broadcast(&a->cond);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    awake_free(a);
}

void awake_note(struct awake *a)
{
    if (!a)
        return;
    atomic_fetch_add(&a->batches, 1);
    if (atomic_load(&a->is_looking))
        return;
    pthread_mutex_lock(&a->mutex);
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->mutex);
}

uint64_t awake_ms(const struct awake *a)
{
    return a ? atomic_load(&a->held_ms) : 0;
}
