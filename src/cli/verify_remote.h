/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/verify_remote.h - having a running volume verify itself.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"

struct verify_listener {
    bool (*progress)(void *arg,
                     uint64_t bytes_seen); /* false: stop waiting; the volume stops too */
    void (*damaged)(void *arg, const char *path, uint64_t block, const char *what);
    void *arg;
};

/* verify_remote(socket, listener, ret): sends {"op":"verify"}, hands on the lines {"progress":...} and
 * {"damaged":...} (docs/CONTROL.md), returns with the reply. The error that a reply names comes back as such. */
ks_rc verify_remote(const char *socket, const struct verify_listener *listener,
                    json_t **ret) KS_MUST;
