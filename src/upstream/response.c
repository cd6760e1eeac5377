/*
 * Job: makes responses that are stored.
 * Invariant: a response is whole, and never changes.
 * The heart: response_new().
 */
#include "upstream/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of those that no cache counts: clients have them still. */
static _Atomic int64_t response_loose;

static void
response_loosen(int64_t bytes)
{
	atomic_fetch_add_explicit(&response_loose, bytes, memory_order_relaxed);
}

int64_t
responses_loose(void)
{
	return atomic_load_explicit(&response_loose, memory_order_relaxed);
}

void
response_enter(const struct stored_response *response)
{
	response_loosen(-(int64_t)response->bytes);
}

void
response_leave(const struct stored_response *response)
{
	response_loosen((int64_t)response->bytes);
}

struct stored_response *
response_ref(struct stored_response *response)
{
	atomic_fetch_add_explicit(&response->refs, 1, memory_order_relaxed);
	return response;
}

void
response_unref(struct stored_response *response)
{
	if (!response)
		return;
	if (atomic_fetch_sub_explicit(
		&response->refs, 1, memory_order_acq_rel) != 1)
		return;
	response_loosen(-(int64_t)response->bytes);
	free(response);
}

/* Copy ${len} bytes to ${to}, and move that behind them. */
static const char *
response_place(char **to, const char *bytes, size_t len)
{
	char *at = *to;

	if (bytes)
		memcpy(at, bytes, len);
	*to += len;
	return at;
}

struct stored_response *
response_new(int status, const struct freshness *freshness,
    struct headers fields, struct part selecting, struct part body)
{
	size_t bytes = sizeof(struct stored_response) + fields.len +
		       selecting.len + body.len;
	struct stored_response *response = malloc(bytes);
	char *at;

	if (!response)
		return NULL;
	at = (char *)(response + 1);
	*response = (struct stored_response){
	    .status = status,
	    .freshness = *freshness,
	    .fields.len = fields.len,
	    .selecting.len = selecting.len,
	    .body.len = body.len,
	    .bytes = bytes,
	};
	atomic_init(&response->refs, 1);
	response_loosen((int64_t)bytes);
	response->fields.bytes = response_place(&at, fields.bytes, fields.len);
	response->body.bytes = response_place(&at, body.bytes, body.len);
	response->selecting.bytes =
	    response_place(&at, selecting.bytes, selecting.len);
	return response;
}

/* Append those that may be stored. */
static int
response_keep(struct buf *to, struct headers fields)
{
	struct headers rest = fields;
	struct http_header header;

	while (headers_next(&rest, &header))
		if (header_may_be_stored(fields, header.name) &&
		    header_add(to, &header) != 0)
			return -1;
	return 0;
}

void
response_begin(struct response_builder *builder,
    const struct freshness *freshness, const struct received *received,
    struct headers request, size_t most)
{
	*builder = (struct response_builder){
	    .most = most,
	    .status = received->status,
	    .freshness = *freshness,
	};
	builder->failed =
	    response_keep(&builder->head, received->fields) != 0 ||
	    vary_select(&builder->selecting, received->fields, request) != 0;
}

static size_t
response_len(const struct response_builder *builder)
{
	return sizeof(struct stored_response) + buf_len(&builder->head) +
	       buf_len(&builder->selecting) + buf_len(&builder->body);
}

void
response_add(struct response_builder *builder, const char *bytes, size_t len)
{
	if (builder->failed)
		return;
	if (response_len(builder) > builder->most ||
	    len > builder->most - response_len(builder) ||
	    buf_add(&builder->body, bytes, len) != 0) {
		builder->failed = true;
		buf_free(&builder->body);
	}
}

static struct part
response_part(const struct buf *buf)
{
	return (struct part){buf_data(buf), buf_len(buf)};
}

struct stored_response *
response_finish(struct response_builder *builder)
{
	struct stored_response *response = NULL;

	if (!builder->failed && response_len(builder) <= builder->most)
		response = response_new(builder->status, &builder->freshness,
		    (struct headers){
			buf_data(&builder->head), buf_len(&builder->head)},
		    response_part(&builder->selecting),
		    response_part(&builder->body));
	response_abandon(builder);
	return response;
}

void
response_abandon(struct response_builder *builder)
{
	buf_free(&builder->head);
	buf_free(&builder->selecting);
	buf_free(&builder->body);
	*builder = (struct response_builder){.failed = true};
}

/* Whether there is a field of that name. */
static bool
response_has(struct headers fields, struct part name)
{
	struct http_header header;

	while (headers_next(&fields, &header))
		if (header.name.len == name.len &&
		    strncasecmp(header.name.bytes, name.bytes, name.len) == 0)
			return true;
	return false;
}

/* Whether a 304 leaves it as it is: it says what the stored bytes are. */
static bool
response_is_about_body(struct part name)
{
	return part_is(name, "content-encoding") ||
	       part_is(name, "content-range");
}

/* Whether what is stored under that name goes for a 304 with ${update}.  A
 * date that is missing there is the time of its receipt. */
static bool
response_is_replaced(struct part name, struct headers update)
{
	return !response_is_about_body(name) &&
	       (response_has(update, name) || part_is(name, "date"));
}

int
response_merge(struct buf *fields, const struct stored_response *stored,
    struct headers update)
{
	struct headers rest = stored->fields;
	struct http_header header;

	while (headers_next(&rest, &header))
		if (!response_is_replaced(header.name, update) &&
		    header_add(fields, &header) != 0)
			return -1;
	rest = update;
	while (headers_next(&rest, &header))
		if (!response_is_about_body(header.name) &&
		    (header_may_be_stored(update, header.name) ||
			part_is(header.name, "age")) &&
		    header_add(fields, &header) != 0)
			return -1;
	return 0;
}

struct stored_response *
response_updated(const struct stored_response *stored, struct headers fields,
    const struct freshness *freshness)
{
	struct stored_response *response = NULL;
	struct buf kept = {0};

	if (response_keep(&kept, fields) == 0)
		response = response_new(stored->status, freshness,
		    (struct headers){buf_data(&kept), buf_len(&kept)},
		    stored->selecting, stored->body);
	buf_free(&kept);
	return response;
}
