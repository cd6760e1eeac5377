/**
 * bucket_file: the buckets in memory as a file, for the next process.
 *
 * The file is DIR/buckets, replaced as a whole.  It has the seed of the
 * process, under which its keys were hashed, so the next process must take that
 * over before it hashes any.  Someone who knows the seed can make up keys that
 * all have one place in the table, so only the owner may read the file.
 */
#ifndef STORE_BUCKET_FILE_H
#define STORE_BUCKET_FILE_H

#include "base/attr.h"
#include "store/memory.h"

#include <stddef.h>
#include <stdint.h>

/** What was saved, or read. */
struct bucket_file_count {
	uint64_t buckets;
	uint64_t drained;  /* READ: not taken, since they are empty by now */
	uint64_t homeless; /* READ: not taken, since there is no room */
};

/** Save what counts at ${now_us}, when the wall clock is ${shift_us} ahead of
 * that. It is on disk when this returns.  Return 0; or -1 with errno, and there
 * is no file, or the one before.  Other threads may use ${memory} meanwhile. */
int bucket_file_save(struct memory *memory, const char *dir, int64_t now_us,
    int64_t shift_us, struct bucket_file_count *count) MUST_USE;

#define BUCKET_FILE_REASON_MAX 200

/** A file that was found, and not looked into but for its head. */
struct bucket_file;

/** Open the file in ${dir}, and give this process its seed, before any key is
 * hashed.  Return it; NULL with ${reason}:
 * why it cannot be used; or, with "", there is none. */
struct bucket_file *bucket_file_take(
    const char *dir, char reason[BUCKET_FILE_REASON_MAX]) MUST_USE;

/** Put its buckets in ${memory}, which has none yet and no other thread uses,
 * at
 * ${now_us}, by a wall clock that shows the same.  Return 0; or -1 with
 * ${reason} set, and ${memory} has none. */
int bucket_file_read(struct bucket_file *bucket_file, struct memory *memory,
    int64_t now_us, struct bucket_file_count *count,
    char reason[BUCKET_FILE_REASON_MAX]) MUST_USE;

/** Free it; NULL: no-op.  The file stays. */
void bucket_file_free(struct bucket_file *bucket_file);

/** Remove the file from ${dir}: the buckets change from now on, and a crash
 * must not bring back what was forgotten since. */
void bucket_file_forget(const char *dir);

/** The same of ${len} bytes, aligned as for uint64_t, as the file has them. */
int bucket_file_read_bytes(const void *bytes, size_t len, struct memory *memory,
    int64_t now_us, struct bucket_file_count *count,
    char reason[BUCKET_FILE_REASON_MAX]) MUST_USE;

#endif
