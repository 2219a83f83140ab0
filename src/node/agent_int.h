/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/agent_int.h - what the parts of the agent share. Private to node/.
 *
 * One mutex guards everything here that is not constant. It is never held while something is waited for: who works on a volume takes a
 * copy of what it needs (struct job), works, and merges the outcome.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "node/agent.h"
#include "node/join.h"
#include "node/link.h"
#include "node/owners.h"
#include "node/power.h"
#include "node/seen.h"

/* Why something did not work, and when it is tried again. */
struct failure {
    ks_rc rc; /* success: there is none */
    char text[MESSAGE_BYTES];
    unsigned tries;
    uint64_t until_ms; /* boot time */
};

enum { KEY_FAILURES = WISH_KEYS_MAX + 1 }; /* the platform's is the last one */
enum { SOCKET_BYTES = 108 };               /* no longer one can be connected to */

/* A volume on this node. */
struct holding {
    struct holding *next;
    char id[ID_BYTES];
    struct wish wish;
    bool has_wish, is_wish_saved;
    bool is_saving;       /* its wish or deed is being written */
    bool is_save_failing; /* for the log */
    int64_t asked_s;      /* when the revoke that is in force came in */
    struct deed deed;
    bool is_deed_saved;
    struct anchor kept_anchor; /* as it is on the disk: what is told must not be forgotten */
    struct seen seen;
    bool is_seen; /* was looked at since the start */
    bool
        is_rolled_back; /* by what was known when it was seen: later notes are about a later keyring */
    uint64_t
        seen_seq; /* rises with each change of seen, wish or deed by somebody else than a pass */
    char socket[SOCKET_BYTES]; /* of its process, as it was found last; "": none was */
    int process_fd; /* of the process that served it last, to kill it when it does not lock; -1 */

    struct failure failure; /* of the step below */
    enum step failed_step;
    struct failure key_failures[KEY_FAILURES];

    bool is_busy;         /* a pass is under way */
    bool is_urgent;       /* to be locked, or its engine to be stopped, at once */
    bool is_locking;      /* somebody does it */
    bool is_lock_failing; /* and tries again */
    bool is_proving;      /* a receipt is being made */
    bool is_watched;      /* it says itself when something changes (watch.c) */
    bool is_closing;      /* at the end of the agent: no more passes */
    bool is_unlocking;    /* a pass has sent, or is about to send, "unlock" */
    uint64_t due_ms;
    bool is_stirred; /* something happened since the last pass began */

    struct power *power;
    struct secret *password;   /* of its engine, while the volume is open; NULL */
    int64_t engine_stopped_ms; /* how long its last stop took; -1: unknown */

    bool is_rekeying;
    int64_t rekey_done, rekey_total, rekey_rate;

    bool is_newer; /* its key service has a newer version of a key */
    char version_tried[KEY_VERSION_BYTES];

    bool is_news;      /* the control plane does not know all of it yet */
    bool is_gone;      /* taken away; forgotten when the control plane knows */
    bool is_gone_told; /* that its end was reached stood in a report that was accepted */
    json_t *told;      /* as last accepted */
    json_t *told_wraps, *told_generations;
};

struct waiting_receipt {
    struct waiting_receipt *next;
    char id[ID_BYTES];
    json_t *receipt;
    bool is_sent;
};

enum { MEND_MAX = 16384, CHECKS_MAX = 64, CHECKING_MAX = 16, WORKERS = 8, REKEYS_MAX = 2 };

struct watch;

struct agent {
    struct agent_conf conf;
    struct clock *clock;
    struct io *io;
    struct node_dir *dir;
    struct identity identity; /* mutex */
    struct key_spec platform;
    pthread_mutex_t owners_mutex; /* while owners are opened */
    struct owners *owners;        /* NULL: not yet, or what was given cannot be read */
    struct link *link;

