/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text given as a template of an engine is refused as USAGE or LIMIT, or gives one of which every text can be filled in.
 */
#include "fuzz.h"

#include "node/engine_int.h"

static void fill(const char *text)
{
    static const struct engine_values values = {{{"home", "h"},
                                                 {"conf", "c"},
                                                 {"address", "a"},
                                                 {"host", "h"},
                                                 {"probe_host", "p"},
                                                 {"client_host", "n"},
                                                 {"port", "1"},
                                                 {"cluster", "c"},
                                                 {"password", "p"},
                                                 {"password_sha256", "s"}},
                                                10};
    CLEANUP(buf_done) struct buf out = buf_init(2 * ENGINE_TEXT_MAX);

    if (text)
        fuzz_demand(ks_ok(engine_text_expand(text, &values, &out)));
}

static void fill_step(const struct engine_step *s)
{
    for (size_t i = 0; i < s->arg_count; i++)
        fill(s->args[i]);
    fill(s->input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct engine_template *t = NULL;

    ks_rc rc = engine_template_parse("db", view_of(data, size), &t);
    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT);
        return 0;
    }
    for (size_t i = 0; i < t->initialise.count; i++)
        fill_step(&t->initialise.steps[i]);
    for (size_t i = 0; i < t->prepare.count; i++)
        fill_step(&t->prepare.steps[i]);
    for (size_t i = 0; i < t->file_count; i++)
        fill(t->files[i].text);
    fill_step(&t->start);
    fill_step(&t->ready);
    fill(t->connection);
    engine_template_free(t);
    return 0;
}
