/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_query.h - the wire of IAM (2010-05-08) and STS (2011-06-15): forms in, XML out.
 */
#pragma once

#include "localkms/server.h"

extern const struct lk_wire aws_query_wire;
