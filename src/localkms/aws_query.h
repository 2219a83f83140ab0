/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_query.h - the wire of IAM (2010-05-08) and STS (2011-06-15): forms in, XML out.
 */
#pragma once

#include "localkms/iam.h"

enum { AWS_OPERATION_BYTES = 96 };

/* aws_query_operation(x, ret): "sts:AssumeRole", "iam:CreateRole"; false with "" when x is no request of this wire. */
bool aws_query_operation(const struct http_exchange *x, char ret[AWS_OPERATION_BYTES]);
/* aws_query_answer(iam, x, now_s): authenticates, authorises, does it and answers. Any thread. */
void aws_query_answer(struct iam *iam, struct http_exchange *x, int64_t now_s);
/* aws_query_fail(x, status, code, message): an error in the shape of this wire, for faults made on purpose. */
void aws_query_fail(struct http_exchange *x, int status, const char *code, const char *message);
