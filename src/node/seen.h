/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/seen.h - what is so with a volume: out of the status of its process, or of its keyring when none runs.
 */
#pragma once

#include "key/keyring.h"
#include "node/step.h"
#include "node/wish.h"

struct seen_wrap {
    uint32_t id;
    struct key_spec spec;
    char version[KEY_VERSION_BYTES];
};

struct seen {
    bool is_made, is_running, is_revoked;
    bool is_lost; /* it runs, but its backing directory is not there any more */
    char keyring[ANCHOR_VOLUME_BYTES]; /* whose keyring it has: the id that stands there */
    int64_t
        sequence;  /* of the keyring: of a process that opened it; 0: nobody has vouched for it */
    int64_t found; /* as it stands on the disk of a volume that no process serves: a claim only */
    const char
        *foreign_name; /* a copy of the keyring that is another volume's, beside its own; NULL */
    const char *found_name; /* the copy of the keyring that says so; NULL: none was read */
    enum lease_state state;
    int pid;
    char backing[1024], mountpoint[1024];
    uint32_t lease_ms, probe_ms, grace_ms;
    size_t wrap_count; /* active ones */
    struct seen_wrap wraps[KEYRING_ACTIVE_MAX];
    enum cause cause; /* why it is not simply OPEN */
    char message[512];
    enum ks_code
        refusal; /* what the key service said no with last; KS_E_DENIED when it is not known */
    /* the last lock of this process; lock_at "": none */
    char lock_at[32];
    enum cause lock_cause;
    int64_t lock_duration_ms, lock_handles;
    json_t *wraps_json, *generations; /* as the status has them; owned */
    json_t *
        requests_failed; /* {kind: how many} of its process; NULL: none runs, or it is locked; owned */
};

void seen_done(struct seen *s);
/* seen_status(status, ret): from the reply to "status"; ret is replaced. BAD_REPLY names the member. */
ks_rc seen_status(const json_t *status, struct seen *ret) KS_MUST;
/* seen_keyring_id(k, out): the volume's own id, hex. */
void seen_keyring_id(const struct keyring *k, char out[ANCHOR_VOLUME_BYTES]);
/* seen_keyring(k, is_revoked, ret): of a volume that no process serves. */
void seen_keyring(const struct keyring *k, bool is_revoked, struct seen *ret);

/* seen_key(s, spec): its active wrap under this key, whoever asks for it; NULL. */
const struct seen_wrap *seen_key(const struct seen *s, const struct key_spec *spec);
/* seen_is_exact(w, spec): the same key, asked as the same principal. */
bool seen_is_exact(const struct seen_wrap *w, const struct key_spec *spec);
/* seen_unwanted(s, w, platform): the first active wrap that the wish does not name; NULL. */
const struct seen_wrap *seen_unwanted(const struct seen *s, const struct wish *w,
                                      const struct key_spec *platform);

/* seen_wanted(w, platform, i): the i-th key of a wish, the platform's behind the others; NULL behind the last one. */
const struct key_spec *seen_wanted(const struct wish *w, const struct key_spec *platform, size_t i);

/* seen_is_overruled(w, platform, i): a later key of the wish is the same one, asked as it says: there is one wrap for both. */
bool seen_is_overruled(const struct wish *w, const struct key_spec *platform, size_t i);

/* seen_is_rolled_back(s, d): it is served with a keyring that was put back, or waits locked for another one. */
bool seen_is_rolled_back(const struct seen *s, const struct deed *d);

/* seen_view(s, w, d, platform, ret): what the steps are decided by. */
void seen_view(const struct seen *s, const struct wish *w, const struct deed *d,
               const struct key_spec *platform, struct step_view *ret);
