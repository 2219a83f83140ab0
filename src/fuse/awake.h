/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/awake.h - keeps idle processors awake while requests come one after another.
 *
 * A request is two wake-ups: of one of our threads, and of whoever asked. A processor of a virtual machine that has nothing
 * to do is given back to the host, and to get it again takes longer than all our work on a small request. So while requests
 * are frequent the kernel is asked for short wake-ups (PM QoS, /dev/cpu_dma_latency of the kernel's pm_qos_interface
 * document), and let go 20 ms after. The kernel takes the request back by itself when this process ends, however it ends.
 */
#pragma once

#include <stdbool.h>

#include "base/rc.h"

struct awake;

#define AWAKE_DEVICE "/dev/cpu_dma_latency"

enum awake_wish {
    AWAKE_AUTO, /* where it pays: few processors (AWAKE_PROCESSORS_MAX), and a virtual machine */
    AWAKE_ON,
    AWAKE_OFF,
};

enum {
    AWAKE_PROCESSORS_MAX = 8, /* the kernel keeps all of them awake, not only ours */
    AWAKE_BATCH = 8,          /* requests in a row that one thread tells of at once */
};

/* What a machine is like, as far as this goes. */
struct awake_machine {
    long processors;
    bool is_virtual;
};

/* awake_pays(wish, machine): whether processors are to be kept awake there. Pure. */
bool awake_pays(enum awake_wish wish, const struct awake_machine *machine);
/* awake_this_machine(): the one this runs on. */
struct awake_machine awake_this_machine(void);
/* awake_latency_us(machine): what is asked for: on hardware the light sleep that ends by itself in about a microsecond
 * is good enough, in a virtual machine no sleep is. Pure. */
int awake_latency_us(const struct awake_machine *machine);

/*
 * What is decided from the batches of each window of 5 ms. Pure: awake_step(s, batches) returns whether processors
 * are to be awake in the next one. s->is_quiet: nothing has come for long enough to stop looking.
 */
struct awake_state {
    bool is_awake, is_quiet;
    unsigned still; /* windows in a row without a batch */
};
bool awake_step(struct awake_state *s, unsigned batches);

/* awake_start(device, latency_us, ret): a thread of its own, which sleeps unless requests come. NO_MEMORY, or the error of the
 * system: the device is not there or may not be written, as without root; no thread can be started. */
ks_rc awake_start(const char *device, int latency_us, struct awake **ret) KS_MUST;
/* awake_stop(a): lets go and frees; NULL does nothing. Nobody may call awake_note any more. */
void awake_stop(struct awake *a);
/* awake_note(a): a thread has served AWAKE_BATCH requests; NULL does nothing. Never waits. */
void awake_note(struct awake *a);
/* awake_ms(a): for how long in all processors have been kept awake; 0 of NULL. Any thread. */
uint64_t awake_ms(const struct awake *a);
