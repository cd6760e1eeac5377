/*
 * Job: writes recordings, and reads them line by line.
 * Invariant: what is read is well-formed, and in order.
 * The heart: recording_next().
 */
#include "cli/recording.h"

#include "base/num.h"
#include "cli/tool.h"
#include "limit/limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_WORDS "dripgate recording "
#define DROPPED    "dropped "

void
recording_start(struct recording_writer *writer, FILE *to, bool hides)
{
	*writer = (struct recording_writer){.to = to, .hides_keys = hides};
	if (hides)
		writer->seed = siphash_seed_random();
	fprintf(to, "%s\n", RECORDING_HEAD);
}

void
recording_write(struct recording_writer *writer, int64_t at_us, int64_t amount,
    const char *key, size_t len)
{
	const char *colon = memchr(key, ':', len);
	size_t kept = colon ? (size_t)(colon - key) + 1 : 0;
	uint64_t hash;

	writer->count++;
	if (!writer->hides_keys) {
		fprintf(writer->to, "%" PRId64 " %" PRId64 " %.*s\n", at_us,
		    amount, (int)len, key);
		return;
	}
	hash = siphash128(&writer->seed, key + kept, len - kept).lo;
	fprintf(writer->to, "%" PRId64 " %" PRId64 " %.*s%016" PRIx64 "\n",
	    at_us, amount, (int)kept, key, hash);
}

void
recording_write_dropped(struct recording_writer *writer, int64_t count)
{
	writer->dropped += count;
	fprintf(writer->to, DROPPED "%" PRId64 "\n", count);
}

static int
recording_fail(const struct recording *recording, const char *reason)
{
	tool_error("%s:%zu: %s", recording->name, recording->number, reason);
	return -1;
}

/* Read a line, without its end.  Return its length, or -1: there is none, or
 * only a part of one. */
static ssize_t
recording_line(struct recording *recording)
{
	ssize_t len =
	    getline(&recording->line, &recording->size, recording->file);

	recording->number++;
	if (len <= 0)
		return -1;
	if (recording->line[len - 1] != '\n') {
		recording->is_cut = true;
		return -1;
	}
	recording->line[len - 1] = '\0';
	return len - 1;
}

int
recording_open(struct recording *recording, FILE *file, const char *name)
{
	ssize_t len;

	*recording = (struct recording){.name = name, .file = file};
	len = recording_line(recording);
	if (len >= 0 && strcmp(recording->line, RECORDING_HEAD) == 0)
		return 0;
	if (len >= 0 &&
	    strncmp(recording->line, HEAD_WORDS, strlen(HEAD_WORDS)) == 0)
		return recording_fail(
		    recording, "recorded by another version of dripgate");
	return recording_fail(recording, "this is no recording of dripgate");
}

/* Read a number up to ${end_of_it}, and move ${*at} behind that. */
static int
recording_number(char **at, int64_t least, int64_t most, int64_t *number)
{
	size_t len = strcspn(*at, " ");

	if (num_read_int(*at, len, least, most, number) == -1)
		return -1;
	*at += len;
	*at += **at == ' ';
	return 0;
}

/* Read "AT AMOUNT KEY", a line of ${len} bytes. */
static enum recording_result
recording_take(struct recording *recording, size_t len, struct demand *demand)
{
	char *at = recording->line, *end = at + len;
	int64_t at_us;

	if (recording_number(&at, 0, INT64_C(1) << 53, &at_us) == -1 ||
	    recording_number(&at, -LIMIT_AMOUNT_MAX, LIMIT_AMOUNT_MAX,
		&demand->amount) == -1 ||
	    at == end || end - at > KEY_SHOWN_MAX - 1) {
		recording_fail(recording, "a request is TIME AMOUNT KEY");
		return RECORDING_BAD;
	}
	/* Several workers decide at once. */
	if (at_us > recording->last_us)
		recording->last_us = at_us;
	demand->at_us = recording->last_us;
	len = (size_t)(end - at);
	demand->key = key_make(at, len < KEY_MAX ? len : KEY_MAX);
	return RECORDING_DEMAND;
}

static int
recording_take_dropped(struct recording *recording)
{
	char *at = recording->line + strlen(DROPPED);
	int64_t count;

	if (recording_number(&at, 0, INT64_C(1) << 53, &count) == -1)
		return recording_fail(recording, "dropped needs a number");
	recording->dropped += count;
	return 0;
}

enum recording_result
recording_next(struct recording *recording, struct demand *demand)
{
	for (;;) {
		ssize_t len = recording_line(recording);

		if (len == -1 && ferror(recording->file)) {
			recording_fail(recording, "cannot be read");
			return RECORDING_BAD;
		}
		if (len == -1)
			return RECORDING_END;
		if (strncmp(recording->line, DROPPED, strlen(DROPPED)) != 0)
			return recording_take(recording, (size_t)len, demand);
		if (recording_take_dropped(recording) == -1)
			return RECORDING_BAD;
	}
}

void
recording_end(struct recording *recording)
{
	free(recording->line);
	recording->line = NULL;
}
