/*
 * Job: writes the buckets to a file, in one pass.
 * Invariant: the file of the name is always whole: a new one takes its place
 * when all of it is on disk. Heart: bucket_file_save() and
 * bucket_file_write_stripe().
 */
#include "store/bucket_file.h"

#include "limit/key.h"
#include "store/bucket_file_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of FNV, on words instead of bytes. */
#define PRIME UINT64_C(0x100000001b3)

struct bucket_file_writer {
	int fd;
	uint64_t check;
	struct memory *memory;
	int64_t now_us;
	struct memory_slot *slots; /* room for a stripe */
	uint64_t buckets;
	bool has_share[SHARES_COUNT]; /* a bucket of it was written */
};

uint64_t
bucket_file_check(uint64_t check, const void *bytes, size_t len)
{
	const char *at = bytes;
	uint64_t word;

	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		check = (check ^ word) * PRIME;
		check ^= check >> 29;
	}
	return check;
}

uint64_t
bucket_file_algorithms(void)
{
	uint64_t check = BUCKET_FILE_CHECK_START;

	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		char name[64] = "";

		snprintf(name, sizeof(name), "%s", algorithm_at(i)->name);
		check = bucket_file_check(check, name, sizeof(name));
	}
	return check;
}

/* Return 0, or -1 with errno. */
static int
bucket_file_write(
    struct bucket_file_writer *writer, const void *bytes, size_t len)
{
	const char *at = bytes;

	writer->check = bucket_file_check(writer->check, bytes, len);
	while (len > 0) {
		ssize_t written = write(writer->fd, at, len);

		if (written == -1 && errno != EINTR)
			return -1;
		if (written > 0) {
			at += written;
			len -= (size_t)written;
		}
	}
	return 0;
}

/* Copy a stripe's buckets that count.  Return how many. */
static uint64_t
bucket_file_copy_stripe(
    struct bucket_file_writer *writer, const struct stripe *stripe)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < writer->memory->stripe_slots; i++) {
		const struct memory_slot *slot = &stripe->slots[i];

		if (memory_is_free(slot) ||
		    memory_algorithm_of(slot)->has_log || /* it is elsewhere */
		    memory_is_drained(
			writer->memory, stripe, slot, writer->now_us))
			continue;
		writer->has_share[(slot->hi & SHARE_MASK) >> ID_BITS] = true;
		writer->slots[count++] = *slot;
	}
	return count;
}

/* Copy under the lock; write without. */
static int
bucket_file_write_stripe(
    struct bucket_file_writer *writer, struct stripe *stripe)
{
	uint64_t count;

	pthread_mutex_lock(&stripe->lock);
	count = bucket_file_copy_stripe(writer, stripe);
	pthread_mutex_unlock(&stripe->lock);
	writer->buckets += count;
	if (bucket_file_write(writer, &count, sizeof(count)) == -1)
		return -1;
	return bucket_file_write(
	    writer, writer->slots, count * sizeof(*writer->slots));
}

/* Those of the buckets that were written.  Return how many there are, or -1
 * with errno. */
static int64_t
bucket_file_write_shares(struct bucket_file_writer *writer)
{
	struct shares *shares = writer->memory->shares;
	int64_t count = 0;

	for (unsigned i = 0; i < SHARES_COUNT; i++) {
		const struct bucket_file_share share = {i,
		    atomic_load_explicit(
			&shares->tags[i], memory_order_relaxed),
		    atomic_load_explicit(
			&shares->memory_us[i], memory_order_relaxed)};

		if (!writer->has_share[i])
			continue;
		if (bucket_file_write(writer, &share, sizeof(share)) == -1)
			return -1;
		count++;
	}
	return count;
}

static int
bucket_file_write_body(
    struct bucket_file_writer *writer, struct bucket_file_head *head)
{
	int64_t shares;

	for (uint32_t i = 0; i < writer->memory->stripes; i++)
		if (bucket_file_write_stripe(
			writer, &writer->memory->stripe[i]) == -1)
			return -1;
	shares = bucket_file_write_shares(writer);
	if (shares == -1)
		return -1;
	head->shares = (uint64_t)shares;
	head->buckets = writer->buckets;
	return bucket_file_write(writer, &(uint64_t){writer->check}, 8);
}

/* The head comes last, so that a file that was not written whole has none. */
static int
bucket_file_write_file(
    struct bucket_file_writer *writer, struct bucket_file_head *head)
{
	static const struct bucket_file_head none;

	if (bucket_file_write(writer, &none, sizeof(none)) == -1)
		return -1;
	writer->check = BUCKET_FILE_CHECK_START;
	if (bucket_file_write_body(writer, head) == -1)
		return -1;
	head->check = bucket_file_check(BUCKET_FILE_CHECK_START, head,
	    offsetof(struct bucket_file_head, check));
	if (pwrite(writer->fd, head, sizeof(*head), 0) != sizeof(*head))
		return -1;
	return fsync(writer->fd);
}

static struct bucket_file_head
bucket_file_make_head(
    const struct memory *memory, int64_t now_us, int64_t shift_us)
{
	const struct siphash_seed seed = key_seed();
	struct bucket_file_head head = {
	    .order = BUCKET_FILE_ORDER,
	    .version = BUCKET_FILE_VERSION,
	    .algorithms = bucket_file_algorithms(),
	    .stripes = memory->stripes,
	    .now_us = now_us,
	    .wall_us = now_us + shift_us,
	};

	memcpy(head.magic, BUCKET_FILE_MAGIC, sizeof(head.magic));
	memcpy(head.seed, &seed, sizeof(head.seed));
	return head;
}

/* A renamed file is safe from a crash only after its folder is synced. */
static int
bucket_file_put_in_place(int dir)
{
	if (renameat(dir, BUCKET_FILE_NEW_NAME, dir, BUCKET_FILE_NAME) == -1)
		return -1;
	return fsync(dir);
}

static int
bucket_file_save_in(
    int dir, struct bucket_file_writer *writer, struct bucket_file_head *head)
{
	int result, error;

	unlinkat(dir, BUCKET_FILE_NEW_NAME, 0);
	writer->fd = openat(dir, BUCKET_FILE_NEW_NAME,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writer->fd == -1)
		return -1;
	result = bucket_file_write_file(writer, head);
	error = errno;
	if (close(writer->fd) == -1 && result == 0) {
		result = -1;
		error = errno;
	}
	if (result == 0)
		return bucket_file_put_in_place(dir);
	unlinkat(dir, BUCKET_FILE_NEW_NAME, 0);
	errno = error;
	return -1;
}

int
bucket_file_save(struct memory *memory, const char *dir, int64_t now_us,
    int64_t shift_us, struct bucket_file_count *count)
{
	struct bucket_file_head head =
	    bucket_file_make_head(memory, now_us, shift_us);
	struct bucket_file_writer writer = {.memory = memory, .now_us = now_us};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = -1, error;

	*count = (struct bucket_file_count){0};
	if (fd == -1)
		return -1;
	writer.slots = calloc(memory->stripe_slots, sizeof(*writer.slots));
	if (writer.slots)
		result = bucket_file_save_in(fd, &writer, &head);
	error = errno;
	free(writer.slots);
	close(fd);
	count->buckets = writer.buckets;
	errno = error;
	return result;
}
