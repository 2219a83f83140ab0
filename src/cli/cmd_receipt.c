/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_receipt.c - keystead receipt verify.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/output.h"
#include "node/receipt.h"

enum { FILE_MAX = 65536, CHUNK = 4096 };

static ks_rc read_file(const char *path, struct buf *ret)
{
    uint8_t chunk[CHUNK];
    ssize_t n = 1;
    ks_rc rc = KS_SUCCESS;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return ks_fail_os(errno, "%s", path);
    while (ks_ok(rc) && (n = read(fd, chunk, sizeof chunk)) > 0)
        rc = buf_append(ret, view_of(chunk, (size_t)n));
    if (n < 0)
        rc = ks_fail_os(errno, "%s", path);
    close(fd);
    return ks_wrap(rc, "%s", path);
}

static void show(const struct receipt_claim *claim)
{
    static const struct {
        const char *name, *label;
    } fields[] = {{"volume", "volume"},      {"cluster", "cluster"}, {"region", "region"},
                  {"organisation", "of"},    {"reason", "reason"},   {"asked_at", "asked at"},
                  {"locked_at", "locked at"}};

    printf("the receipt holds\n");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *text = json_string_value(json_object_get(claim->text, fields[i].name));
        output_field(fields[i].label, "%s", text ? text : "");
    }
    output_field("took", "%lld ms",
                 (long long)json_integer_value(json_object_get(claim->text, "duration_ms")));
    output_field("files cut", "%lld",
                 (long long)json_integer_value(json_object_get(claim->text, "handles_cut")));
    output_field("node", "%s", claim->node);
}

ks_rc cmd_receipt_verify(struct cli *cli)
{
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX), authority = buf_init(FILE_MAX);
    CLEANUP(json_decrefp) json_t *receipt = NULL, *claimed = NULL;
    struct receipt_claim claim = {.text = NULL};

    TRY(read_file(cli->args[0], &text));
    TRY(read_file(cli->texts[OPT_RECEIPT_CA_FILE], &authority));
    ks_rc rc =
        json_read(buf_view(&text), (struct json_limits){FILE_MAX, 8}, cli->args[0], &receipt);
    ENSURE(ks_ok(rc), KS_E_FORMAT, "%s", ks_text(rc));
    TRY(ks_wrap(receipt_verify(receipt, buf_view(&authority), &claim), "%s", cli->args[0]));
    claimed = claim.text;
    if (cli->is_json)
        return output_json(json_pack("{s:O, s:s, s:s}", "receipt", claimed, "node", claim.node,
                                     "fingerprint", claim.fingerprint));
    show(&claim);
    return KS_SUCCESS;
}
