/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_chain_process.c - credentials that another program prints.
 *
 * The command line is split into words with the quotes of a shell, as the AWS CLI does it, but no shell ever sees it: nothing
 * in it is replaced, and it cannot start a second program.
 */
#include <string.h>

#include "base/json.h"
#include "io/process.h"
#include "kms/aws_chain.h"

enum { WORDS_MAX = 64, OUTPUT_BYTES_MAX = 64 * 1024, DEPTH_MAX = 4 };

/* Words in one room, each with its terminator. */
struct words {
    char room[AWS_VALUE_BYTES];
    const char *argv[WORDS_MAX + 1];
    size_t used, count;
    uint8_t quote; /* the open one, or 0 */
    bool is_in_word;
};

static ks_rc put(struct words *w, uint8_t c)
{
    if (!w->is_in_word) {
        ENSURE(w->count < WORDS_MAX, KS_E_CREDENTIAL, "credential_process has too many words");
        w->argv[w->count++] = w->room + w->used;
        w->is_in_word = true;
    }
    ENSURE(w->used + 2 < sizeof w->room, KS_E_CREDENTIAL, "credential_process is too long");
    if (c)
        w->room[w->used++] = (char)c;
    return KS_SUCCESS;
}

static void end_word(struct words *w)
{
    if (w->is_in_word)
        w->room[w->used++] = '\0';
    w->is_in_word = false;
}

/* In double quotes a backslash is for the quote and itself only. */
static bool is_escape(const struct words *w, uint8_t c, uint8_t next)
{
    return c == '\\' && w->quote != '\'' && (!w->quote || next == '"' || next == '\\');
}

/* One character outside of escapes. */
static ks_rc take(struct words *w, uint8_t c)
{
    if (w->quote && c == w->quote) {
        w->quote = 0;
        return KS_SUCCESS;
    }
    if (!w->quote && (c == '"' || c == '\'')) {
        w->quote = c;
        return put(w, 0); /* a word, even an empty one */
    }
    if (!w->quote && (c == ' ' || c == '\t')) {
        end_word(w);
        return KS_SUCCESS;
    }
    return put(w, c);
}

static ks_rc split(struct view command, struct words *w)
{
    for (size_t i = 0; i < command.len; i++) {
        bool has_next = i + 1 < command.len;
        ENSURE(command.bytes[i], KS_E_CREDENTIAL, "credential_process holds a NUL byte");
        if (has_next && is_escape(w, command.bytes[i], command.bytes[i + 1]))
            TRY(put(w, command.bytes[++i]));
        else
            TRY(take(w, command.bytes[i]));
    }
    end_word(w);
    ENSURE(!w->quote, KS_E_CREDENTIAL, "credential_process has a quote that does not end");
    ENSURE(w->count > 0 && w->argv[0][0], KS_E_CREDENTIAL, "credential_process names no program");
    return KS_SUCCESS;
}

static ks_rc check_version(struct view output)
{
    CLEANUP(json_decrefp) json_t *object = NULL;
    struct json_limits limits = {OUTPUT_BYTES_MAX, DEPTH_MAX};
    int64_t version = 0;

    ks_rc rc = json_read(output, limits, "the output", &object);
    if (ks_ok(rc))
        rc = json_get_int(object, "Version", 1, 1, &version);
    ENSURE(ks_ok(rc) || rc.cls != KS_CLASS_USAGE, KS_E_CREDENTIAL,
           "credential_process printed no credentials of version 1: %s", ks_text(rc));
    return rc;
}

ks_rc aws_chain_process(const struct kms_call *call, struct view command,
                        struct aws_credentials **ret)
{
    CLEANUP(buf_done) struct buf output = buf_init_wiping(OUTPUT_BYTES_MAX);
    struct words words = {.used = 0};
    int status = 0;

    TRY(split(command, &words));
    ks_rc rc = process_run(words.argv, call->deadline_ms, call->clock, &output, &status);
    ENSURE(!ks_is(rc, KS_E_NOT_FOUND), KS_E_CREDENTIAL, "credential_process: %s", ks_text(rc));
    TRY(ks_wrap(rc, "credential_process"));
    ENSURE(status == 0, KS_E_CREDENTIAL,
           "credential_process: %.200s ended with exit status %d; run it by hand to see why",
           words.argv[0], status);
    TRY(check_version(buf_view(&output)));
    return aws_credentials_from_json(buf_view(&output), "SessionToken", ret);
}
