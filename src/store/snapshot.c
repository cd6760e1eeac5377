/*
 * Job: writes the buckets to a file, in one pass.
 * Invariant: the file of the name is always whole: a new one takes its place
 * when all of it is on disk. Heart: snapshot_save() and
 * snapshot_write_stripe().
 */
#include "store/snapshot.h"

#include "limit/key.h"
#include "store/snapshot_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of FNV, on words instead of bytes. */
#define PRIME UINT64_C(0x100000001b3)

struct snapshot_writer {
	int fd;
	uint64_t check;
	struct memory *memory;
	int64_t now_us;
	struct memory_slot *slots; /* room for a stripe */
	uint64_t buckets;
	bool has_share[SHARES_COUNT]; /* a bucket of it was written */
};

uint64_t
snapshot_check(uint64_t check, const void *bytes, size_t len)
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
snapshot_algorithms(void)
{
	uint64_t check = SNAPSHOT_CHECK_START;

	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		char name[64] = "";

		snprintf(name, sizeof(name), "%s", algorithm_at(i)->name);
		check = snapshot_check(check, name, sizeof(name));
	}
	return check;
}

/* Return 0, or -1 with errno. */
static int
snapshot_write(struct snapshot_writer *writer, const void *bytes, size_t len)
{
	const char *at = bytes;

	writer->check = snapshot_check(writer->check, bytes, len);
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
snapshot_copy_stripe(
    struct snapshot_writer *writer, const struct stripe *stripe)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < writer->memory->stripe_slots; i++) {
		const struct memory_slot *slot = &stripe->slots[i];

		if (memory_is_free(slot) ||
		    memory_is_drained(stripe, slot, writer->now_us))
			continue;
		writer->has_share[(slot->hi & SHARE_MASK) >> ID_BITS] = true;
		writer->slots[count++] = *slot;
	}
	return count;
}

/* Copy under the lock; write without. */
static int
snapshot_write_stripe(struct snapshot_writer *writer, struct stripe *stripe)
{
	uint64_t count;

	pthread_mutex_lock(&stripe->lock);
	count = snapshot_copy_stripe(writer, stripe);
	pthread_mutex_unlock(&stripe->lock);
	writer->buckets += count;
	if (snapshot_write(writer, &count, sizeof(count)) == -1)
		return -1;
	return snapshot_write(
	    writer, writer->slots, count * sizeof(*writer->slots));
}

/* Those of the buckets that were written.  Return how many there are, or -1
 * with errno. */
static int64_t
snapshot_write_shares(struct snapshot_writer *writer)
{
	struct shares *shares = writer->memory->shares;
	int64_t count = 0;

	for (unsigned i = 0; i < SHARES_COUNT; i++) {
		const struct snapshot_share share = {
		    i, atomic_load_explicit(
			   &shares->tags[i], memory_order_relaxed)};

		if (!writer->has_share[i])
			continue;
		if (snapshot_write(writer, &share, sizeof(share)) == -1)
			return -1;
		count++;
	}
	return count;
}

static int
snapshot_write_body(struct snapshot_writer *writer, struct snapshot_head *head)
{
	int64_t shares;

	for (uint32_t i = 0; i < writer->memory->stripes; i++)
		if (snapshot_write_stripe(writer, &writer->memory->stripe[i]) ==
		    -1)
			return -1;
	shares = snapshot_write_shares(writer);
	if (shares == -1)
		return -1;
	head->shares = (uint64_t)shares;
	head->buckets = writer->buckets;
	return snapshot_write(writer, &(uint64_t){writer->check}, 8);
}

/* The head comes last, so that a file that was not written whole has none. */
static int
snapshot_write_file(struct snapshot_writer *writer, struct snapshot_head *head)
{
	static const struct snapshot_head none;

	if (snapshot_write(writer, &none, sizeof(none)) == -1)
		return -1;
	writer->check = SNAPSHOT_CHECK_START;
	if (snapshot_write_body(writer, head) == -1)
		return -1;
	head->check = snapshot_check(
	    SNAPSHOT_CHECK_START, head, offsetof(struct snapshot_head, check));
	if (pwrite(writer->fd, head, sizeof(*head), 0) != sizeof(*head))
		return -1;
	return fsync(writer->fd);
}

static struct snapshot_head
snapshot_make_head(
    const struct memory *memory, int64_t now_us, int64_t shift_us)
{
	const struct siphash_seed seed = key_seed();
	struct snapshot_head head = {
	    .order = SNAPSHOT_ORDER,
	    .version = SNAPSHOT_VERSION,
	    .algorithms = snapshot_algorithms(),
	    .stripes = memory->stripes,
	    .now_us = now_us,
	    .wall_us = now_us + shift_us,
	};

	memcpy(head.magic, SNAPSHOT_MAGIC, sizeof(head.magic));
	memcpy(head.seed, &seed, sizeof(head.seed));
	return head;
}

/* A renamed file is safe from a crash only after its folder is synced. */
static int
snapshot_put_in_place(int dir)
{
	if (renameat(dir, SNAPSHOT_NEW_NAME, dir, SNAPSHOT_NAME) == -1)
		return -1;
	return fsync(dir);
}

static int
snapshot_save_in(
    int dir, struct snapshot_writer *writer, struct snapshot_head *head)
{
	int result, error;

	unlinkat(dir, SNAPSHOT_NEW_NAME, 0);
	writer->fd = openat(dir, SNAPSHOT_NEW_NAME,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writer->fd == -1)
		return -1;
	result = snapshot_write_file(writer, head);
	error = errno;
	if (close(writer->fd) == -1 && result == 0) {
		result = -1;
		error = errno;
	}
	if (result == 0)
		return snapshot_put_in_place(dir);
	unlinkat(dir, SNAPSHOT_NEW_NAME, 0);
	errno = error;
	return -1;
}

int
snapshot_save(struct memory *memory, const char *dir, int64_t now_us,
    int64_t shift_us, struct snapshot_count *count)
{
	struct snapshot_head head =
	    snapshot_make_head(memory, now_us, shift_us);
	struct snapshot_writer writer = {.memory = memory, .now_us = now_us};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = -1, error;

	*count = (struct snapshot_count){0};
	if (fd == -1)
		return -1;
	writer.slots = calloc(memory->stripe_slots, sizeof(*writer.slots));
	if (writer.slots)
		result = snapshot_save_in(fd, &writer, &head);
	error = errno;
	free(writer.slots);
	close(fd);
	count->buckets = writer.buckets;
	errno = error;
	return result;
}
