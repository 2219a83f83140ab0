/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/answers.c - scripts one answer, makes the attempt, compares.
 */
#include "answers.h"

#include "check.h"

enum { CALL_MS = 20000, HANG_MS = 100, LONG_BYTES = 2 << 20, ANSWER_MAX = LONG_BYTES + (1 << 20) };

static bool is_hang(enum answer_fault fault)
{
    return fault == ANSWER_HANG || fault == ANSWER_HANG_HALF;
}

static void add_body(const struct answer *a, size_t extra, struct buf *text)
{
    const char *body = a->body ? a->body : "";
    uint8_t *blanks;

    check_ok(buf_printf(text, "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s",
                        a->status ? a->status : 200, a->headers ? a->headers : "",
                        strlen(body) + extra, body));
    if (a->fault != ANSWER_LONG)
        return;
    check_ok(buf_extend(text, extra, &blanks));
    memset(blanks, ' ', extra);
}

/* The bytes of an answer; what follows them. */
static enum wire_end build(const struct answer *a, struct buf *text)
{
    switch (a->fault) {
    case ANSWER_WHOLE:
        add_body(a, 0, text);
        return WIRE_KEEP;
    case ANSWER_HALF:
        add_body(a, 10, text);
        return WIRE_CLOSE;
    case ANSWER_LONG:
        add_body(a, LONG_BYTES, text);
        return WIRE_CLOSE;
    case ANSWER_RAW:
        check_ok(buf_printf(text, "%s", a->body));
        return WIRE_CLOSE;
    case ANSWER_NOTHING:
        return WIRE_CLOSE;
    case ANSWER_RESET:
        return WIRE_RESET;
    case ANSWER_HANG:
        return WIRE_HANG;
    case ANSWER_HANG_HALF:
        add_body(a, 10, text);
        return WIRE_HANG;
    }
    return WIRE_CLOSE;
}

static void push(struct wire_server *server, const struct answer *a)
{
    CLEANUP(buf_done) struct buf text = buf_init(ANSWER_MAX);
    struct wire_reply reply = {.is_repeating = true};

    reply.end = build(a, &text);
    reply.bytes = buf_view(&text);
    wire_server_push(server, &reply);
}

static void check_note(const struct answer *a, const struct kms_note *note)
{
    if (a->request_id && strcmp(note->request_id, a->request_id) != 0)
        fail_msg("%s: wanted request id \"%s\", got \"%s\"", a->name, a->request_id,
                 note->request_id);
    if (note->retry_after_ms != a->retry_after_ms)
        fail_msg("%s: wanted %u ms to wait, got %u", a->name, a->retry_after_ms,
                 note->retry_after_ms);
}

static void check_answer(const struct answers *s, const struct answer *a)
{
    struct clock *clock = clock_system();
    struct kms_note note = {{0}, 0};
    uint32_t ms = is_hang(a->fault) ? HANG_MS : CALL_MS;

    wire_server_release(s->server);
    wire_server_forget(s->server);
    if (s->before)
        s->before(s->arg, s->server);
    push(s->server, a);
    struct kms_call call = {clock_boot_ms(clock) + ms, clock, &note};
    ks_rc rc = s->attempt(s->arg, &call);
    if (!ks_is(rc, a->code))
        fail_msg("%s: wanted %s, got %s: %s", a->name, ks_name((ks_rc){1, (uint16_t)a->code}),
                 ks_name(rc), ks_ok(rc) ? "" : ks_text(rc));
    if (a->text)
        check_text(rc, a->text);
    check_note(a, &note);
}

void answers_check(const struct answers *a, const struct answer *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_answer(a, &table[i]);
    wire_server_release(a->server);
}
