/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/offline.c - a volume that nobody mounts.
 */
#include "cli/offline.h"

#include <string.h>

void offline_freep(struct volume **v)
{
    volume_free(*v);
}

ks_rc offline_volume(struct target *t, struct volume **ret)
{
    CLEANUP(offline_freep) struct volume *v = NULL;
    struct volume_conf conf = {
        .io = io_posix(),
        .clock = clock_system(),
        .random = random_system(),
        .tree = backing_tree(t->backing),
        .long_names = backing_long(t->backing),
        .block_payload = t->keyring->block_payload,
    };

    memcpy(conf.volume_id, t->keyring->volume_id, sizeof conf.volume_id);
    TRY(volume_new(&conf, &v));
    TRY(volume_set_keys(v, &t->keys));
    volume_set_door(v, VOLUME_OPEN);
    *ret = TAKE(v);
    return KS_SUCCESS;
}
