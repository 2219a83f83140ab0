/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/version.h - which build this is.
 */
#pragma once

/* The newest tag and what came after it; made at build time from version.c.in, so that a commit recompiles one file. */
extern const char keystead_version[];
