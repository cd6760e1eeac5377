/*
 * Job: reads the file of buckets that bucket_file.c writes, of which nothing is
 * believed.
 * Invariant: no bucket is in the table before the whole file was found to be as
 * it was written. Heart: bucket_file_read_bytes().
 */
#include "store/bucket_file.h"

#include "limit/key.h"
#include "store/bucket_file_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_SHARE UINT16_MAX

_Static_assert(SHARES_COUNT < NO_SHARE, "another number than those of shares");

struct bucket_file {
	void *bytes;
	size_t len;
};

/* A file that is being read. */
struct bucket_file_reading {
	const char *at, *end;
	struct bucket_file_head head;
	struct memory *memory;
	int64_t now_us;
	int64_t move_us;  /* to be added to the times of buckets */
	int64_t clock_us; /* what the clock of calendars showed then */
	bool is_set_back; /* the wall clock shows less than then */
	struct bucket_file_count *count;
	uint16_t shares[SHARES_COUNT]; /* where those of the file are now */
};

static int
bucket_file_refuse(char reason[BUCKET_FILE_REASON_MAX], const char *text)
{
	snprintf(reason, BUCKET_FILE_REASON_MAX, "%s", text);
	return -1;
}

/* Why a head cannot be used; NULL: it can. */
static const char *
bucket_file_fault_of(const struct bucket_file_head *head)
{
	if (memcmp(head->magic, BUCKET_FILE_MAGIC, sizeof(head->magic)) != 0)
		return "it is no file of buckets, or was not written whole";
	if (head->order != BUCKET_FILE_ORDER)
		return "a machine of another architecture wrote it";
	if (head->version != BUCKET_FILE_VERSION)
		return "another version of dripgate wrote it";
	if (head->check != bucket_file_check(BUCKET_FILE_CHECK_START, head,
			       offsetof(struct bucket_file_head, check)))
		return "it is torn: its head is not as it was written";
	if (head->algorithms != bucket_file_algorithms())
		return "a dripgate with other algorithms wrote it";
	return NULL;
}

/* How long a file with this head is; 0: no file is. */
static uint64_t
bucket_file_len_of(const struct bucket_file_head *head)
{
	if (head->shares > SHARES_COUNT || head->stripes == 0 ||
	    head->stripes > 1 << 16 ||
	    (head->stripes & (head->stripes - 1)) != 0 ||
	    head->buckets > LIMIT_BUCKETS_MAX)
		return 0;
	return sizeof(*head) + head->shares * sizeof(struct bucket_file_share) +
	       head->stripes * sizeof(uint64_t) +
	       head->buckets * sizeof(struct memory_slot) + sizeof(uint64_t);
}

static const char *
bucket_file_fault_of_bytes(
    const char *bytes, size_t len, struct bucket_file_head *head)
{
	const char *fault;
	uint64_t check;

	if (len < sizeof(*head))
		return "it is no file of buckets, or was not written whole";
	memcpy(head, bytes, sizeof(*head));
	fault = bucket_file_fault_of(head);
	if (fault)
		return fault;
	if (bucket_file_len_of(head) != len)
		return "it is torn: it does not have all that it should";
	memcpy(&check, bytes + len - sizeof(check), sizeof(check));
	if (check != bucket_file_check(BUCKET_FILE_CHECK_START,
			 bytes + sizeof(*head),
			 len - sizeof(*head) - sizeof(check)))
		return "it is torn: it is not as it was written";
	return NULL;
}

/* Copy the next ${len} bytes.  False: there are not as many. */
static bool
bucket_file_next(struct bucket_file_reading *reading, void *to, size_t len)
{
	if ((size_t)(reading->end - reading->at) < len)
		return false;
	memcpy(to, reading->at, len);
	reading->at += len;
	return true;
}

/* They are at the end. */
static bool
bucket_file_read_shares(struct bucket_file_reading *reading)
{
	const size_t len =
	    reading->head.shares * sizeof(struct bucket_file_share);
	const char *at = reading->end - len;
	struct bucket_file_share share;

	memset(reading->shares, 0xff, sizeof(reading->shares));
	for (; at < reading->end; at += sizeof(share)) {
		memcpy(&share, at, sizeof(share));
		if (share.share >= SHARES_COUNT || (share.tag & 1) == 0 ||
		    share.memory_us < 0 || share.memory_us > BUCKET_NUMBER_MAX)
			return false;
		reading->shares[share.share] =
		    (uint16_t)shares_find(reading->memory->shares,
			(struct hash128){.lo = share.tag, .hi = 0});
		shares_remember(reading->memory->shares,
		    reading->shares[share.share], share.memory_us);
	}
	reading->end -= len;
	return true;
}

