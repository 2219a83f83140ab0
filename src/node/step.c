/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/step.c - the table: the first row whose condition holds says what is next.
 */
#include "node/step.h"

#include <stddef.h>

/* Who has it open may keep it from being unmounted, but not from being locked. */
static bool is_open_unwanted(const struct step_view *v)
{
    return !v->is_present && v->is_running && v->is_revoke_wanted && v->state != LEASE_LOCKED;
}

static bool is_running_unwanted(const struct step_view *v)
{
    return !v->is_present && v->is_running;
}

static bool is_made_unwanted(const struct step_view *v)
{
    return !v->is_present && v->is_made;
}

static bool is_gone(const struct step_view *v)
{
    return !v->is_present;
}

/* There is nothing that could be read; it is made when it may be open. */
static bool is_revoked_unmade(const struct step_view *v)
{
    return v->is_revoke_wanted && !v->is_made;
}

static bool is_unmade(const struct step_view *v)
{
    return !v->is_made;
}

static bool is_unrecorded(const struct step_view *v)
{
    return v->is_revoke_wanted && !v->is_running && !v->is_revoked;
}

static bool is_unmounted(const struct step_view *v)
{
    return !v->is_running;
}

static bool is_to_lock(const struct step_view *v)
{
    return v->is_revoke_wanted && !(v->is_revoked && v->state == LEASE_LOCKED);
}

/* Mounting it anew refuses it, or finds the right keyring. */
static bool is_rolled_back(const struct step_view *v)
{
    return v->is_rolled_back && !v->is_revoke_wanted;
}

static bool is_locked_as_wanted(const struct step_view *v)
{
    return v->is_revoke_wanted;
}

static bool is_locking(const struct step_view *v)
{
    return v->state == LEASE_LOCKING;
}

static bool is_restored(const struct step_view *v)
{
    return v->is_restore_due && !v->is_revoked && v->state != LEASE_LOCKED;
}

static bool is_to_unlock(const struct step_view *v)
{
    return v->is_restore_due;
}

static bool has_work(const struct step_view *v)
{
    return v->is_set_due || v->keys_missing || v->keys_to_swap || v->keys_unwanted ||
           v->is_rewrap_due || v->is_store_due || v->is_data_due || v->is_reencrypt_due;
}

static bool is_unable(const struct step_view *v)
{
    return v->state != LEASE_OPEN && has_work(v);
}

static bool is_set_due(const struct step_view *v)
{
    return v->is_set_due;
}

static bool is_key_missing(const struct step_view *v)
{
    return v->keys_missing > 0;
}

/* Keys are added before others are dropped, as long as there is room. Whatever goes, another one opens it. */
static bool is_room_needed(const struct step_view *v)
{
    return v->keys_missing > 0 && v->keys_free == 0 && v->keys_unwanted > 0 &&
           v->keys_held + v->keys_to_swap + v->keys_unwanted > 1;
}

static bool is_key_to_swap(const struct step_view *v)
{
    return v->keys_to_swap > 0;
}

static bool may_drop(const struct step_view *v)
{
    return v->keys_unwanted > 0 && v->keys_held > 0;
}

/* No wanted key opens it: the one that does stays, and somebody is told. */
static bool is_last_opener(const struct step_view *v)
{
    return v->keys_unwanted > 0;
}

static bool is_rewrap_due(const struct step_view *v)
{
    return v->is_rewrap_due;
}

static bool is_store_due(const struct step_view *v)
{
    return v->is_store_due;
}

static bool is_data_due(const struct step_view *v)
{
    return v->is_data_due;
}

static bool is_reencrypt_due(const struct step_view *v)
{
    return v->is_reencrypt_due;
}

static const struct {
    bool (*holds)(const struct step_view *v);
    enum step step;
} rows[] = {
    {is_open_unwanted, STEP_LOCK},
    {is_running_unwanted, STEP_UNMOUNT},
    {is_made_unwanted, STEP_REMOVE},
    {is_gone, STEP_IDLE},
    {is_revoked_unmade, STEP_IDLE},
    {is_unmade, STEP_CREATE},
    {is_unrecorded, STEP_RECORD},
    {is_unmounted, STEP_MOUNT},
    {is_rolled_back, STEP_UNMOUNT},
    {is_to_lock, STEP_LOCK},
    {is_locked_as_wanted, STEP_IDLE},
    {is_locking, STEP_WAIT},
    {is_restored, STEP_RESTORED},
    {is_to_unlock, STEP_UNLOCK},
    {is_unable, STEP_WAIT},
    {is_set_due, STEP_SET},
    {is_room_needed, STEP_DROP_KEY},
    {is_key_missing, STEP_ADD_KEY},
    {is_key_to_swap, STEP_SWAP_KEY},
    {may_drop, STEP_DROP_KEY},
    {is_last_opener, STEP_WAIT},
    {is_rewrap_due, STEP_REWRAP},
    {is_store_due, STEP_STORE},
    {is_data_due, STEP_DATA},
    {is_reencrypt_due, STEP_REENCRYPT},
};

enum step step_next(const struct step_view *v)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].holds(v))
            return rows[i].step;
    return STEP_IDLE;
}

const char *step_name(enum step step)
{
    static const char *const names[STEP_COUNT] = {
        "idle",     "wait",     "unmount", "remove",   "create", "record",
        "mount",    "lock",     "unlock",  "restored", "set",    "add-key",
        "swap-key", "drop-key", "rewrap",  "store",    "data",   "reencrypt"};

    return names[step];
}

const char *step_level(enum step step)
{
    return step >= STEP_REWRAP && step < STEP_COUNT ? step_name(step) : NULL;
}
