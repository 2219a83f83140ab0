/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_sts_reply.c - what AWS STS answers, read with expat.
 *
 * The table of fields says what is taken; everything else is passed over. Document type declarations, and with them
 * entities, stop the parser.
 */
#include "kms/aws_sts_reply.h"

#include <expat.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 8, NAME_BYTES = 48 };

#define FIELD(member)                                                                              \
    offsetof(struct aws_sts_reply, member), sizeof((struct aws_sts_reply *)0)->member

static const struct field {
    const char *parent, *name; /* parent NULL: any */
    size_t at, room;
    bool may_be_cut;
} fields[] = {
    {"AccessKey", "AccessKeyId", FIELD(access_key), false}, /* of IAM */
    {"AccessKey", "SecretAccessKey", FIELD(secret_key), false},
    {"Credentials", "AccessKeyId", FIELD(access_key), false},
    {"Credentials", "SecretAccessKey", FIELD(secret_key), false},
    {"Credentials", "SessionToken", FIELD(token), false},
    {"Credentials", "Expiration", FIELD(expiration), false},
    {"Error", "Code", FIELD(error_type), false},
    {"Error", "Message", FIELD(error_message), true},
    {NULL, "RequestId", FIELD(request_id), false},
};

struct reader {
    XML_Parser parser;
    struct aws_sts_reply *out;
    char names[DEPTH_MAX + 1][NAME_BYTES]; /* of the open elements; [0] stays empty */
    int depth;
    const struct field *field; /* the one that is being read */
    size_t len;
    bool is_wrong;
};

static void stop(struct reader *r)
{
    r->is_wrong = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static const struct field *find(const char *parent, const char *name)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, name) == 0 &&
            (!fields[i].parent || strcmp(fields[i].parent, parent) == 0))
            return &fields[i];
    return NULL;
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = arg;

    (void)attributes;
    if (r->depth == DEPTH_MAX || r->field || strlen(name) >= NAME_BYTES) {
        stop(r);
        return;
    }
    r->field = find(r->names[r->depth], name);
    r->len = 0;
    r->depth++;
    memcpy(r->names[r->depth], name, strlen(name) + 1);
    if (r->field && ((char *)r->out)[r->field->at])
        stop(r);
}

static void on_end(void *arg, const XML_Char *name)
{
    struct reader *r = arg;

    (void)name;
    r->depth--;
    r->field = NULL;
}

static void on_text(void *arg, const XML_Char *text, int text_len)
{
    struct reader *r = arg;
    size_t len = (size_t)text_len;

    if (!r->field)
        return;
    size_t left = r->field->room - 1 - r->len; /* the terminator is there from the begin */
    if (len > left && !r->field->may_be_cut) {
        stop(r);
        return;
    }
    len = len < left ? len : left;
    memcpy((char *)r->out + r->field->at + r->len, text, len);
    r->len += len;
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public_id, int has_internal)
{
    (void)name, (void)system, (void)public_id, (void)has_internal;
    stop(arg);
}

static void parser_freep(XML_Parser *p)
{
    if (*p)
        XML_ParserFree(*p);
}

static ks_rc parse(struct view text, struct reader *r)
{
    ENSURE(text.len <= AWS_STS_REPLY_BYTES_MAX, KS_E_BAD_REPLY, "the reply of STS is too long");
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    bool is_xml =
        XML_Parse(r->parser, (const char *)text.bytes, (int)text.len, XML_TRUE) == XML_STATUS_OK;
    ENSURE(is_xml && !r->is_wrong, KS_E_BAD_REPLY,
           "the reply of STS cannot be understood (line %lu)",
           (unsigned long)XML_GetCurrentLineNumber(r->parser));
    return KS_SUCCESS;
}

ks_rc aws_sts_reply_parse(struct view text, struct aws_sts_reply *ret)
{
    static const XML_Memory_Handling_Suite memory = {mem_wiped_new, mem_wiped_grow, mem_wiped_free};
    CLEANUP(parser_freep) XML_Parser parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    struct reader r = {.parser = parser, .out = ret};

    ENSURE(parser, KS_E_NO_MEMORY, "no memory to read a reply");
    mem_wipe(ret, sizeof *ret);
    ks_rc rc = parse(text, &r);
    if (!ks_ok(rc))
        mem_wipe(ret, sizeof *ret);
    return rc;
}
