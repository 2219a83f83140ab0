/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/contract/external.h - the contract's keys at a service that is running somewhere, described by the environment.
 *
 *   KEYSTEAD_CONTRACT_TYPE       key type, "AWS_KMS"; the others count only with it
 *   KEYSTEAD_CONTRACT_ONE, _TWO  uris of two usable keys, _MISSING of one that does not exist
 *   KEYSTEAD_CONTRACT_PRINCIPAL  auth_principal of all three
 *   KEYSTEAD_CONTRACT_HOOK       program that changes key "one", called with one word: "setup" before and "teardown"
 *                                after each test; "disable", "pending", "destroy", "unreachable", "no-credential",
 *                                "rotate". Exit 0: done; 77: this service cannot do that, and the test is skipped.
 *                                setup may print lines "one URI", "two URI", "missing URI" that replace the uris,
 *                                for services whose keys cannot be brought back.
 *   KEYSTEAD_CONTRACT_LEAVE_OUT  names of tests, with blanks between, that the service is known not to pass
 */
#pragma once

#include "base/key_spec.h"
#include "check.h"

/* external_type(): NULL when the environment names no service. */
const char *external_type(void);
void external_setup(void);
void external_teardown(void);
/* external_spec(key): of "one", "two" or "missing". */
struct key_spec external_spec(const char *key);
/* external_hook(word): false when the service cannot do that; any other failure fails the test. */
bool external_hook(const char *word);
/* external_leave_out(tests, count): those named in the environment are skipped. */
void external_leave_out(struct CMUnitTest *tests, size_t count);
