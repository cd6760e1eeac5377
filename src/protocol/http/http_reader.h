/**
 * http_reader: where requests of HTTP/1.1 begin and end, and what their heads
 * say: https://www.rfc-editor.org/rfc/rfc9112.
 *
 * Strict: what two servers could read in two ways is refused.  Pure: it is fed
 * bytes, and stores none of them.
 */
#ifndef PROTOCOL_HTTP_HTTP_READER_H
#define PROTOCOL_HTTP_HTTP_READER_H

#include "protocol/http/http_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE_MAX    8192  /* of a request line, its end not counted */
#define HTTP_HEAD_MAX    16384 /* bytes up to the end of the empty line */
#define HTTP_CHUNK_MAX   256   /* of the line before a chunk */
#define HTTP_TRAILER_MAX 4096  /* of all lines behind the last chunk */

/** Most bytes that http_read() asks to see again. */
#define HTTP_HELD_MAX HTTP_HEAD_MAX

enum http_event {
	HTTP_MORE, /* bytes are missing */
	HTTP_HEAD_READ,
	HTTP_BODY, /* of the body, a piece */
	HTTP_END,  /* of the request */
	HTTP_BAD,  /* reader->problem: where a request starts is not known */
};

enum http_place {
	HTTP_AT_LINE,
	HTTP_AT_FIELDS,
	HTTP_AT_BODY,
	HTTP_AT_CHUNK,    /* the line before one */
	HTTP_AT_DATA,     /* of a chunk */
	HTTP_AT_DATA_END, /* CR LF behind it */
	HTTP_AT_TRAILER,
	HTTP_AT_END,
};

/** What is remembered of one connection; all zero at first. */
struct http_reader {
	enum http_place place;
	uint32_t line;     /* where the line starts that is not whole yet */
	uint32_t searched; /* bytes that were searched for its end */
	uint32_t left;     /* of the body, or of the chunk */
	uint32_t total;    /* of all chunks, or of the trailer */
	struct http_head head;
	const struct http_problem *problem;
};

struct http_piece {
	const char *bytes;
	size_t len;
};

/**
 * Read the next event off the front of ${len} bytes.  ${used} is set to the
 * number of bytes done with; after HTTP_MORE hand in the others, at most
 * HTTP_HELD_MAX, again with what follows.  With HTTP_HEAD_READ, the ${used}
 * bytes are the head, blank lines before it aside: ${piece} is set to it, and
 * its spans count from there.  With HTTP_BODY, ${piece} is the next of the
 * body. Each request is HTTP_HEAD_READ, any number of HTTP_BODY, and HTTP_END.
 */
enum http_event http_read(struct http_reader *reader, const char *bytes,
    size_t len, size_t *used, struct http_piece *piece);

/** Whether what was read ended where a request does. */
static inline bool
http_reader_is_between(const struct http_reader *reader)
{
	return reader->place == HTTP_AT_LINE;
}

/** Whether ${len} bytes, at least one, start as a request does.  HTTP_MORE: the
 * next bytes will show it; HTTP_END: they do; HTTP_BAD: they do not. */
enum http_event http_reader_detect(const char *bytes, size_t len);

#endif
