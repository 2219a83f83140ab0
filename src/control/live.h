/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/live.h - what the control plane knows only as long as it runs: when nodes were heard, passwords of engines, failed requests of
 * volumes.
 *
 * Nothing here is needed to be right: after a start nodes report everything anew. Passwords are in guarded memory, are never
 * written anywhere, and are wiped when their volume goes. Thread-safe.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"
#include "base/secret.h"
#include "control/model.h"

struct live;

enum { LIVE_PASSWORD_BYTES = 128, LIVE_ENGINES_MAX = 32 };

/* live_new(now_s, ret): a life that begins now. */
ks_rc live_new(int64_t now_s, struct live **ret) KS_MUST;
void live_free(struct live *l);

/* live_heard(l, node, now_s): the node asked or reported. Cheap: each request of a node calls it. */
ks_rc live_heard(struct live *l, const char *node, int64_t now_s) KS_MUST;
/* live_last(l, node, stored): when it was heard last in this life; else what was stored of a life before, which was not after the
 * beginning of this one, whatever the clock said then. */
int64_t live_last(struct live *l, const char *node, int64_t stored);
/* live_cap(l, now_s): nothing was later than now: what was heard before the clock was set back was heard now. For every tick. */
void live_cap(struct live *l, int64_t now_s);
struct live_heard_at {
    char node[ID_BYTES];
    int64_t at;
};
/* live_take_heard(l, ret, ret_count): the nodes that were heard or capped since the call before, for storing that now and then; mem_free. */
ks_rc live_take_heard(struct live *l, struct live_heard_at **ret, size_t *ret_count) KS_MUST;

/* live_set_engines(l, node, names, count): the engines that the node can run, as it reported them; LIMIT. Names longer than
 * WORD_BYTES are cut. live_has_engine(l, engine): some node has it, or no node has said what it has. "none" is everywhere. */
ks_rc live_set_engines(struct live *l, const char *node, const char *const *names,
                       size_t count) KS_MUST;
bool live_has_engine(struct live *l, const char *engine);

/* live_set_password(l, volume, password): LIMIT for one of LIVE_PASSWORD_BYTES or longer. NULL forgets it. */
ks_rc live_set_password(struct live *l, const char *volume, const char *password) KS_MUST;
/* live_password(l, volume, out): false when none was reported; the caller wipes out. */
bool live_password(struct live *l, const char *volume, char out[LIVE_PASSWORD_BYTES]);

/* live_set_failed(l, volume, failed): how many requests of each kind failed, a JSON object, which is copied. NULL forgets it.
 * live_failed(l, volume): a new reference, not to be changed; NULL when none was reported. */
ks_rc live_set_failed(struct live *l, const char *volume, const json_t *failed) KS_MUST;
json_t *live_failed(struct live *l, const char *volume);