/* The time has gone on since then: have the bucket follow. */
static void
bucket_file_move(const struct bucket_file_reading *reading,
    const struct algorithm *algorithm, struct bucket *bucket)
{
	if (!algorithm->is_calendar)
		algorithm->move(bucket, reading->move_us);
	else if (reading->is_set_back)
		algorithm->follow_clock(
		    bucket, reading->clock_us, reading->now_us);
}

/* Put a bucket in its stripe, whose lock is held.  False: it is none. */
static bool
bucket_file_put(struct bucket_file_reading *reading, struct stripe *stripe,
    const struct memory_slot *slot)
{
	struct memory *memory = reading->memory;
	unsigned place = slot->hi & ALGORITHM_MASK;
	unsigned share = (unsigned)((slot->hi & SHARE_MASK) >> ID_BITS);
	const struct algorithm *algorithm;
	struct bucket bucket;
	uint64_t hi;

	if (place == 0 || place > ALGORITHM_COUNT ||
	    reading->shares[share] == NO_SHARE)
		return false;
	algorithm = algorithm_at(place - 1);
	if (algorithm->has_log)
		return false; /* the file has no logs */
	bucket = memory_unpack(slot);
	bucket_file_move(reading, algorithm, &bucket);
	hi = (slot->hi & ID_MASK) | (uint64_t)reading->shares[share] << ID_BITS;
	if (memory_is_over(algorithm, &bucket,
		atomic_load_explicit(
		    &memory->shares->memory_us[reading->shares[share]],
		    memory_order_relaxed),
		reading->now_us))
		reading->count->drained++;
	else if (memory_restore(
		     memory, stripe, memory_pack(slot->lo, hi, &bucket)))
		reading->count->buckets++;
	else
		reading->count->homeless++;
	return true;
}

static bool
bucket_file_read_stripe(
    struct bucket_file_reading *reading, struct stripe *stripe)
{
	struct memory_slot slot;
	uint64_t count;

	if (!bucket_file_next(reading, &count, sizeof(count)))
		return false;
	for (; count > 0; count--)
		if (!bucket_file_next(reading, &slot, sizeof(slot)) ||
		    !bucket_file_put(reading, stripe, &slot))
			return false;
	return true;
}

/* No client is served yet, but workers sweep. */
static bool
bucket_file_read_stripes(struct bucket_file_reading *reading)
{
	struct memory *memory = reading->memory;
	bool is_fine = true;

	for (uint64_t i = 0; i < reading->head.stripes && is_fine; i++) {
		struct stripe *stripe =
		    &memory->stripe[i & (memory->stripes - 1)];

		pthread_mutex_lock(&stripe->lock);
		is_fine = bucket_file_read_stripe(reading, stripe);
		pthread_mutex_unlock(&stripe->lock);
	}
	return is_fine && reading->at == reading->end;
}

/* A time that no clock shows is one of a file that was made up. */
static bool
bucket_file_set_times(struct bucket_file_reading *reading)
{
	const struct bucket_file_head *head = &reading->head;
	int64_t passed_us;

	if (head->now_us < 0 || head->now_us > BUCKET_NUMBER_MAX ||
	    head->wall_us < 0 || head->wall_us > BUCKET_NUMBER_MAX)
		return false;
	passed_us = reading->now_us - head->wall_us;
	reading->is_set_back = passed_us < 0;
	if (passed_us < 0)
		passed_us = 0;
	reading->move_us = reading->now_us - passed_us - head->now_us;
	reading->clock_us = head->wall_us;
	return true;
}

