/**
 * history_text: what the history of the limits has of a set, as lua/load.lua
 * writes it.  Pure.
 */
#ifndef CLI_HISTORY_TEXT_H
#define CLI_HISTORY_TEXT_H

#include "base/attr.h"
#include "limit/rules_text.h"

#include <stddef.h>
#include <stdint.h>

#define HISTORY_DIGEST_LEN 40

/** About a set.  The texts are borrowed, and have no NUL behind them. */
struct history_about {
	int64_t time;  /* when it was loaded, in seconds since 1970; 0:
			  something else than dripgate put it in the key */
	int64_t count; /* of its members */
	char digest[HISTORY_DIGEST_LEN + 1];
	const char *author, *message;
	size_t author_len, message_len;
};

/** Read "TIME COUNT DIGEST\nAUTHOR\nMESSAGE".  Return 0, or -1 if that is no
 * such text. */
int history_text_read_about(
    struct history_about *about, const char *bytes, size_t len) MUST_USE;

/** Read the members of a set, "LENGTH:MEMBER" each, which are borrowed; the
 * caller frees the list, ${lines}.  Return 0, or -1 with nothing to free and
 * errno: EINVAL (no such text) or ENOMEM. */
int history_text_read_set(const char *bytes, size_t len,
    struct rules_line **lines, size_t *count) MUST_USE;

#endif
