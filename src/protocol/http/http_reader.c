/*
 * Job: frames requests.
 * Invariant: a line is looked at when it is whole; ${line} and ${searched} say
 * how far, so that bytes which come one by one cost no more.
 * The heart: http_read() and http_read_head().
 */
#include "protocol/http/http_reader.h"

#include "base/num.h"

#include <string.h>

static enum http_event
http_refuse(struct http_reader *reader, const struct http_problem *problem)
{
	reader->problem = problem;
	return HTTP_BAD;
}

/* The next line; HTTP_END: it is whole, HTTP_BAD: it ends as none may.  Its
 * length is looked at first, so that it does not matter how its bytes come. */
static enum http_event
http_next_line(struct http_reader *reader, const char *bytes, size_t len,
    struct http_line *line)
{
	const char *newline =
	    memchr(bytes + reader->searched, '\n', len - reader->searched);
	size_t end = newline ? (size_t)(newline - bytes) : len;
	bool has_cr = end > reader->line && bytes[end - 1] == '\r';

	*line = (struct http_line){
	    bytes, reader->line, end - reader->line - has_cr};
	reader->searched = (uint32_t)end;
	if (!newline)
		return HTTP_MORE;
	reader->line = reader->searched = (uint32_t)end + 1;
	reader->problem = HTTP_PROBLEM(BADEND);
	return has_cr ? HTTP_END : HTTP_BAD;
}

/* Blank lines before a request, which some clients send behind a body. */
static size_t
http_skip_blank_lines(const char *bytes, size_t len)
{
	size_t used = 0;

	while (len - used >= 2 && memcmp(bytes + used, "\r\n", 2) == 0)
		used += 2;
	return used;
}

/* Where the body starts, if there is one. */
static enum http_place
http_place_behind_head(const struct http_head *head)
{
	if (head->is_chunked)
		return HTTP_AT_CHUNK;
	return head->length > 0 ? HTTP_AT_BODY : HTTP_AT_END;
}

static const struct http_problem *
http_too_long(const struct http_reader *reader, const struct http_line *line)
{
	if (reader->place == HTTP_AT_LINE && line->len > HTTP_LINE_MAX)
		return HTTP_PROBLEM(BIGTARGET);
	if (line->at + line->len + 2 > HTTP_HEAD_MAX)
		return HTTP_PROBLEM(BIGHEAD);
	return NULL;
}

/* Read lines as far as they are whole.  HTTP_HEAD_READ: all of them. */
static enum http_event
http_read_head(struct http_reader *reader, const char *bytes, size_t len)
{
	for (;;) {
		struct http_line line;
		enum http_event event =
		    http_next_line(reader, bytes, len, &line);
		const struct http_problem *problem;

		problem = http_too_long(reader, &line);
		if (problem)
			return http_refuse(reader, problem);
		if (event != HTTP_END)
			return event;
		if (reader->place == HTTP_AT_LINE) {
			problem = http_head_line(&reader->head, &line);
			reader->place = HTTP_AT_FIELDS;
		} else if (line.len > 0) {
			problem = http_head_field(&reader->head, &line);
		} else {
			problem = http_head_finish(&reader->head);
			if (!problem)
				return HTTP_HEAD_READ;
		}
		if (problem)
			return http_refuse(reader, problem);
	}
}

static enum http_event
http_read_whole_head(struct http_reader *reader, const char *bytes, size_t len,
    size_t *used, struct http_piece *piece)
{
	enum http_event event;

	if (reader->place == HTTP_AT_LINE)
		*used = http_skip_blank_lines(bytes, len);
	if (*used > 0)
		reader->searched = 0;
	bytes += *used;
	event = http_read_head(reader, bytes, len - *used);
	if (event != HTTP_HEAD_READ)
		return event;
	*piece = (struct http_piece){bytes, reader->line};
	*used += reader->line;
	reader->line = reader->searched = 0;
	reader->left = (uint32_t)reader->head.length;
	reader->place = http_place_behind_head(&reader->head);
	return event;
}

/* "SIZE[;extension]" */
static const struct http_problem *
http_read_chunk_line(struct http_reader *reader, const struct http_line *line)
{
	const char *at = line->head + line->at, *end = at + line->len;
	uint32_t size = 0;

	if (at == end || num_hex(*at) == -1)
		return HTTP_PROBLEM(BADCHUNK);
	for (; at < end && num_hex(*at) != -1; at++)
		if (size <= HTTP_BODY_MAX)
			size = 16 * size + (uint32_t)num_hex(*at);
	if (at < end && (*at != ';' || !http_is_text(at, (size_t)(end - at))))
		return HTTP_PROBLEM(BADCHUNK);
	if (size > HTTP_BODY_MAX || reader->total + size > HTTP_BODY_MAX)
		return HTTP_PROBLEM(BIGBODY);
	reader->left = size;
	reader->total = size > 0 ? reader->total + size : 0;
	reader->place = size > 0 ? HTTP_AT_DATA : HTTP_AT_TRAILER;
	return NULL;
}

