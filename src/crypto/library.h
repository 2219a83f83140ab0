/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/library.h - which crypto library this process runs with.
 */
#pragma once

/* crypto_library_version(): of the library as loaded, e.g. "3.0.17"; static storage. */
const char *crypto_library_version(void);
