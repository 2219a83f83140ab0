/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/step.h - what to do next with a volume: a pure function of what is wished and what is so.
 *
 * Asked again after each step, so that nothing has to be remembered across a crash. Never gives a step that opens what is
 * to be locked, takes the last key that opens a volume, or removes what is not to be absent.
 */
#pragma once

#include "key/lease.h"

enum step {
    STEP_IDLE,      /* the wish is reached */
    STEP_WAIT,      /* something is to be done that cannot be done now */
    STEP_UNMOUNT,   /* before it is removed; when its keyring is to be read anew */
    STEP_REMOVE,    /* take its backing directory away */
    STEP_CREATE,    /* make it */
    STEP_RECORD,    /* record the revoke of a volume that is not mounted */
    STEP_MOUNT,     /* locked, when its revoke is recorded or its key service says no */
    STEP_LOCK,      /* revoke */
    STEP_UNLOCK,    /* restore */
    STEP_RESTORED,  /* it is open again: note that the restore is done */
    STEP_SET,       /* lease, probe, grace */
    STEP_ADD_KEY,   /* one that is missing */
    STEP_SWAP_KEY,  /* the same key, asked as somebody else */
    STEP_DROP_KEY,  /* one that is not wanted */
    STEP_REWRAP,    /* to the newest version of its keys */
    STEP_STORE,     /* a new store key */
    STEP_DATA,      /* a new data key */
    STEP_REENCRYPT, /* everything under older data keys */
    STEP_COUNT,
};

struct step_view {
    /* wished */
    bool is_present, is_revoke_wanted;
    bool is_restore_due, is_rewrap_due, is_store_due, is_data_due, is_reencrypt_due;
    bool is_set_due;
    /* keys: wanted ones that open it, wanted ones that do not, the same key under another principal, ones that are not wanted */
    unsigned keys_held, keys_missing, keys_to_swap, keys_unwanted;
    unsigned keys_free; /* how many more can open it before one has to go */
    /* so */
    bool is_made, is_running;
    bool is_revoked;     /* recorded */
    bool is_rolled_back; /* its process has a keyring that was put back */
    enum lease_state state;
};

enum step step_next(const struct step_view *v);
/* step_name(step): for logs and messages: "create", "add-key". */
const char *step_name(enum step step);
/* step_level(step): the name of a rotation in reports: "rewrap", "store", "data", "reencrypt"; NULL for other steps. */
const char *step_level(enum step step);
