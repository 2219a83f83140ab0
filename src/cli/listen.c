/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/listen.c - "ADDRESS:PORT".
 */
#include "cli/listen.h"

#include <stdlib.h>
#include <string.h>

ks_rc listen_parse(const char *option, const char *text, struct listen_place *ret)
{
    const char *colon = strrchr(text, ':');
    char *end;

    ENSURE(colon && colon[1] >= '0' && colon[1] <= '9', KS_E_USAGE, "%s %.80s is not ADDRESS:PORT",
           option, text);
    unsigned long port = strtoul(colon + 1, &end, 10);
    ENSURE(*end == 0 && port <= UINT16_MAX, KS_E_USAGE, "%s %.80s names no port", option, text);
    bool is_bracketed = text[0] == '[' && colon > text && colon[-1] == ']';
    size_t len = (size_t)(colon - text) - (is_bracketed ? 2 : 0);
    ENSURE(len > 0 && len < LISTEN_ADDRESS_BYTES, KS_E_USAGE, "%s %.80s names no address", option,
           text);
    memcpy(ret->address, text + is_bracketed, len);
    ret->address[len] = 0;
    ret->port = (uint16_t)port;
    return KS_SUCCESS;
}
