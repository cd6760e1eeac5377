/**
 * keeper: keeps the buckets in memory over a restart: it reads them at the
 * start, and saves them when the daemon ends, and, if the settings say so, in
 * between.
 *
 * A thread of its own waits for the disk.  NULL is one that keeps nothing.
 */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include "base/attr.h"
#include "net/loop.h"
#include "store/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct keeper;

/** Look for what the process before left, if there is a
 * folder for them, ${dir}, borrowed; "": there is none.  Before any key is
 * hashed: limits have some.  ${every_us}: from one save to the next; 0: only at
 * the end. NULL: out of memory. */
struct keeper *keeper_new(const char *dir, int64_t every_us) MUST_USE;

/** Put it in ${memory}, which outlives the keeper's work, and which no client
 * uses yet, and save buckets on ${loop} from now on.  Return 0, or -1 with
 * errno. */
int keeper_start(
    struct keeper *keeper, struct loop *loop, struct memory *memory) MUST_USE;

/** Clients are served from now on. */
void keeper_serve(struct keeper *keeper);

/** The daemon ends, and nothing changes the buckets any more: save them.  Call
 * it until it returns true: they are saved, or cannot be. */
bool keeper_finish(struct keeper *keeper) MUST_USE;

/** Free it; NULL: no-op.  Return false if the disk hangs: a thread goes on, and
 * uses the memory and the settings. */
bool keeper_free(struct keeper *keeper);

#endif
