/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/listen.h - where a service listens, as given on the command line.
 */
#pragma once

#include "base/rc.h"

enum { LISTEN_ADDRESS_BYTES = 64 };

struct listen_place {
    char address[LISTEN_ADDRESS_BYTES]; /* numeric; checked by whoever binds it */
    uint16_t port;
};

/* listen_parse(option, text, ret): "127.0.0.1:8443", "[::1]:8443". USAGE that names the option. */
ks_rc listen_parse(const char *option, const char *text, struct listen_place *ret) KS_MUST;