    pthread_mutex_t mutex;
    pthread_cond_t work, news, urgent, ended;
    struct holding *holdings;
    size_t holding_count;
    bool is_ending;
    unsigned urgent_threads, urgent_busy, rekeys, checking;
    int64_t revision;
    bool is_synced;             /* everything wanted was heard once */
    bool is_serve_away;         /* for the log */
    atomic_bool is_engine_news; /* an engine said that its state changed */
    bool is_full_due;           /* the next report names every volume */
    uint64_t full_ms;           /* when the last such report was made */
    struct waiting_receipt *receipts;
    json_t *check_results;             /* array */
    json_t *engines;                   /* names of templates whose programs are here */
    char checks[CHECKS_MAX][ID_BYTES]; /* those that were begun, a ring */
    unsigned check_next;
    struct watch *watches;
    size_t watch_count;
    pthread_t workers[WORKERS], teller, keeper, watcher;
};

/* A piece of work on one volume: copies, and what became of it. */
struct job {
    struct agent *a;
    struct holding *h;
    uint64_t seq;
    struct wish wish;
    struct deed deed;
    struct seen seen;
    char socket[SOCKET_BYTES];
    struct power *power; /* borrowed; of urgent work only */
    bool is_newer, is_rekeying;
    bool is_wish_due, is_deed_due; /* to be written before anything is done */
    uint64_t key_until_ms[KEY_FAILURES];
    /* outcome */
    bool is_seen, is_deed_changed, is_held_back, is_discarded;
    bool is_reached;  /* the wish is */
    bool is_more_due; /* go on at once */
    size_t key;       /* of ADD_KEY */
};

/* agent.c */
struct holding *agent_find(struct agent *a, const char *id);
/* agent_add(a, id, ret): a new one, which nothing is known of. With the mutex. */
ks_rc agent_add(struct agent *a, const char *id, struct holding **ret) KS_MUST;
void agent_forget(struct agent *a, struct holding *h);
/* agent_wait_urgent(a): until nothing is being locked any more; false when that takes more than 20 s. */
bool agent_wait_urgent(struct agent *a);
/* agent_wake(a): somebody has something to do. agent_stir(a, h): there is something to look at. With the mutex. */
void agent_wake(struct agent *a);
void agent_stir(struct agent *a, struct holding *h);

/* wishes.c: agent_wish(a, w): from now on this is wanted. Without the mutex. */
void agent_wish(struct agent *a, const struct wish *w);
void *agent_listen(void *agent); /* the thread of the long poll */
ks_rc agent_load(struct agent *a) KS_MUST;

/* look.c: look_volume(j): what is so, into j->seen. look_now(j): the same, but what its process says is enough. look_for_process(j): only that, and
 * NOT_FOUND when there is none; j->socket is its socket then, also when it does not answer; else "". */
ks_rc look_volume(struct job *j) KS_MUST;
ks_rc look_now(struct job *j) KS_MUST;
ks_rc look_for_process(struct job *j) KS_MUST;

/* pass.c */
void *agent_worker(void *agent);
/* pass_show(j): its volume is as j has seen it. With the mutex. */
void pass_show(struct job *j);

/* save_begin(j): with the mutex: takes over what has to be written of its volume, if anything; may be asked while nobody writes only.
 * save_end(j): without it: writes. What cannot be written is due again, and is told once. save_deed(j): the deed, now, by a pass, with what others
 * noted meanwhile; without the mutex. */
void save_begin(struct job *j);
void save_end(struct job *j);
ks_rc save_deed(struct job *j) KS_MUST;

/* power_told(agent), power_owner(agent, organisation, ret): for power_conf. */
void power_told(void *agent);
ks_rc power_owner(void *agent, const char *organisation, uid_t *ret) KS_MUST;

/* port.c: port_find(a, h): gives it one of the node's ports that no other volume has and that nobody listens on; 0: none is left. */
uint16_t port_find(struct agent *a, struct holding *h);

/* capacity.c: capacity_check(a): whether one more volume process has room; LIMIT says what is missing. */
ks_rc capacity_check(struct agent *a) KS_MUST;

