/**
 * line: the line protocol, one request a line, one reply a line.
 *
 * Knows bytes only: no sockets, no buckets.
 */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include "base/buf.h"
#include "wire/reply.h"
#include "wire/request.h"

#include <stdbool.h>
#include <stddef.h>

/** Longest line, its end not counted. */
#define LINE_MAX_LEN 4096

/** Everything that can be wrong: the stable code word, and the rest of the
 * ERR line. */
#define LINE_ERRORS(X)                                                         \
	X(EMPTY, "empty", "the line is empty; try HELP")                       \
	X(TOOLONG, "toolong", "a line is at most 4096 bytes")                  \
	X(INCOMPLETE, "incomplete", "the last line has no end")                \
	X(BADVERB, "badverb", "unknown request; try HELP")                     \
	X(NOKEY, "nokey", "a key must follow")                                 \
	X(BADKEY, "badkey",                                                    \
	    "a key is 1 to 255 bytes of printable ASCII or UTF-8")             \
	X(BADAMOUNT, "badamount",                                              \
	    "amount must be a whole number from -1000000000 to 1000000000")    \
	X(SURPLUS, "surplus", "too many words")                                \
	X(HTTP, "http", "this is not an HTTP server")                          \
	X(NOLIMIT, "nolimit", "no limit matches this key")                     \
	X(UNAVAILABLE, "unavailable", "the bucket could not be reset now")     \
	X(CLIENTS, "clients", "too many clients")

enum line_error {
#define X(name, code, text) LINE_ERR_##name,
	LINE_ERRORS(X)
#undef X
};

enum line_result {
	LINE_REQUEST, /* a request was read */
	LINE_BAD,     /* a line was read, and is wrong */
	LINE_MORE,    /* no whole line yet */
};

/** What must be remembered of one connection; all zero at its start. */
struct line_reader {
	bool skipping; /* the rest of an overlong line, already complained of */
};

/**
 * Read one line off the front of ${len} bytes.  ${used} is set to the number of
 * bytes done with, also for LINE_MORE (an overlong line is dropped as it
 * comes); with LINE_MORE the rest is at most LINE_MAX_LEN + 1 bytes, and to be
 * handed in again with what follows.  ${request} is set with LINE_REQUEST,
 * ${error} with LINE_BAD.  After LINE_ERR_HTTP the connection should be closed.
 */
enum line_result line_read(struct line_reader *reader, const char *bytes,
    size_t len, size_t *used, struct request *request, enum line_error *error);

/** The whole ERR line, with its end. */
const char *line_error_text(enum line_error error);

/** Append the reply to a CONSUME or PEEK.  Return 0, or -1 (out of memory). */
int line_write_reply(struct buf *out, const struct reply *reply) MUST_USE;

/** Lower-case name of a verb (not VERB_THROTTLE), and of what an answer rests
 * on. */
const char *verb_name(enum verb verb);
const char *from_name(enum from from);

/** What HELP says of the requests that all protocols have, before END. */
#define LINE_HELP                                                              \
	"CONSUME key [amount]  may amount drops (1) go in? -N gives back\n"    \
	"PEEK key [amount]     the same question; nothing changes\n"           \
	"RESET key             empty the bucket, end its block\n"              \
	"EXPLAIN key           which limit applies, and why\n"                 \
	"LIMITS                the limits in force\n"                          \
	"STATS                 counters\n"                                     \
	"PING                  PONG\n"                                         \
	"HELP                  this\n"                                         \
	"QUIT                  close the connection\n"

/** The answer to HELP, END included. */
extern const char line_help[];

#endif
