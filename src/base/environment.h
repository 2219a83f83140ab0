/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/environment.h - what the environment of the process says.
 *
 * For what others have agreed to pass there: the credential chains of cloud SDKs, proxies. Keystead never puts
 * anything there itself.
 */
#pragma once

/* environment_get(arg, name): NULL when it is not set, is empty, or the program runs with raised privileges.
 * arg is not used: the signature is that of kms_conf.env. */
const char *environment_get(void *arg, const char *name);
