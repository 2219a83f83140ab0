/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/wish.h - what the control plane wants a volume to be, and what this node knows about it that nobody else does.
 *
 * Both are small JSON documents on the node's disk, replaced as a whole. A wish is kept as it was received; what cannot be read is
 * told with the member that is wrong, and nothing is guessed. No secret is among them.
 */
#pragma once

#include <jansson.h>

#include "control/anchor.h"
#include "control/model.h"

/* How often each has been asked for, or done. */
struct wish_serials {
    uint32_t rewrap, store, data, reencrypt, restore;
};

struct wish_key {
    char id[ID_BYTES];
    struct key_spec spec;
};

struct wish {
    char volume[ID_BYTES];
    int64_t goal;
    bool is_present; /* false: to be taken away */
    char organisation[ID_BYTES], cluster[ID_BYTES];
    char cluster_name[NAME_BYTES], region[NAME_BYTES];
    char engine[WORD_BYTES];
    uint32_t ordinal;
    size_t key_count;
    struct wish_key keys[WISH_KEYS_MAX];
    bool is_platform; /* the node's own key is to open it as well */
    bool is_revoked;
    bool is_rewrap_automatic;
    struct wish_serials serials;
    struct lease_terms lease;
    struct anchor
        anchor; /* as the control plane knows it; "keyring" of the document, and of a deed's */
};

/* wish_read(object, ret): a volume of the answer to "desired" (docs/NODES.md); members that are not known are ignored. USAGE names
 * the member that is wrong. */
ks_rc wish_read(const json_t *object, struct wish *ret) KS_MUST;
/* wish_write(w): the same document; a new reference, NULL without memory. */
json_t *wish_write(const struct wish *w);

/* What the node itself remembers about a volume. */
struct deed {
    bool is_made;      /* its backing directory was complete once: it is never made a second time */
    bool is_receipted; /* a receipt for the revoke that is in force was written */
    int64_t reached;   /* goal that was verified; -1: none; not kept on the disk */
    uint16_t port;     /* of its engine; 0: none yet */
    char last_lock[96]; /* which lock of its process the last receipt was for; "" */
    struct wish_serials done;
    struct anchor anchor; /* of the keyrings that were opened here, and of the wishes */
};

/* anchor_write(a): as it stands in these documents and in reports. */
json_t *anchor_write(const struct anchor *a);

ks_rc deed_read(const json_t *object, struct deed *ret) KS_MUST;
json_t *deed_write(const struct deed *d);

/* wish_check: a check of keys that a node is asked to make. */
struct wish_check {
    char id[ID_BYTES], organisation[ID_BYTES], cluster[ID_BYTES], region[NAME_BYTES];
    size_t key_count;
    struct key_spec keys[REGION_KEYS_MAX];
};
ks_rc wish_check_read(const json_t *object, struct wish_check *ret) KS_MUST;
