/**
 * resp: Redis's protocol as bytes, commands in and responses out.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 *   *3\r\n $7\r\nCONSUME\r\n $8\r\nlogin:42\r\n $1\r\n2\r\n
 *
 * Knows which bytes are well-formed, not what the words mean.  A command is an
 * array of strings and nothing else, so nothing can be nested; a few may be
 * lines (protocol/resp/resp_inline.h).
 */
#ifndef PROTOCOL_RESP_RESP_H
#define PROTOCOL_RESP_RESP_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/check.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most words in a command, bytes in a word, bytes in a command. */
#define RESP_WORDS_MAX   64
#define RESP_WORD_MAX    4096
#define RESP_COMMAND_MAX 16384

/** Most bytes of a command that is neither whole nor refused yet. */
#define RESP_HELD_MAX (RESP_COMMAND_MAX + 32)

/** Longest error of resp_read(), with the NUL at its end. */
#define RESP_WHY_MAX 80

struct resp_word {
	const char *bytes; /* borrowed from the bytes read; not terminated */
	size_t len;
};

/** Whether ${word} is ${text}, in any case. */
bool resp_word_is(const struct resp_word *word, const char *text);

struct resp_command {
	size_t count;
	struct resp_word words[RESP_WORDS_MAX];
	char why[RESP_WHY_MAX]; /* RESP_BAD: the text of the error */
};

/**
 * What is remembered of a command that is not whole yet; all zero between two
 * commands.
 *
 *   *3\r\n$7\r\nCONSUME\r\n$8\r\nlogin
 *                           ^ at: looked at up to here, words left: 2
 */
struct resp_reader {
	uint16_t at;
	uint16_t count; /* words announced; 0: not yet known */
	uint16_t have;  /* of them known, the last one perhaps not whole */
	bool in_word;   /* the last one's length is known */
	uint16_t start[RESP_WORDS_MAX];
	uint16_t len[RESP_WORDS_MAX];
};

enum resp_result {
	RESP_COMMAND, /* a command was read; ignore one of no words, as an
		       * empty line between commands is */
	RESP_BAD,     /* this is not the protocol: no way to go on */
	RESP_MORE,    /* no whole command yet */
};

/**
 * Read one command off the front of ${len} bytes.  ${used} is set to the number
 * of bytes done with, 0 for RESP_MORE: hand in the same bytes, which are fewer
 * than RESP_HELD_MAX, again with what follows; they are not looked at twice.
 * With RESP_BAD, respond with command->why and close the connection.
 */
enum resp_result resp_read(struct resp_reader *reader, const char *bytes,
    size_t len, size_t *used, struct resp_command *command);

/*
 * Responses.  Each call appends to ${out} and returns 0, or -1 (out of memory).
 * RESP3 has types that RESP2 has not: ${version} is 2 or 3.
 */

int resp_write_status(struct buf *out, const char *text) MUST_USE;

/** "-TEXT"; what follows a line end in ${text} is left out. */
int resp_write_error(struct buf *out, const char *text) MUST_USE;

/** "-ERR CODE TEXT" */
int resp_write_protocol_error(
    struct buf *out, enum protocol_error error) MUST_USE;

int resp_write_int(struct buf *out, int64_t value) MUST_USE;

/** Start a string of ${len} bytes, which follow, and CR LF. */
int resp_write_bulk_start(struct buf *out, int64_t len) MUST_USE;

int resp_write_bulk(struct buf *out, const char *bytes, size_t len) MUST_USE;
int resp_write_text(struct buf *out, const char *text) MUST_USE;
int resp_write_null(struct buf *out, int version) MUST_USE;

/** The head of an array of ${count} values, or a map of so many pairs (RESP2:
 * an array of names and values in turn). */
int resp_write_array(struct buf *out, size_t count) MUST_USE;
int resp_write_map(struct buf *out, size_t pairs, int version) MUST_USE;

/** The lines of ${text}, each with its end, as strings. */
int resp_write_lines(struct buf *out, const char *text, size_t len) MUST_USE;

/** The same, each as a word of its own, as Redis's MONITOR has them. */
int resp_write_words(struct buf *out, const char *text, size_t len) MUST_USE;

/** A decision: an array of allowed, level, capacity, next, retry, blocked, and
 * the strings limit, from and shadow ("deny" or "").  New fields are added at
 * its end. */
int resp_write_decision(struct buf *out, const struct check *check) MUST_USE;

/** The same as a map of names and values. */
int resp_write_decision_map(
    struct buf *out, const struct check *check, int version) MUST_USE;

#endif
