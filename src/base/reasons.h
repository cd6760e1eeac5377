/**
 * reasons: what is wrong with a text, or may be a mistake in it, one line each,
 * for people.
 */
#ifndef BASE_REASONS_H
#define BASE_REASONS_H

#include "base/attr.h"

#include <stddef.h>

/** Number of reasons kept; further ones are only counted. */
#define REASONS_MAX 20

/** Room for one, with its NUL. */
#define REASON_SIZE 400

struct reasons {
	size_t count; /* 0: nothing is wrong */
	char lines[REASONS_MAX][REASON_SIZE];
};

/** Forget all. */
void reasons_clear(struct reasons *reasons);

/** Add one.  It is cut at REASON_SIZE, and what is not printable ASCII is
 * escaped. */
void reasons_add(struct reasons *reasons, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** Replace all by this one. */
void reasons_set(struct reasons *reasons, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** How many are kept. */
size_t reasons_kept(const struct reasons *reasons);

/** The first one, or "". */
const char *reasons_first(const struct reasons *reasons);

/** Write all of it in one line: the first, and how many more there are. */
void reasons_summarize(const struct reasons *reasons, char *to, size_t size);

/** Log each as an error, and then "WHAT: 3 errors; FOLLOWS"; a single one as
 * "WHAT: reason; FOLLOWS". */
void reasons_log(
    const struct reasons *reasons, const char *what, const char *follows);

/** Log them as warnings, each in a line. */
void reasons_log_warnings(const struct reasons *reasons);

/** Call ${show} for each one kept, and for "and 3 more" if there are more. */
typedef void reasons_show(const char *line, void *arg);
void reasons_each(const struct reasons *reasons, reasons_show *show, void *arg);

#endif
