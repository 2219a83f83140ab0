/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/join.h - how a node gets its place in a fleet, and who it is from then on (docs/NODES.md).
 *
 * The secret of a token is sent to nobody but a server that has proved itself: by the fingerprint of the authority in the
 * token. The private key never leaves its file, mode 0600.
 */
#pragma once

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/certificate.h"
#include "node/dir.h"

enum { JOIN_TOKEN_MAX = 512, JOIN_URL_BYTES = 512 };

/* A token in its parts. */
struct join_token {
    struct secret *head; /* "ksj_<id>_<secret>": what is sent */
    char fingerprint[65];
};
/* join_token_read(text, ret): USAGE for what is no token; never quotes it. */
ks_rc join_token_read(struct view text, struct join_token *ret) KS_MUST;
void join_token_done(struct join_token *t);

struct join_conf {
    struct node_dir *dir;
    struct clock *clock;
    const char *server;  /* URL of the API's listener */
    const char *ca_file; /* authorities of that listener, when it is not the fleet's own; NULL */
    const char *name, *address; /* NULL: as before, and host at first */
    const char *host;
    const struct join_token *token;
};
/* join(conf): a directory that is a node's already gets a new certificate when its own has expired, and stays that node, with all that it has;
 * an agent may work on it meanwhile. EXISTS when it has not expired; AUTH when the server is not the one of the token, or not the fleet of the
 * directory; PERMISSION when it does not take the token, or does not know the node; UNREACHABLE. The token is used up by a success, and may be by an
 * UNREACHABLE. */
ks_rc join(const struct join_conf *conf) KS_MUST;

/* Who a node is. */
struct identity {
    char node[ID_BYTES], name[NAME_BYTES], region[NAME_BYTES];
    char address[HOST_BYTES], nodes_url[JOIN_URL_BYTES];
    struct key_pair *key;
    struct buf certificate, authority; /* PEM */
    int64_t not_before, not_after;
};
/* identity_read(dir, ret): NOT_FOUND (says how to join), CORRUPT. */
ks_rc identity_read(struct node_dir *dir, struct identity *ret) KS_MUST;
void identity_done(struct identity *i);
/* identity_is_aging(i, now_s): less than a third of its certificate's time is left. */
bool identity_is_aging(const struct identity *i, int64_t now_s);
bool identity_has_expired(const struct identity *i, int64_t now_s);
/* identity_request(name, ret_key, ret_request): a new key pair and a request for it. */
ks_rc identity_request(const char *name, struct key_pair **ret_key,
                       struct buf *ret_request) KS_MUST;
/* identity_replace(dir, key, reply): keeps what "renew" replied. AUTH when it is no certificate of our authority for this key. */
ks_rc identity_replace(struct node_dir *dir, const struct key_pair *key,
                       const json_t *reply) KS_MUST;
