/**
 * rules_text_internal: the state of reading limits, for rules_text.c, which has
 * what all texts share and reads files, and rules_lines.c, which reads lines.
 */
#ifndef LIMIT_RULES_TEXT_INTERNAL_H
#define LIMIT_RULES_TEXT_INTERNAL_H

#include "base/ini.h"
#include "limit/index.h"
#include "limit/rules_text.h"

/* The state of reading, from a file or from lines. */
struct rules_reading {
	const char *name;        /* of the file or key */
	struct reasons *reasons; /* all that is wrong so far */
	struct rules *rules;
	struct hash_index names; /* of the limits so far */
	struct reasons doubts;   /* what may be a mistake in them */

	struct limit *open;     /* the last of ${rules}, which takes words */
	struct route *route;    /* or this one does */
	bool is_open_unclear;   /* which words it takes is not known */
	struct ini_place begin; /* where it begins */
	struct ini_place place; /* of the line that is read */
};

/** Begin to read the text of that name. */
void rules_text_start(
    struct rules_reading *reading, const char *name, struct reasons *reasons);

/** Add a reason to ${reasons}: it is about the text at ${place}, of a limit of
 * that name, or of none. */
void rules_text_say(struct reasons *reasons,
    const struct rules_reading *reading, const struct ini_place *place,
    const char *limit, const char *reason);

/** It is wrong: the text gives no set. */
void rules_text_blame(struct rules_reading *reading,
    const struct ini_place *place, const char *limit, const char *reason);

/** A limit or a route begins; it has a word; it has no more. */
void rules_text_begin_limit(struct rules_reading *reading, const char *name);
void rules_text_set_word(
    struct rules_reading *reading, const char *word, const char *value);
void rules_text_finish_limit(struct rules_reading *reading);

/** Return the set if nothing is wrong with it, or NULL. */
struct rules *rules_text_end(struct rules_reading *reading);

#endif