/* Behind the last chunk are headers, which are checked and ignored. */
static const struct http_problem *
http_read_trailer_line(struct http_reader *reader, const struct http_line *line)
{
	struct http_line value;

	reader->total += (uint32_t)line->len + 2;
	if (reader->total > HTTP_TRAILER_MAX)
		return HTTP_PROBLEM(BIGHEAD);
	if (line->len > 0)
		return http_head_split(line, &value);
	reader->place = HTTP_AT_END;
	return NULL;
}

/* One line of the chunked coding. */
static enum http_event
http_read_coding_line(
    struct http_reader *reader, const char *bytes, size_t len, size_t *used)
{
	bool is_chunk = reader->place == HTTP_AT_CHUNK;
	size_t most = is_chunk ? HTTP_CHUNK_MAX : HTTP_TRAILER_MAX;
	struct http_line line;
	enum http_event event = http_next_line(reader, bytes, len, &line);
	const struct http_problem *problem;

	if (line.len > most)
		return http_refuse(reader,
		    is_chunk ? HTTP_PROBLEM(BADCHUNK) : HTTP_PROBLEM(BIGHEAD));
	if (event != HTTP_END)
		return event;
	*used = reader->line;
	reader->line = reader->searched = 0;
	problem = is_chunk ? http_read_chunk_line(reader, &line)
			   : http_read_trailer_line(reader, &line);
	return problem ? http_refuse(reader, problem) : HTTP_END;
}

/* CR LF behind the data of a chunk. */
static enum http_event
http_read_data_end(
    struct http_reader *reader, const char *bytes, size_t len, size_t *used)
{
	if (len == 0)
		return HTTP_MORE;
	if (bytes[0] != '\r' || (len > 1 && bytes[1] != '\n'))
		return http_refuse(reader, HTTP_PROBLEM(BADCHUNK));
	if (len == 1)
		return HTTP_MORE;
	*used = 2;
	reader->place = HTTP_AT_CHUNK;
	return HTTP_END;
}

static enum http_event
http_read_data(struct http_reader *reader, const char *bytes, size_t len,
    size_t *used, struct http_piece *piece)
{
	size_t step = len < reader->left ? len : reader->left;

	if (step == 0)
		return HTTP_MORE;
	*piece = (struct http_piece){bytes, step};
	*used = step;
	reader->left -= (uint32_t)step;
	if (reader->left == 0)
		reader->place =
		    reader->head.is_chunked ? HTTP_AT_DATA_END : HTTP_AT_END;
	return HTTP_BODY;
}

enum http_event
http_read(struct http_reader *reader, const char *bytes, size_t len,
    size_t *used, struct http_piece *piece)
{
	enum http_event event = HTTP_END;
	size_t step;

	*used = 0;
	/* What only frames a body is no event. */
	while (event == HTTP_END && reader->place != HTTP_AT_END) {
		step = 0;
		switch (reader->place) {
		case HTTP_AT_LINE:
		case HTTP_AT_FIELDS:
			event = http_read_whole_head(
			    reader, bytes, len, &step, piece);
			break;
		case HTTP_AT_BODY:
		case HTTP_AT_DATA:
			event =
			    http_read_data(reader, bytes, len, &step, piece);
			break;
		case HTTP_AT_CHUNK:
		case HTTP_AT_TRAILER:
			event =
			    http_read_coding_line(reader, bytes, len, &step);
			break;
		case HTTP_AT_DATA_END:
			event = http_read_data_end(reader, bytes, len, &step);
			break;
		case HTTP_AT_END:
			break;
		}
		bytes += step;
		len -= step;
		*used += step;
	}
	if (event == HTTP_END)
		*reader = (struct http_reader){0};
	return event;
}

/* The first bytes of HTTP/2 too: they get a clear error. */
enum http_event
http_reader_detect(const char *bytes, size_t len)
{
	static const char *const starts[] = {
#define X(name, bit) #name " ",
	    HTTP_METHODS(X)
#undef X
		"CONNECT ",
	    "TRACE ",
	    "PRI * HTTP/2",
	};
	enum http_event event = HTTP_BAD;

	for (size_t i = 0; i < COUNT(starts); i++) {
		size_t start = strlen(starts[i]);

		if (memcmp(bytes, starts[i], len < start ? len : start) != 0)
			continue;
		if (len >= start)
			return HTTP_END;
		event = HTTP_MORE;
	}
	return event;
}
