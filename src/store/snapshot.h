/**
 * snapshot: the buckets in memory as a file, for the next process.
 *
 * The file is DIR/buckets, replaced as a whole.  It has the seed of the
 * process, under which its keys were hashed, so the next process must take that
 * over before it hashes any.  Whoever reads it can aim keys at one place of a
 * table: it is the owner's alone.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/attr.h"
#include "store/memory.h"

#include <stddef.h>
#include <stdint.h>

/** What was saved, or read. */
struct snapshot_count {
	uint64_t buckets;
	uint64_t drained;  /* READ: not taken, since they are empty by now */
	uint64_t homeless; /* READ: not taken, since there is no room */
};

/** Save what counts at ${now_us}, when the wall clock is ${shift_us} ahead of
 * that. It is on disk when this returns.  Return 0; or -1 with errno, and there
 * is no file, or the one before.  Other threads may use ${memory} meanwhile. */
int snapshot_save(struct memory *memory, const char *dir, int64_t now_us,
    int64_t shift_us, struct snapshot_count *count) MUST_USE;

#define SNAPSHOT_REASON_MAX 200

/** A file that was found, and not looked into but for its head. */
struct snapshot;

/** Open the file in ${dir}, and give this process its seed, before any key is
 * hashed.  Return it; NULL with ${reason}:
 * why it cannot be used; or, with "", there is none. */
struct snapshot *snapshot_take(
    const char *dir, char reason[SNAPSHOT_REASON_MAX]) MUST_USE;

/** Put its buckets in ${memory}, which has none yet and no other thread uses,
 * at
 * ${now_us}, by a wall clock that shows the same.  Return 0; or -1 with
 * ${reason} set, and ${memory} has none. */
int snapshot_read(struct snapshot *snapshot, struct memory *memory,
    int64_t now_us, struct snapshot_count *count,
    char reason[SNAPSHOT_REASON_MAX]) MUST_USE;

/** Free it; NULL: no-op.  The file stays. */
void snapshot_free(struct snapshot *snapshot);

/** Remove the file from ${dir}: the buckets change from now on, and a crash
 * must not bring back what was forgotten since. */
void snapshot_forget(const char *dir);

/** The same of ${len} bytes, aligned as for uint64_t, as the file has them. */
int snapshot_read_bytes(const void *bytes, size_t len, struct memory *memory,
    int64_t now_us, struct snapshot_count *count,
    char reason[SNAPSHOT_REASON_MAX]) MUST_USE;

#endif
