/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/message.h - texts for people in members of the model: bounded, and never cut within a character.
 */
#pragma once

#include "base/rc.h"
#include "control/model.h"

/* message_put(out, room, fmt, ...): formats into out; what does not fit is cut at the end of a UTF-8 character. Arguments must not
 * overlap out. Gives whether out was another text before. */
bool message_put(char *out, size_t room, const char *fmt, ...) KS_PRINTF(3, 4);
/* message_copy(out, room, text): the same for one text; text may be NULL. */
bool message_copy(char *out, size_t room, const char *text);