int
bucket_file_read_bytes(const void *bytes, size_t len, struct memory *memory,
    int64_t now_us, struct bucket_file_count *count,
    char reason[BUCKET_FILE_REASON_MAX])
{
	struct bucket_file_reading reading = {
	    .memory = memory, .now_us = now_us, .count = count};
	const char *fault =
	    bucket_file_fault_of_bytes(bytes, len, &reading.head);

	*count = (struct bucket_file_count){0};
	if (fault)
		return bucket_file_refuse(reason, fault);
	if (reading.head.stripes < memory->stripes)
		return bucket_file_refuse(reason,
		    "max_buckets was so small that too little is known "
		    "of each key");
	reading.at = (const char *)bytes + sizeof(reading.head);
	reading.end = (const char *)bytes + len - sizeof(uint64_t);
	if (bucket_file_set_times(&reading) &&
	    bucket_file_read_shares(&reading) &&
	    bucket_file_read_stripes(&reading))
		return 0;
	memory_clear(memory);
	*count = (struct bucket_file_count){0};
	return bucket_file_refuse(
	    reason, "it has what dripgate does not write");
}

/*
 * The file.
 */

/* Open it, if it is this user's. */
static int
bucket_file_open(int dir, struct stat *st, char reason[BUCKET_FILE_REASON_MAX])
{
	int fd = openat(dir, BUCKET_FILE_NAME,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd == -1) {
		if (errno != ENOENT)
			bucket_file_refuse(reason, strerror(errno));
		return -1;
	}
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    st->st_uid == geteuid() && (st->st_mode & 022) == 0)
		return fd;
	close(fd);
	return bucket_file_refuse(
	    reason, "it is not a file of this user alone");
}

static struct bucket_file *
bucket_file_map(int fd, const struct stat *st)
{
	struct bucket_file *bucket_file = calloc(1, sizeof(*bucket_file));

	if (!bucket_file)
		return NULL;
	bucket_file->len = (size_t)st->st_size;
	if (bucket_file->len == 0)
		return bucket_file;
	bucket_file->bytes = mmap(NULL, bucket_file->len, PROT_READ,
	    MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (bucket_file->bytes != MAP_FAILED)
		return bucket_file;
	free(bucket_file);
	return NULL;
}

/* Give this process the seed, if the head is one. */
static bool
bucket_file_take_seed(
    const struct bucket_file *bucket_file, char reason[BUCKET_FILE_REASON_MAX])
{
	const char *fault =
	    "it is no file of buckets, or was not written whole";
	struct bucket_file_head head;
	struct siphash_seed seed;

	if (bucket_file->len >= sizeof(head)) {
		memcpy(&head, bucket_file->bytes, sizeof(head));
		fault = bucket_file_fault_of(&head);
	}
	if (!fault) {
		memcpy(&seed, head.seed, sizeof(seed));
		if (key_set_seed(&seed))
			return true;
		fault = "keys were hashed before it was read";
	}
	bucket_file_refuse(reason, fault);
	return false;
}

static struct bucket_file *
bucket_file_take_from(int dir, char reason[BUCKET_FILE_REASON_MAX])
{
	struct bucket_file *bucket_file;
	struct stat st;
	int fd = bucket_file_open(dir, &st, reason);

	if (fd == -1)
		return NULL;
	bucket_file = bucket_file_map(fd, &st);
	if (!bucket_file)
		bucket_file_refuse(reason, strerror(errno));
	close(fd);
	if (bucket_file && bucket_file_take_seed(bucket_file, reason))
		return bucket_file;
	bucket_file_free(bucket_file);
	return NULL;
}

struct bucket_file *
bucket_file_take(const char *dir, char reason[BUCKET_FILE_REASON_MAX])
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bucket_file *bucket_file;

	reason[0] = '\0';
	if (fd == -1) {
		bucket_file_refuse(reason, strerror(errno));
		return NULL;
	}
	bucket_file = bucket_file_take_from(fd, reason);
	close(fd);
	return bucket_file;
}

int
bucket_file_read(struct bucket_file *bucket_file, struct memory *memory,
    int64_t now_us, struct bucket_file_count *count,
    char reason[BUCKET_FILE_REASON_MAX])
{
	return bucket_file_read_bytes(bucket_file->bytes, bucket_file->len,
	    memory, now_us, count, reason);
}

void
bucket_file_forget(const char *dir)
{
	char path[BUCKET_FILE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/" BUCKET_FILE_NAME, dir);
	unlink(path);
}

void
bucket_file_free(struct bucket_file *bucket_file)
{
	if (!bucket_file)
		return;
	if (bucket_file->len > 0)
		munmap(bucket_file->bytes, bucket_file->len);
	free(bucket_file);
}
