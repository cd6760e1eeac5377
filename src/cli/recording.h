/**
 * recording: demand as a file: which keys asked for how much, and when.
 *
 * Lines of text: the head, RECORDING_HEAD; "AT AMOUNT KEY" for each request, at
 * microseconds since the epoch; "dropped N" where N requests are missing.
 */
#ifndef CLI_RECORDING_H
#define CLI_RECORDING_H

#include "base/attr.h"
#include "base/siphash.h"
#include "limit/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RECORDING_HEAD "dripgate recording 1"

struct recording_writer {
	FILE *to;        /* the caller's */
	bool hides_keys; /* what is behind the first ':' becomes a hash */
	struct siphash_seed seed;
	int64_t count;   /* of requests */
	int64_t dropped; /* requests that are missing */
	bool failed;     /* there was a line that is none of a request */
};

/** Write the head. */
void recording_start(struct recording_writer *writer, FILE *to, bool hides);

/** Write a request. */
void recording_write(struct recording_writer *writer, int64_t at_us,
    int64_t amount, const char *key, size_t len);

/** ${count} requests are missing. */
void recording_write_dropped(struct recording_writer *writer, int64_t count);

/** One request. */
struct demand {
	int64_t at_us; /* not before that of the request before */
	int64_t amount;
	struct key key; /* its bytes are valid until the next one */
};

struct recording {
	const char *name; /* of the file */
	FILE *file;       /* the caller's */
	char *line;
	size_t size;
	size_t number; /* of that line */
	int64_t last_us;
	int64_t dropped; /* so far */
	bool is_cut;     /* it ended within a line, which was left out */
};

/** Read the head of ${file}.  Return 0, or -1: the error was printed; either
 * way recording_end() it. */
int recording_open(
    struct recording *recording, FILE *file, const char *name) MUST_USE;

enum recording_result { RECORDING_DEMAND, RECORDING_END, RECORDING_BAD };

/** Read the next request.  RECORDING_BAD: the error was printed. */
enum recording_result recording_next(
    struct recording *recording, struct demand *demand) MUST_USE;

/** Free what it holds, which the file is not. */
void recording_end(struct recording *recording);

#endif
