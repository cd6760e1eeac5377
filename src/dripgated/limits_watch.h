/**
 * limits_watch: sees that the file of limits has changed.
 *
 * It looks at the file when inotify reports something in its folder, and every
 * two seconds: so it sees a file that was written, replaced by another one, or
 * reached over a symbolic link that was, and a folder that was not there.
 * It looks on a thread of its own, since a file system may hang.
 */
#ifndef DRIPGATED_LIMITS_WATCH_H
#define DRIPGATED_LIMITS_WATCH_H

#include "base/attr.h"
#include "config/config.h"
#include "net/loop.h"

#include <stdbool.h>

struct limits_watch;

typedef void limits_watch_changed(void *arg);

/** Watch the file of limits that ${config} names, now and after a reload.  The
 * config is borrowed; its stamp is that of the limits in force.  ${changed} is
 * called once for each change, when the file has stayed as it is for a tenth of
 * a second.  NULL with errno. */
struct limits_watch *limits_watch_new(struct loop *loop,
    const struct config *config, limits_watch_changed *changed,
    void *arg) MUST_USE;

/** The file was read when its stamp was this: that is no change any more.
 * NULL: no-op. */
void limits_watch_note(
    struct limits_watch *watch, const struct file_stamp *stamp);

/** Free it; NULL: no-op.  Return false if it still looks: then it stays. */
bool limits_watch_free(struct limits_watch *watch);

#endif
