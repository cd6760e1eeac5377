/**
 * batch: queries on their way to one script call, and back.
 *
 * Pure: no link, no clock.  Entries are buckets, each with its queries in the
 * order they came; the entries of one hash, which a limit has for each
 * partition, are together in the call.
 *
 * A batch is of one algorithm, or it is a plan (store/redis/plan.h): limits of
 * any algorithm, and queries that are decided together.
 */
#ifndef STORE_REDIS_BATCH_H
#define STORE_REDIS_BATCH_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/spares.h"
#include "redis/partition.h"
#include "redis/script_call.h"
#include "store/redis/key_secrets.h"
#include "store/store.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

/** Most buckets in one call: about half a millisecond of Redis's time. */
#define BATCH_ENTRIES 512

/** Most queries in one call; many may be about one bucket. */
#define BATCH_QUERIES 8192

/** Most bytes that a reply may have of buckets that have a log, as long as
 * their limits are what they are.  A bucket alone may have more. */
#define BATCH_LOGS_MAX 800000

/** Most ids in one call: the server looks each one up, and their memos are in
 * its reply. */
#define BATCH_IDS 256

#define BATCH_INDEX 1024 /* a power of two, at least 2 * BATCH_ENTRIES */

struct entry {
	const struct limit *limit;
	struct hash128 hash;        /* of the key */
	uint32_t key_at;            /* in ${keys} of the batch */
	uint16_t key_len;           /* of one name */
	uint16_t partition;         /* of the key */
	struct query *first, *last; /* chained by query->next; not in a plan */
};

/** The entries of one limit and partition, together in the call. */
struct group {
	const struct limit *limit;
	unsigned partition;
	unsigned first, count;    /* in ${order} */
	const struct query *same; /* equals all queries of the group, or NULL */
};

struct batch {
	struct batch *next;     /* in the list that it is in */
	TAILQ_ENTRY(batch) age; /* among all that are in use */
	void *owner;
	const struct rules *rules; /* the set of all its limits, except those
				      that came with requests */
	bool is_plan;              /* set by its owner, while empty */
	const struct algorithm *algorithm; /* of all its limits: one script;
					    * NULL: a plan */
	struct query *first, *last; /* steps of a plan, chained by ->next */
	struct script_call call;
	bool redirected; /* sent once more, to where its slot is */
	bool outside;    /* sent once more, for another time of the server */
	int64_t deadline_us;
	int64_t sent_us;
	int64_t decided_us; /* by the clock of Redis, once it replied */

	unsigned count;          /* entries */
	unsigned ids;            /* steps that have one */
	unsigned queries;        /* without a result */
	struct key_names *names; /* of fields, borrowed; NULL: the keys */
	unsigned names_version;
	unsigned olds;   /* older names of each field */
	struct buf keys; /* the fields, and the names of memos, each with its
			  * older names behind */
	struct buf ops;  /* on one bucket, as they are written */
	size_t logs_len; /* of the longest that the reply may have */
	char *logs;      /* room for them, once they are read; or NULL */
	size_t logs_size;
	struct entry entries[BATCH_ENTRIES];
	uint16_t order[BATCH_ENTRIES]; /* entries, in the order of the call */
	struct group groups[BATCH_ENTRIES];
	unsigned group_count;
	uint16_t index[BATCH_INDEX]; /* hash -> entry + 1, 0: none */
};

/** NULL: out of memory. */
struct batch *batch_new(void) MUST_USE;

/** Empty it, to be filled again. */
void batch_clear(struct batch *batch);

/** Free it; NULL: no-op.  It must hold no queries. */
void batch_free(struct batch *batch);

/** A spare one, or a new one.  NULL: out of memory. */
struct batch *batch_take(struct spares *spares) MUST_USE;

/** Empty it, and keep it to be taken again. */
void batch_put(struct spares *spares, struct batch *batch);

/** Free spare ones that were not needed since the last trim.  Return how many
 * bytes they had. */
size_t batch_trim(struct spares *spares);

/** Free all spare ones. */
void batch_clear_spares(struct spares *spares);

/** Whether ${query}, with its mates, may go into this batch: same rules, same
 * algorithm, room, and its bucket is not there under another limit.  Only a
 * plan takes mates, OP_GIVE_BACK, OP_LEAVE, and what has an id. */
bool batch_has_room(const struct batch *batch, const struct query *query);

/** Add a query, with its mates; there must be room.  Return 0, or -1 (out of
 * memory). */
int batch_add(struct batch *batch, struct query *query) MUST_USE;

/** What a call says of where it goes. */
struct batch_target {
	const char *prefix;                  /* of the hashes' names */
	const struct partitions *partitions; /* whose tags follow */
	int64_t now_us; /* about what the server's clock shows */
};

/** Write the call of the algorithm's script. */
void batch_write(struct batch *batch, const struct batch_target *target,
    struct command *command);

/** Bytes that the log of an entry's bucket needs, once it is read from its part
 * of a reply; 0: it has none. */
size_t batch_log_size(const struct entry *entry, const redisReply *text);

/** Have room for ${size} bytes of logs.  False: out of memory. */
bool batch_make_logs(struct batch *batch, size_t size) MUST_USE;

/** Read the bucket of an entry from its part of a reply; its log, if it has
 * one, is at ${log}, of batch_log_size() bytes.  False: the text is not a
 * bucket's. */
bool batch_read_bucket(const struct entry *entry, const redisReply *text,
    char *log, struct bucket *bucket) MUST_USE;

/** Give all queries their results from the script's reply, and call done for
 * each.  Queries get RESULT_UNAVAILABLE if the text of their bucket is not a
 * bucket's, and ${foreign} is set to one such text (or left alone).  Return the
 * number of such buckets, or -1 if the reply is not from the script (no query
 * gets a result). */
int batch_take_reply(struct batch *batch, const redisReply *reply,
    const char **foreign) MUST_USE;

/** Give ${query} and those behind it, of an entry or of a plan,
 * RESULT_UNAVAILABLE, and why. */
void batch_abandon_queries(struct query *query, enum unavailable why);

/** Give all queries RESULT_UNAVAILABLE, and why.  The batch stays, without
 * queries: if it was sent, its reply will be ignored. */
void batch_abandon(struct batch *batch, enum unavailable why);

#endif
