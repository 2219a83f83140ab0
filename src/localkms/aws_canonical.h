/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_canonical.h - the canonical request of Signature Version 4, from the request as it was received.
 */
#pragma once

#include "base/buf.h"
#include "localkms/aws_sigv4.h"

/*
 * canonical_write(request, claim, ret): appends it. Dot segments and empty ones leave the path, which is encoded once more;
 * parameters of the query are decoded, encoded anew and sorted, X-Amz-Signature left out; signed headers in the order of
 * the claim, several of one name joined by commas, white space folded. LIMIT, NO_MEMORY; DENIED when a signed header is
 * not there or the list of them is not sorted.
 */
ks_rc canonical_write(const struct sigv4_request *request, const struct sigv4_claim *claim,
                      struct buf *ret) KS_MUST;
/* canonical_decode(text, ret): appends text with percent-encoding undone and '+' as a blank; USAGE for a '%' without two
 * digits, or a NUL. */
ks_rc canonical_decode(struct view text, struct buf *ret) KS_MUST;
