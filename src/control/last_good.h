/**
 * last_good: saves the limits that are in force to a file, for a start without
 * their server.
 *
 * The file is DIR/limits, a limit a line.  It is replaced as a whole: a reader
 * finds the old limits or the new ones, even if this process dies meanwhile.
 * Limits that could not be saved are held until they are.
 */
#ifndef CONTROL_LAST_GOOD_H
#define CONTROL_LAST_GOOD_H

#include "base/attr.h"
#include "limit/rules_text.h"

#include <stdbool.h>
#include <stddef.h>

struct last_good;

/** Save to the folder ${dir}, which is borrowed.  NULL: out of memory. */
struct last_good *last_good_new(const char *dir) MUST_USE;

/** Free it; NULL: no-op.  What was not saved is lost. */
void last_good_free(struct last_good *last_good);

/** Hold a copy of ${count} lines, to be saved by last_good_flush(), unless the
 * lines of this ${digest} are saved. */
void last_good_set(struct last_good *last_good, const char *digest,
    const struct rules_line *lines, size_t count);

/** Save the lines that are held, if any, and release them: they are on disk
 * when it returns.  If that fails, the log says so once, the file is as it was,
 * and the next call tries again.  Return whether nothing is held any more. */
bool last_good_flush(struct last_good *last_good);

/** Load the limits saved in ${dir}.  Return them with one reference, or NULL
 * with ${reasons} set. */
struct rules *last_good_load(const char *dir, struct reasons *reasons) MUST_USE;

#endif
