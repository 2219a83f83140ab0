/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/port.c - ports for engines: one per volume, for as long as the volume is here.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/agent_int.h"

static bool is_taken(const struct agent *a, const struct holding *but, uint16_t port)
{
    for (const struct holding *h = a->holdings; h; h = h->next)
        if (h != but && h->deed.port == port)
            return true;
    return false;
}

/* Whether an engine could listen there now. */
static bool is_free(const char *address, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    int on = 1;

    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return false;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    bool is_bound = bind(fd, to, is_v4 ? sizeof v4 : sizeof v6) == 0;
    close(fd);
    return is_bound;
}

uint16_t port_find(struct agent *a, struct holding *h)
{
    uint16_t found = 0;

    pthread_mutex_lock(&a->mutex);
    for (unsigned p = a->conf.port_first; p <= a->conf.port_last && !found; p++)
        if (!is_taken(a, h, (uint16_t)p) && is_free(a->conf.engine_address, (uint16_t)p))
            found = (uint16_t)p;
    if (found)
        h->deed.port = found; /* at once, so that no other volume gets it */
    pthread_mutex_unlock(&a->mutex);
    return found;
}
