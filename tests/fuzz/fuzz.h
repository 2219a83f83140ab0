/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz/fuzz.h - what every fuzz target starts with.
 *
 * A target feeds bytes from outside to one parser. Beyond "does not crash" it demands what must hold
 * of any input: what was accepted writes back to the same bytes, what was refused has the right class.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fuzz_demand(holds): ends the run with this input as the culprit. Stays in every kind of build. */
#define fuzz_demand(holds)                                                                         \
    do {                                                                                           \
        if (!(holds))                                                                              \
            __builtin_trap();                                                                      \
    } while (0)
