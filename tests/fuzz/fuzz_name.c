/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no text of a backing directory (names_open) is taken for a name that the volume did not write, and none
 * does harm. Target functions: names_open.
 */
#include "fuzz.h"

#include <string.h>

#include "base/secret.h"
#include "io/crash.h"
#include "volume/names.h"

enum { TEXT_BYTES = 5000 };

static struct names *make(void)
{
    static const uint8_t key[64] = "a name key";
    struct io_node *dir;
    struct names *names;
    struct io *io;

    fuzz_demand(ks_ok(secret_init()) && ks_ok(crash_new(&io)));
    fuzz_demand(ks_ok(io->ops->open_root(io, "/", &dir)));
    fuzz_demand(ks_ok(names_new(view_of(key, sizeof key), io, dir, &names)));
    return names;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct names *names;
    char text[TEXT_BYTES];

    if (!names)
        names = make();
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    for (enum name_kind kind = NAME_ENTRY; kind <= NAME_ATTRIBUTE; kind++) {
        struct buf plain = buf_init(TEXT_BYTES);
        fuzz_demand(!ks_ok(names_open(names, kind, text, &plain)) && plain.len == 0);
        buf_done(&plain);
    }
    return 0;
}
