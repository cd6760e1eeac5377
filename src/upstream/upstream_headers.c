/*
 * Job: lets headers pass, or not, and reads those that are for us.
 * Invariant: what is in ${lines} is whole lines, each a name, a colon and text
 * without control characters: nothing in it can end a head.
 * The heart: upstream_headers_take(), upstream_headers_filter().
 */
#include "upstream/upstream_headers.h"

#include "base/num.h"
#include "upstream/retry_after.h"
#include "upstream/upstream.h"

#include <string.h>
#include <strings.h>
#include <time.h>

/* Of the connection; of the body's frame; what our client would take for ours:
 * how to reach us, what it may do with us. */
#define HEADERS_KEPT_BACK(X)                                                   \
	X("connection")                                                        \
	X("keep-alive")                                                        \
	X("proxy-connection")                                                  \
	X("proxy-authenticate")                                                \
	X("proxy-authentication-info")                                         \
	X("proxy-authorization")                                               \
	X("te")                                                                \
	X("trailer")                                                           \
	X("transfer-encoding")                                                 \
	X("upgrade")                                                           \
	X("content-length")                                                    \
	X("host")                                                              \
	X("expect")                                                            \
	X("alt-svc")                                                           \
	X("strict-transport-security")                                         \
	X("public-key-pins")                                                   \
	X("x-cache")                                                           \
	X("age")                                                               \
	X("x-content-type-options")                                            \
	X("content-security-policy")

static const struct part headers_kept_back[] = {
#define X(name) {name, sizeof(name) - 1},
    HEADERS_KEPT_BACK(X)
#undef X
};

static bool
upstream_headers_is_token(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool is_letter = (c >= 'a' && c <= 'z') ||
				 (c >= 'A' && c <= 'Z') ||
				 (c >= '0' && c <= '9');

		if (!is_letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return len > 0;
}

static bool
upstream_headers_is_text(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool
upstream_headers_may_pass(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT(headers_kept_back); i++)
		if (headers_kept_back[i].len == len &&
		    strncasecmp(headers_kept_back[i].bytes, name, len) == 0)
			return false;
	return upstream_headers_is_token(name, len);
}

static bool
upstream_headers_is_in(const char *list, struct part name)
{
	return upstream_list_has(list, name.bytes, name.len);
}

/* Whether a Connection of ${fields} names it. */
static bool
upstream_headers_is_of_connection(struct headers fields, struct part name)
{
	struct http_header header;
	struct part member;

	while (headers_next(&fields, &header)) {
		if (!part_is(header.name, "connection"))
			continue;
		while (part_next_member(&header.value, &member))
			if (member.len == name.len &&
			    strncasecmp(member.bytes, name.bytes, name.len) ==
				0)
				return true;
	}
	return false;
}

int
upstream_headers_pick(
    struct buf *out, struct headers fields, const char *list, const char *but)
{
	struct headers rest = fields;
	struct http_header header;

	while (headers_next(&rest, &header))
		if (upstream_headers_is_in(list, header.name) &&
		    !upstream_headers_is_in(but, header.name) &&
		    !upstream_headers_is_of_connection(fields, header.name) &&
		    header_add(out, &header) == -1)
			return -1;
	return 0;
}

/*
 * Responses.
 */

int
upstream_headers_filter(
    struct buf *out, struct headers fields, const char *list, const char *also)
{
	bool is_all = strcmp(list, "*") == 0;
	struct headers rest = fields;
	struct http_header header;

	while (headers_next(&rest, &header)) {
		struct part name = header.name;

		if (upstream_headers_may_pass(name.bytes, name.len) &&
		    (is_all || upstream_headers_is_in(list, name) ||
			upstream_headers_is_in(also, name)) &&
		    !upstream_headers_is_of_connection(fields, name) &&
		    header_add(out, &header) == -1)
			return -1;
	}
	return 0;
}

/* What it says to us. */
static void
upstream_headers_look(struct upstream_head *head,
    const struct http_header *header, int64_t now_us)
{
	struct part value = header->value;
	int64_t left;

	if (part_is(header->name, "date"))
		head->has_date = true;
	else if (part_is(header->name, "retry-after"))
		head->retry_us = retry_after_read(value, now_us);
	else if (part_is(header->name, "x-ratelimit-remaining") ||
		 part_is(header->name, "ratelimit-remaining"))
		head->is_used_up = num_read_int(value.bytes, value.len, 0,
				       INT64_MAX, &left) == 0 &&
				   left == 0;
	else if (part_is(header->name, "x-ratelimit-reset") ||
		 part_is(header->name, "ratelimit-reset"))
		head->reset_us = retry_after_reset(value, now_us);
}

/* Whether it is no length, or another one than one before it: who reads which
 * one takes another part of what follows for the body (RFC 9112, section 6.3).
 */
static bool
upstream_headers_is_bad_length(
    const struct upstream_head *head, const struct http_header *header)
{
	struct part value = header->value, before;
	int64_t length;

	if (!part_is(header->name, "content-length"))
		return false;
	return num_read_int(value.bytes, value.len, 0, INT64_MAX, &length) ==
		   -1 ||
	       (headers_find(
		    upstream_headers_of(head), "content-length", &before) &&
		   (before.len != value.len ||
		       memcmp(before.bytes, value.bytes, before.len) != 0));
}

/* "HTTP/1.1 200 OK" */
static int
upstream_headers_start(struct upstream_head *head, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);
	size_t at = blank ? (size_t)(blank - line) + 1 : len;
	int64_t status;

	upstream_headers_clear(head);
	if (len - at < 3 || num_read_int(line + at, 3, 100, 599, &status) == -1)
		return -1;
	head->status = (int)status;
	return 0;
}

static int
upstream_headers_take_field(
    struct upstream_head *head, const char *line, size_t len, int64_t now_us)
{
	struct headers rest = {line, len};
	struct http_header header;

	if (++head->count > UPSTREAM_FIELDS_MAX ||
	    buf_len(&head->lines) + len > UPSTREAM_HEAD_MAX ||
	    !headers_next(&rest, &header) || rest.len > 0 ||
	    !upstream_headers_is_token(header.name.bytes, header.name.len) ||
	    header.name.bytes != line ||
	    !upstream_headers_is_text(header.value.bytes, header.value.len) ||
	    upstream_headers_is_bad_length(head, &header))
		return -1;
	upstream_headers_look(head, &header, now_us);
	return header_add(&head->lines, &header);
}

/* A response without a date gets that of its receipt (RFC 9110, section
 * 6.6.1). */
static int
upstream_headers_finish(struct upstream_head *head, int64_t now_us)
{
	time_t now = (time_t)(now_us / 1000000);
	char date[40];
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
	    gmtime_r(&now, &tm));
	if (!head->has_date &&
	    buf_printf(&head->lines, "Date: %s\r\n", date) == -1)
		return -1;
	head->is_whole = true;
	return 0;
}

int
upstream_headers_take(
    struct upstream_head *head, const char *line, size_t len, int64_t now_us)
{
	int result = 0;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (head->is_whole)
		return 0; /* a trailer */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		result = upstream_headers_start(head, line, len);
	else if (len > 0)
		result = upstream_headers_take_field(head, line, len, now_us);
	else if (head->status >= 200)
		result = upstream_headers_finish(head, now_us);
	else if (head->status == 101) /* no one asked for that */
		result = -1;
	if (result == -1)
		head->is_bad = true;
	return result;
}

void
upstream_headers_clear(struct upstream_head *head)
{
	buf_free(&head->lines);
	*head = (struct upstream_head){0};
}