/* steps.c: step_take(j, step): does it; what it changed is in the job. */
ks_rc step_take(struct job *j, enum step step) KS_MUST;

/* urgent.c: urgent_wake(a): enough threads are there for what is urgent. With the mutex. */
void urgent_wake(struct agent *a);
/* urgent_insist(j, why): it did not answer a lock in time: unless it turns out to be locked its process is killed. urgent_process_of(j): a
 * descriptor of that process, for the caller to close; -1: there is none. */
ks_rc urgent_insist(struct job *j, ks_rc why) KS_MUST;
int urgent_process_of(struct job *j);

/* watch.c: watch_begin(a, h, socket): from now on the volume's process tells when to look. Without the mutex. */
void watch_begin(struct agent *a, struct holding *h, const char *socket);
void *agent_watcher(void *agent);

/* rekey.c: rekey_start(a, h): STATE when enough of them run. With the mutex. */
ks_rc rekey_start(struct agent *a, struct holding *h) KS_MUST;

/* prove.c: prove_lock(j, facts): a receipt for a lock that is over, unless somebody else makes it. */
struct prove_facts {
    enum cause cause;
    int64_t asked_s, engine_stopped_ms;
    bool is_ours;   /* the last lock of the process is the one it is about */
    bool is_urgent; /* by who locked it, and knows of its engine */
};
ks_rc prove_lock(struct job *j, const struct prove_facts *facts) KS_MUST;
/* prove_lock_id(s, out): names the last lock of a process. */
void prove_lock_id(const struct seen *s, char out[96]);
ks_rc prove_load(struct agent *a) KS_MUST;

/* report.c: the member of a report about h; with the mutex. is_whole: with wraps and generations. */
json_t *report_volume(const struct agent *a, const struct holding *h);
void report_access(const struct agent *a, const struct holding *h, enum access *ret_access,
                   enum cause *ret_cause, char ret_message[MESSAGE_BYTES]);

/* tell.c */
void *agent_teller(void *agent);
/* tell_last(a): one last report, within a few seconds. */
void tell_last(struct agent *a);

/* check.c: check_begin(a, c): a thread tries the keys. False: it was begun before, or has to wait: it is given again until it was reported. */
bool check_begin(struct agent *a, const struct wish_check *c);

/* keeper.c: what is done now and then. */
void *agent_keeper(void *agent);
/* keeper_find_engines(a): which engines could run here. */
void keeper_find_engines(struct agent *a);

/* failure.c */
/* failure_note(f, rc, now_ms, random): with the text of rc; the pause doubles, 1 s to 30 s. failure_retry(f): it is to be tried at once, and is
 * what is known until then. */
void failure_note(struct failure *f, ks_rc rc, uint64_t now_ms, struct random *random);
void failure_retry(struct failure *f);
void failure_clear(struct failure *f);
/* failure_mend(spec, organisation, rc, message, ret): what would mend it, when the provider's text knows; else nothing. */
void failure_mend(const struct key_spec *spec, const char *organisation, ks_rc rc,
                  const char *message, struct buf *ret);
/* failure_explain: the message, and behind it what would mend it. */
void failure_explain(const struct key_spec *spec, const char *organisation, ks_rc rc,
                     const char *message, char out[MESSAGE_BYTES]);
/* failure_hide_paths(text, specs, count, out): the text for those whose keys these are. Paths of this host are left out where something was said
 * about them ("PATH: "), else they read "[path]"; those that a key has in its name stay, and what is no path of two names or more. */
void failure_hide_paths(const char *text, const struct key_spec *const *specs, size_t count,
                        char out[MESSAGE_BYTES]);
/* failure_backoff_ms(tries, random): 1 s, 2 s, ... 30 s, the last quarter of it by chance. */
uint64_t failure_backoff_ms(unsigned tries, struct random *random);
/* failure_link_pause_ms(tries, random): the same up to 4 s, for the control plane: a revoke may be waiting there. */
uint64_t failure_link_pause_ms(unsigned tries, struct random *random);
