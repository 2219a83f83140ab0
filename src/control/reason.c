/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/reason.c - what people are told about why a region, a key or an operation is as it is.
 *
 * Every text says what is wrong, on which volume and node, with which key, in the key service's own words, and what to do. Nodes
 * end what they say about a refused key with what mends it.
 */
#include <string.h>

#include "control/message.h"
#include "control/scene.h"

struct place {
    const struct cluster_volume *volume;
    const struct node *node;
    const struct region_key *key;
    const struct volume_key *wrap;
    char seen[NAME_BYTES];
};

static struct place place_of(const struct scene *s, struct rec_why why)
{
    static const struct cluster_volume no_volume;
    static const struct node no_node;
    struct place p = {.volume = &no_volume, .node = &no_node, .key = &s->keys[why.key]};

    p.wrap = &s->volume_keys[0];
    if (why.volume < s->volume_count) {
        p.volume = &s->volumes[why.volume];
        p.node = &s->nodes[why.volume];
        p.wrap = &s->volume_keys[(size_t)why.volume * REC_KEYS_MAX + why.key];
        node_seen_text(s->w->c, p.node, p.seen);
    }
    return p;
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text[0] ? text : otherwise;
}

static void put_working(const struct place *p, char *out)
{
    const char *said = p->volume->message[0] ? p->volume->message
                       : p->volume->reported ? "it is being brought there"
                                             : "it has not been reported yet";

    message_put(out, MESSAGE_BYTES, "waiting for volume %u on node %s (%s): %s", p->volume->ordinal,
                p->node->name, p->seen, said);
}

static void put_silent(const struct place *p, bool is_timed_out, char *out)
{
    const char *said = or_else(p->volume->message, "no answer");

    if (p->volume->access == ACCESS_GRACE)
        message_put(
            out, MESSAGE_BYTES,
            "volume %u on node %s is open in its grace: the key service cannot be reached: %s",
            p->volume->ordinal, p->node->name, said);
    else
        message_put(
            out, MESSAGE_BYTES,
            "volume %u on node %s is locked because the key service cannot be reached%s: %s; it "
            "opens by itself when the service answers",
            p->volume->ordinal, p->node->name, is_timed_out ? " since 10 minutes" : "", said);
}

static void put_key(const struct place *p, struct rec_why why, char *out)
{
    const char *said = or_else(p->wrap->message, or_else(p->wrap->error_code, "no reason given"));

    if (why.reason == REC_WHY_KEY_REFUSED)
        message_put(out, MESSAGE_BYTES, "key %.300s cannot be used on node %s: %s",
                    p->key->spec.uri, p->node->name, said);
    else if (why.is_timed_out)
        message_put(
            out, MESSAGE_BYTES,
            "key %.300s: node %s got no use of it for 10 minutes: %s; mend that and ask again",
            p->key->spec.uri, p->node->name, said);
    else
        message_put(out, MESSAGE_BYTES, "key %.300s: node %s tries again: %s", p->key->spec.uri,
                    p->node->name, said);
}

static const char *fixed_text(enum rec_reason reason)
{
    static const char *const texts[] = {
        [REC_WHY_KEEP] = "",
        [REC_WHY_NOTHING] = "",
        [REC_WHY_REVOKED] = "revoked by a call of the API; RESTORE gives the data back",
        [REC_WHY_OVERTAKEN] =
            "ended by a later REVOKE or RESTORE; keys that it was changing go on after a RESTORE",
        [REC_WHY_REMOVED] = "the region is being removed",
        [REC_WHY_CANCELLED] = "cancelled; the keys before it are in force",
        [REC_WHY_WAITS_RESTORE] = "waits for a restore: the region is revoked",
    };

    return (size_t)reason < sizeof texts / sizeof texts[0] ? texts[reason] : NULL;
}

