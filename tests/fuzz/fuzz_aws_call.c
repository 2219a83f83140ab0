/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the name of an operation, a new line and a body, as a client of the embedded KMS may send them, are
 * refused with a text in AWS's words or accepted; what is accepted has every parameter within its bounds.
 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "localkms/aws_call.h"

enum { NAME_BYTES = 64, BODY_BYTES_MAX = 1 << 16, DEPTH_MAX = 16 };

static void demand_bounds(const struct aws_param *p, const json_t *value)
{
    if (!value || json_is_null(value)) {
        fuzz_demand(!p->is_required);
        return;
    }
    if (p->type == AWS_INTEGER)
        fuzz_demand(json_integer_value(value) >= p->min && json_integer_value(value) <= p->max);
    if (p->type == AWS_TEXT && !p->choices)
        fuzz_demand((int64_t)json_string_length(value) >= p->min &&
                    (int64_t)json_string_length(value) <= p->max);
    if (p->type == AWS_LIST)
        fuzz_demand((int64_t)json_array_size(value) <= p->max);
}

static void check(const struct aws_op *op, const json_t *params)
{
    CLEANUP(mem_freep) char *message = NULL;
    enum aws_fault fault = aws_check(op, params, &message);

    fuzz_demand(fault == AWS_FAULT_NONE || fault == AWS_VALIDATION || fault == AWS_SERIALIZATION);
    fuzz_demand((fault == AWS_FAULT_NONE) == (message == NULL));
    for (size_t i = 0; fault == AWS_FAULT_NONE && i < AWS_PARAMS_MAX && op->params[i].name; i++)
        demand_bounds(&op->params[i], json_object_get(params, op->params[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_decrefp) json_t *params = NULL;
    const uint8_t *line_end = memchr(data, '\n', size < NAME_BYTES ? size : NAME_BYTES);
    char name[NAME_BYTES + 1] = "";

    if (!line_end)
        return 0;
    memcpy(name, data, (size_t)(line_end - data));
    const struct aws_op *op = aws_op_find(name);
    struct view body = view_of(line_end + 1, size - (size_t)(line_end + 1 - data));
    ks_rc rc = json_read(body, (struct json_limits){BODY_BYTES_MAX, DEPTH_MAX}, "body", &params);
    if (op && ks_ok(rc) && json_is_object(params))
        check(op, params);
    return 0;
}
