/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/e2e/keydump.c - prints the keys of a volume, for tests that look for them in memory.
 *
 *     keydump BACKING_DIRECTORY [BACKING_FILE...]
 *
 * One line per key: what it is, and its bytes in hex. For each backing file the file keys under all
 * generations. Needs the key service, so it is run before the key is taken away; it changes nothing.
 * A test tool: never installed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/kdf.h"
#include "volume/backing.h"
#include "volume/block.h"

static const char file_key_info[] = "keystead file key v1";

static void must(ks_rc rc, const char *what)
{
    if (ks_ok(rc))
        return;
    fprintf(stderr, "keydump: %s: %s\n", what, ks_text(rc));
    exit(1);
}

static void print_key(const char *kind, const char *of, struct view key)
{
    printf("%s %s ", kind, of);
    for (size_t i = 0; i < key.len; i++)
        printf("%02x", key.bytes[i]);
    printf("\n");
}

static void read_header(const char *path, struct file_header *ret)
{
    uint8_t page[BLOCK_BYTES];
    enum page_kind kind = PAGE_ZERO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, page, sizeof page) != (ssize_t)sizeof page) {
        fprintf(stderr, "keydump: %s: no header page\n", path);
        exit(1);
    }
    close(fd);
    must(header_parse(page, view_of(NULL, 0), &kind, ret), path);
}

/* The derivation once more, on purpose not shared with the product: docs/FORMAT.md, "File keys". */
static void print_file_keys(const struct keyring *ring, const struct keyset *keys, const char *path)
{
    uint8_t info[sizeof file_key_info - 1 + BLOCK_ID_BYTES], key[DATA_KEY_BYTES];
    struct file_header header = {0};

    read_header(path, &header);
    memcpy(info, file_key_info, sizeof file_key_info - 1);
    memcpy(info + sizeof file_key_info - 1, header.file_id, BLOCK_ID_BYTES);
    for (size_t i = 0; i < ring->data_key_count; i++) {
        struct view data = keyset_data_key(keys, ring->data_keys[i].generation);
        if (!data.len)
            continue;
        must(kdf_derive(data, view_of(ring->volume_id, KEYRING_ID_BYTES),
                        view_of(info, sizeof info), key, sizeof key),
             path);
        print_key("file", strrchr(path, '/') + 1, view_of(key, sizeof key));
    }
}

static void print_keys(const struct keyring *ring, const struct keyset *keys)
{
    struct view name = keyset_name_key(keys);
    char number[16];

    print_key("store", "-", keyset_store_key(keys));
    /* the two halves have different uses and need not stay side by side */
    print_key("name", "1", view_of(name.bytes, name.len / 2));
    print_key("name", "2", view_of(name.bytes + name.len / 2, name.len / 2));
    for (size_t i = 0; i < ring->data_key_count; i++) {
        struct view data = keyset_data_key(keys, ring->data_keys[i].generation);
        snprintf(number, sizeof number, "%u", ring->data_keys[i].generation);
        if (data.len)
            print_key("data", number, data);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: keydump BACKING_DIRECTORY [BACKING_FILE...]\n");
        return 2;
    }
    struct backing_conf conf = {
        .io = io_posix(), .clock = clock_system(), .random = random_system(), .path = argv[1]};
    struct backing *backing = NULL;
    struct keyring *ring = NULL;
    struct keyset *keys = NULL;

    must(secret_init(), "libsodium");
    must(backing_open(&conf, false, &backing), argv[1]);
    must(backing_keyring(backing, &ring), argv[1]);
    must(backing_unlock(backing, &keys), argv[1]);
    print_keys(ring, keys);
    for (int i = 2; i < argc; i++)
        print_file_keys(ring, keys, argv[i]);
    keyset_free(keys);
    keyring_free(ring);
    backing_close(backing);
    return 0;
}
