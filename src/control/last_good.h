/**
 * last_good: saves the limits that are in force, and the overrides, to files,
 * for a start without their server.
 *
 * The files are DIR/limits, a limit a line, and DIR/overrides
 * (control/saved_overrides.h), if there are any.  Each is replaced as a whole:
 * a reader finds the old limits or the new ones, even if this process dies
 * meanwhile.  What could not be saved is held until it is.
 */
#ifndef CONTROL_LAST_GOOD_H
#define CONTROL_LAST_GOOD_H

#include "base/attr.h"
#include "limit/override.h"
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

/** The same of the overrides, and ${mark}, which tells them from others. */
void last_good_set_overrides(struct last_good *last_good, const char *mark,
    const struct override_line *lines, size_t count);

/** Save what is held, if any, and release it: it is on disk when it
 * returns.  If that fails, the log says so once, the file is as it was, and the
 * next call tries again.  Return whether nothing is held any more. */
bool last_good_flush(struct last_good *last_good);

/** Load the limits saved in ${dir}.  Return them with one reference, or NULL
 * with ${reasons} set. */
struct rules *last_good_load(const char *dir, struct reasons *reasons) MUST_USE;

/** Put the overrides saved in ${dir} in front of ${rules}, those that have not
 * ended by the clock of this machine; takes the reference, and returns one.
 * What is wrong with them is added to ${reasons}. */
struct rules *last_good_override(
    const char *dir, struct rules *rules, struct reasons *reasons) MUST_USE;

#endif
