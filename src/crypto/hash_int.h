/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/hash_int.h - the part of crypto/hash.c that its test needs beside the public one.
 */
#pragma once

#include "crypto/hash.h"

/* hash_crc32c_portable(data): as hash_crc32c, for processors without the instruction. */
uint32_t hash_crc32c_portable(struct view data);