static void put_about_volume(const struct scene *s, struct rec_why why, char *out)
{
    struct place p = place_of(s, why);
    const struct cluster_volume *v = p.volume;

    switch (why.reason) {
    case REC_WHY_WORKING:
        put_working(&p, out);
        return;
    case REC_WHY_AWAY:
        message_put(out, MESSAGE_BYTES,
                    "node %s with volume %u is away (%s); it is waited for: start it again, or "
                    "take it out of "
                    "the region by making the region smaller",
                    p.node->name, v->ordinal, p.seen);
        return;
    case REC_WHY_KEY_REFUSED:
    case REC_WHY_KEY_SILENT:
    case REC_WHY_KEY_ERROR:
        put_key(&p, why, out);
        return;
    case REC_WHY_DENIED:
        message_put(out, MESSAGE_BYTES,
                    "volume %u on node %s is locked because the key service refuses: %s; it opens "
                    "by itself when "
                    "the key may be used again",
                    v->ordinal, p.node->name, or_else(v->message, "no reason given"));
        return;
    case REC_WHY_SILENT:
        put_silent(&p, why.is_timed_out, out);
        return;
    case REC_WHY_BROKEN:
        message_put(out, MESSAGE_BYTES, "volume %u on node %s cannot be opened: %s", v->ordinal,
                    p.node->name, or_else(v->message, "no reason given"));
        return;
    case REC_WHY_LEVEL:
        message_put(out, MESSAGE_BYTES, "volume %u on node %s cannot rotate (%s): %s", v->ordinal,
                    p.node->name, v->failed_level, or_else(v->failed_message, v->failed_code));
        return;
    case REC_WHY_NO_RECEIPT:
        message_put(out, MESSAGE_BYTES,
                    "revoked by a call of the API; volume %u on node %s is locked as the node "
                    "says, its signed "
                    "receipt has not come",
                    v->ordinal, p.node->name);
        return;
    case REC_WHY_STILL_OPEN:
        message_put(out, MESSAGE_BYTES,
                    "volume %u on node %s is reported open though it was revoked: end the node's "
                    "process there",
                    v->ordinal, p.node->name);
        return;
    case REC_WHY_KEEP:
    case REC_WHY_NOTHING:
    case REC_WHY_REVOKED:
    case REC_WHY_OVERTAKEN:
    case REC_WHY_REMOVED:
    case REC_WHY_CANCELLED:
    case REC_WHY_WAITS_RESTORE:
        break;
    }
    out[0] = 0;
}

void reason_put(const struct scene *s, struct rec_why why, char out[MESSAGE_BYTES])
{
    const char *fixed = fixed_text(why.reason);

    if (fixed)
        message_copy(out, MESSAGE_BYTES, fixed);
    else
        put_about_volume(s, why, out);
}

void reason_error(const struct scene *s, struct rec_why why, char error_class[WORD_BYTES],
                  char error_code[WORD_BYTES])
{
    struct place p = place_of(s, why);
    const char *cls = "", *code = "";

    if (why.reason == REC_WHY_KEY_REFUSED || why.reason == REC_WHY_KEY_SILENT ||
        why.reason == REC_WHY_KEY_ERROR) {
        cls = p.wrap->error_class;
        code = p.wrap->error_code;
    } else if (why.reason == REC_WHY_LEVEL) {
        cls = p.volume->failed_class;
        code = p.volume->failed_code;
    } else if (why.reason == REC_WHY_DENIED) {
        cls = code = "DENIED";
    } else if (why.reason == REC_WHY_SILENT) {
        cls = code = "UNREACHABLE";
    } else if (why.reason == REC_WHY_BROKEN) {
        bool is_rolled_back = p.volume->cause == CAUSE_ROLLED_BACK;
        cls = is_rolled_back ? "CORRUPT" : "IO";
        code = is_rolled_back ? "ROLLED_BACK" : "IO";
    }
    message_copy(error_class, WORD_BYTES, cls);
    message_copy(error_code, WORD_BYTES, code);
}
