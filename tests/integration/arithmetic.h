/**
 * arithmetic: what the parts of the arithmetic test share.  See arithmetic.c.
 */
#ifndef TESTS_ARITHMETIC_H
#define TESTS_ARITHMETIC_H

#include "base/attr.h"
#include "limit/algorithm.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define START   INT64_C(1700000000000000)
#define LARGEST BUCKET_NUMBER_MAX

#define BATCH_MAX 64
#define ARGS_MAX  512

#define TEXT_MAX 64 /* of a bucket, with its NUL */

/** Print why, and exit. */
_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2);

static inline bool
is_window(const struct limit *limit)
{
	return limit->algorithm == &algorithm_fixed_window;
}

/* arithmetic_random.c: the same for the same seed. */

void random_start(uint64_t seed);

/** 0..${n}-1 */
int64_t pick_below(int64_t n);

/** 1..${max}, any order of magnitude being as likely as any other. */
int64_t random_scale(int64_t max);

struct limit random_limit(const struct algorithm *algorithm);

/** Another version of the limit, as a reload brings it. */
void random_change(struct limit *limit);

int64_t random_amount(const struct limit *limit);

/** What to ask with ${amount}, which may become its absolute value; of a wait,
 * for how long. */
enum op random_op(const struct limit *limit, int64_t *amount, int64_t *wait_us);

/** What ${op} puts behind an amount in the words of the scripts. */
static inline const char *
op_suffix(const struct limit *limit, enum op op, int64_t wait_us, char text[32])
{
	text[0] = '\0';
	if (op == OP_CHARGE)
		snprintf(text, 32, "!%" PRId64, limit->capacity + limit->debt);
	else if (op == OP_WAIT)
		snprintf(text, 32, "+%" PRId64, wait_us);
	else if (op == OP_TAKE)
		strcpy(text, "~");
	return text;
}

/** A time after ${now_us}, or an hour away: clocks are set by people. */
int64_t random_time(int64_t now_us, const struct limit *limit);

/** What the daemon takes for the time of the server, which is ${now_us}: of
 * windows of the calendar, up to one away. */
int64_t random_about(const struct limit *limit, int64_t now_us);

/* arithmetic_redis.c: commands and replies. */

/** A command being put together; zeroed, and zeroed again once sent. */
struct args {
	int n;
	const char *argv[ARGS_MAX];
	size_t len[ARGS_MAX];
	size_t used;
	char text[65536];
};

void redis_open(const char *path);
void redis_close(void);

void args_add(struct args *args, const char *format, ...) PRINTF_LIKE(2, 3);
void args_add_bytes(struct args *args, const char *bytes, size_t len);

/** Add the start of a call of the script over ${hashes} hashes. */
void args_add_script(
    struct args *args, const struct algorithm *algorithm, unsigned hashes);

/** The same, of the script of plans. */
void args_add_plan(struct args *args, unsigned keys);

/** Add the parameters of the limit, at about ${now_us}. */
void args_add_parameters(
    struct args *args, const struct limit *limit, int64_t now_us);

/** Add what the script is to know of one hash at about ${now_us}: its limit,
 * how many buckets, and the operations on each, or "" if they differ. */
void args_add_limit(struct args *args, const struct limit *limit,
    int64_t now_us, unsigned buckets, const char *ops);

/** Add the end of a call of a script: the time. */
void args_add_time(struct args *args, int64_t now_us);

/** Send the command; its reply will be received in turn. */
void redis_send(struct args *args);

/** The next reply, which is no error, and of ${type}; the caller frees it. */
redisReply *redis_receive(int type);
redisReply *redis_receive_any(void);

/** Remove the hash ${name}. */
void redis_forget(const char *name);

/** Have field k${key} of the hash hold ${text}. */
void redis_put(const char *name, unsigned key, const char *text);

/* arithmetic_texts.c */

/** The bucket in ${text}, "" for none: by other means than the daemon's, so
 * that a mistake there shows. */
struct bucket text_bucket(const struct limit *limit, const char *text);

/** Write a bucket of about ${now_us} as earlier versions wrote it. */
void text_earlier(const struct limit *limit, int64_t now_us, char *text);

/** Compare what C and the scripts take for a bucket. */
void compare_texts(const struct algorithm *algorithm, unsigned count);

/** Whether the buckets are the same to a decision at ${now_us} or later. */
bool same_meaning(const struct limit *limit, const struct bucket *a,
    const struct bucket *b, int64_t now_us);

/* arithmetic_plans.c */

/** Compare what plans make of buckets, for about ${count} decisions. */
void compare_plans(uint64_t count);

/* arithmetic_leases.c */

/** Compare what C and the scripts make of logs, for about ${count} decisions.
 */
void compare_leases(uint64_t count);

/* arithmetic_versions.c */

/** Have daemons with different versions of a limit take turns, ${count} times;
 * compare what C and the scripts decide, and what was admitted with the bound
 * of the loosest version. */
void compare_versions(uint64_t count);

#endif
