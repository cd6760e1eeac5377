/**
 * resp: Redis's protocol as bytes, commands in and replies out.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 *   *3\r\n $7\r\nCONSUME\r\n $8\r\nlogin:42\r\n $1\r\n2\r\n
 *
 * Knows which bytes are well-formed; what the words mean is order's.  A command
 * is an array of strings and nothing else, so nothing can be nested.
 */
#ifndef WIRE_RESP_H
#define WIRE_RESP_H

#include "base/attr.h"
#include "base/buf.h"
#include "wire/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most words of a command, bytes of a word, bytes of a command in all. */
#define RESP_WORDS_MAX   64
#define RESP_WORD_MAX    4096
#define RESP_COMMAND_MAX 16384

/** What may be held of a command that is not yet whole, or not yet refused. */
#define RESP_HELD_MAX (RESP_COMMAND_MAX + 32)

/** Longest complaint of resp_read(), with the NUL at its end. */
#define RESP_WHY_MAX 80

struct resp_word {
	const char *bytes; /* borrowed from the bytes read; not terminated */
	size_t len;
};

struct resp_command {
	size_t count;
	struct resp_word words[RESP_WORDS_MAX];
};

/**
 * What must be remembered of a command that is not yet whole; all zero between
 * two of them.
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
	RESP_COMMAND, /* a command was read; of no words: to be ignored, as is
		       * an empty line between commands */
	RESP_BAD,     /* this is not the protocol: no way to go on */
	RESP_MORE,    /* no whole command yet */
};

/**
 * Read one command off the front of ${len} bytes.  ${used} is set to the number
 * of bytes done with, 0 for RESP_MORE: the same bytes, fewer than
 * RESP_HELD_MAX, are to be handed in again with what follows, and are not
 * looked at twice.  With RESP_BAD, ${why} is the text of the error to answer
 * before the close.
 */
enum resp_result resp_read(struct resp_reader *reader, const char *bytes,
    size_t len, size_t *used, struct resp_command *command,
    char why[RESP_WHY_MAX]);

/*
 * Replies.  Each is appended to ${out}; 0, or -1 (out of memory).  RESP3 has
 * types that RESP2 has not: ${version} is 2 or 3.
 */

int resp_write_status(struct buf *out, const char *text) MUST_USE;

/** "-TEXT", of ${text} what stands before its first line end. */
int resp_write_error(struct buf *out, const char *text) MUST_USE;

int resp_write_int(struct buf *out, int64_t value) MUST_USE;
int resp_write_bulk(struct buf *out, const char *bytes, size_t len) MUST_USE;
int resp_write_text(struct buf *out, const char *text) MUST_USE;
int resp_write_null(struct buf *out, int version) MUST_USE;

/** The head of an array of ${count} values, or a map of so many pairs (RESP2:
 * an array of names and values in turn). */
int resp_write_array(struct buf *out, size_t count) MUST_USE;
int resp_write_map(struct buf *out, size_t pairs, int version) MUST_USE;

/** The lines of ${text}, each with its end, as an array of strings; a last one
 * that says END is left out. */
int resp_write_lines(struct buf *out, const char *text, size_t len) MUST_USE;

/** The reply to a CONSUME or PEEK. */
int resp_write_reply(
    struct buf *out, const struct reply *reply, int version) MUST_USE;

#endif
