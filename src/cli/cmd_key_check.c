/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_key_check.c - keystead key check: which rights to a key are there, and what mends those that are not.
 */
#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/key_option.h"
#include "cli/output.h"
#include "fuse/keyring_json.h"
#include "kms/grants.h"
#include "kms/key_check.h"

enum { TEXT_MAX = 16384 };

/* One check with all that its report needs. */
struct work {
    struct key_spec spec;
    struct grants_values values;
    struct key_check check;
    struct buf hints;
};

static struct key_context context_of(struct cli *cli)
{
    struct key_context context = {0};

    if (args_has(cli, OPT_ORGANISATION)) {
        context.pairs[context.count].name = "organisation";
        context.pairs[context.count++].value = cli->texts[OPT_ORGANISATION];
    }
    context.pairs[context.count].name = "purpose";
    context.pairs[context.count++].value = "key-check";
    return context;
}

static ks_rc run_check(struct cli *cli, struct work *w)
{
    struct kms_conf conf = {.spec = &w->spec,
                            .passphrase = ask_passphrase,
                            .passphrase_arg = cli,
                            .clock = clock_system()};
    struct key_context context = context_of(cli);
    const struct kms_driver *driver;
    struct kms *kms;

    TRY(kms_driver_find(w->spec.type, &driver));
    TRY(driver->open(&conf, &kms));
    key_check_run(kms, conf.clock, &context, &w->check);
    driver->close(kms);
    return grants_hints(&w->values, environment_get, NULL, &w->hints);
}

/* What mends a right; "" when nothing is known. */
static ks_rc mend(struct work *w, const struct key_right_result *r, struct buf *ret)
{
    w->values.permission = r->name;
    return ks_ok(r->rc) ? KS_SUCCESS : grants_mend(&w->values, r->rc, ret);
}

/* --- for people --- */

/* The text with each of its lines indented. */
static void print_lines(const char *indent, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        CLEANUP(buf_done) struct buf line = buf_init(TEXT_MAX);
        if (ks_ok(buf_append(&line, view_of(text, len)))) {
            printf("%s", indent);
            output_text(stdout, buf_text(&line));
            putchar('\n');
        }
        text += len + (text[len] == '\n');
    }
}

static ks_rc print_right(struct work *w, const struct key_right_result *r)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);

    TRY(mend(w, r, &text));
    printf("  %-12s%s%s\n", key_right_name(r->right), r->name,
           r->is_required ? "" : " (not needed)");
    if (ks_ok(r->rc))
        return KS_SUCCESS;
    print_lines("    ", r->text);
    if (r->request_id[0])
        print_lines("    request ", r->request_id);
    printf("    without it: %s\n", r->why);
    if (text.len) {
        printf("    to mend it:\n");
        print_lines("      ", buf_text(&text));
    }
    return KS_SUCCESS;
}

static ks_rc print_report(struct work *w)
{
    printf("key %s:", w->spec.type);
    output_text(stdout, w->spec.uri);
    putchar('\n');
    for (size_t i = 0; i < w->check.count; i++)
        TRY(print_right(w, &w->check.results[i]));
    if (w->hints.len) {
        printf("  mind:\n");
        print_lines("    ", buf_text(&w->hints));
    }
    return KS_SUCCESS;
}

/* --- for programs --- */

static ks_rc add_right(struct work *w, const struct key_right_result *r, json_t *list)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);

    TRY(mend(w, r, &text));
    json_t *right =
        json_pack("{s:s, s:b, s:s, s:s, s:s, s:o, s:o, s:o}", "name", r->name, "required",
                  r->is_required, "right", key_right_name(r->right), "why", r->why, "code",
                  ks_name(r->rc), "message", json_text(r->text), "request_id",
                  json_text(r->request_id), "mend", json_text(buf_text(&text)));
    ENSURE(json_array_append_new(list, right) == 0, KS_E_NO_MEMORY, "no memory for the report");
    return KS_SUCCESS;
}

static json_t *hints_json(const char *text)
{
    json_t *list = json_array();

    while (*text) {
        size_t len = strcspn(text, "\n");
        json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == '\n');
    }
    return list;
}

static ks_rc write_json(struct work *w, bool is_ok)
{
    CLEANUP(json_decrefp) json_t *rights = json_array();

    ENSURE(rights, KS_E_NO_MEMORY, "no memory for the report");
    for (size_t i = 0; i < w->check.count; i++)
        TRY(add_right(w, &w->check.results[i], rights));
    return output_json(json_pack("{s:s, s:o, s:o, s:b, s:O, s:o}", "type", w->spec.type, "uri",
                                 json_text(w->spec.uri), "auth_principal",
                                 json_text(w->spec.auth_principal), "ok", is_ok, "rights", rights,
                                 "hints", hints_json(buf_text(&w->hints))));
}

static void work_done(struct work *w)
{
    buf_done(&w->hints);
}

ks_rc cmd_key_check(struct cli *cli)
{
    const struct cli_key key = {cli->args[0], cli->texts[OPT_KEY_FILE],
                                cli->texts[OPT_AUTH_PRINCIPAL]};
    CLEANUP(work_done) struct work w = {.hints = buf_init(TEXT_MAX)};

    TRY(key_option_spec(&key, &w.spec));
    w.values = (struct grants_values){.spec = &w.spec, .external_id = cli->texts[OPT_ORGANISATION]};
    TRY(run_check(cli, &w));
    bool is_ok = ks_ok(key_check_verdict(&w.check));
    TRY(cli->is_json ? write_json(&w, is_ok) : print_report(&w));
    return key_check_verdict(&w.check);
}
