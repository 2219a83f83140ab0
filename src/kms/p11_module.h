/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_module.h - a PKCS#11 module (a token vendor's library) in this process (private to kms/p11_*, drv_pkcs11).
 *
 * A module may be initialised once in a process, and a wrong PIN locks a token for everybody, so both are kept per
 * module and process and not per key. Loaded by its path alone; no configuration of p11-kit is read.
 */
#pragma once

#include <p11-kit/pkcs11.h>

#include "base/rc.h"
#include "base/secret.h"

enum { P11_PATH_BYTES = 1024, P11_SERIAL_BYTES = 16 };

struct p11_module;

/* p11_module_get(path, ret): the module's record; nothing is loaded yet. p11_module_put: the last user finalises
 * it; NULL does nothing. */
ks_rc p11_module_get(const char *path, struct p11_module **ret) KS_MUST;
void p11_module_put(struct p11_module *m);

/* A stay inside a module: while it lasts the module is loaded and not finalised by us. */
struct p11_stay {
    CK_FUNCTION_LIST *f;
    uint64_t generation; /* of its initialisation; sessions of an older one are dead */
};

/* p11_module_enter(m, ret): loads and initialises it when needed, also anew after a fork. UNREACHABLE. Threads stay side by
 * side; every success is followed by p11_module_leave. */
ks_rc p11_module_enter(struct p11_module *m, struct p11_stay *ret) KS_MUST;
void p11_module_leave(struct p11_module *m);
/* p11_module_reset(m, generation): finalises it unless somebody did since generation; waits for stays to end. */
void p11_module_reset(struct p11_module *m, uint64_t generation);

/*
 * PINs that tokens refused, by serial number. p11_pin_lock(m): one login at a time, and the two below only within.
 * p11_pin_refuse(m, token, pin): remembers it; token as it is after the refusal. p11_pin_is_refused: whether it would be
 * refused again. A token that counts wrong PINs (CKF_USER_PIN_COUNT_LOW) and does not count any more has seen
 * the right one since, so a PIN may be tried again: never two wrong ones in a row.
 */
void p11_pin_lock(struct p11_module *m);
void p11_pin_unlock(struct p11_module *m);
bool p11_pin_is_refused(const struct p11_module *m, const CK_TOKEN_INFO *token, struct view pin);
ks_rc p11_pin_refuse(struct p11_module *m, const CK_TOKEN_INFO *token, struct view pin) KS_MUST;

/* p11_error(rv, what): the result for a CKR_ code that the function what returned, by the one table. rv must not be CKR_OK.
 * p11_is_transient(rv): sessions or module may have to be made anew. */
ks_rc p11_error(CK_RV rv, const char *what) KS_MUST;
bool p11_is_transient(CK_RV rv);
