/*
 * Job: lets headers pass, or not, and reads those that are for us.
 * Invariant: what is in ${lines} is whole lines, each a name, a colon and text
 * without control characters: nothing in it can end a head.
 * The heart: upstream_headers_take().
 */
#include "upstream/upstream_headers.h"

#include "base/num.h"
#include "upstream/retry_after.h"
#include "upstream/upstream.h"

#include <string.h>
#include <strings.h>

/* Of the connection; of the body's frame; what our client would take for ours:
 * how to reach us, our log-in. */
static const char headers_kept_back[] =
    "connection keep-alive proxy-connection proxy-authenticate "
    "proxy-authentication-info proxy-authorization te trailer "
    "transfer-encoding upgrade content-length host expect alt-svc "
    "strict-transport-security public-key-pins x-cache age "
    "x-content-type-options content-security-policy";

struct upstream_field {
	const char *name, *value;
	size_t name_len, value_len;
};

static bool
upstream_headers_is(const struct upstream_field *field, const char *name)
{
	return field->name_len == strlen(name) &&
	       strncasecmp(field->name, name, field->name_len) == 0;
}

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

/* Divide ${len} bytes, a line without its end.  Return whether it is one. */
static bool
upstream_headers_divide(
    struct upstream_field *field, const char *line, size_t len)
{
	const char *end = line + len, *colon = memchr(line, ':', len);
	const char *at;

	if (!colon)
		return false;
	at = colon + 1;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*field = (struct upstream_field){.name = line,
	    .value = at,
	    .name_len = (size_t)(colon - line),
	    .value_len = (size_t)(end - at)};
	return upstream_headers_is_token(field->name, field->name_len) &&
	       upstream_headers_is_text(field->value, field->value_len);
}

bool
upstream_headers_may_pass(const char *name, size_t len)
{
	return upstream_headers_is_token(name, len) &&
	       !upstream_list_has(headers_kept_back, name, len);
}

int
upstream_headers_pick(
    struct buf *out, const char *lines, size_t len, const char *list)
{
	const char *at = lines, *end = lines + len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		struct upstream_field field;

		if (!stop || stop == at)
			break;
		if (upstream_headers_divide(
			&field, at, (size_t)(stop - at) - 1) &&
		    upstream_list_has(list, field.name, field.name_len) &&
		    buf_printf(out, "%.*s: %.*s\r\n", (int)field.name_len,
			field.name, (int)field.value_len, field.value) == -1)
			return -1;
		at = stop + 1;
	}
	return 0;
}

/*
 * Responses.
 */

/* What it says to us. */
static void
upstream_headers_look(struct upstream_head *head,
    const struct upstream_field *field, int64_t now_us)
{
	const char *value = field->value;
	size_t len = field->value_len;
	int64_t left;

	if (upstream_headers_is(field, "date"))
		head->has_date = true;
	else if (upstream_headers_is(field, "retry-after"))
		head->retry_us = retry_after_read(value, len, now_us);
	else if (upstream_headers_is(field, "x-ratelimit-remaining") ||
		 upstream_headers_is(field, "ratelimit-remaining"))
		head->is_used_up =
		    num_read_int(value, len, 0, INT64_MAX, &left) == 0 &&
		    left == 0;
	else if (upstream_headers_is(field, "x-ratelimit-reset") ||
		 upstream_headers_is(field, "ratelimit-reset"))
		head->reset_us = retry_after_reset(value, len, now_us);
}

/* "a, b" becomes "a b ". */
static int
upstream_headers_note_dropped(
    struct upstream_head *head, const struct upstream_field *field)
{
	for (size_t i = 0; i < field->value_len; i++) {
		char c = field->value[i];

		if (buf_add(&head->dropped, c == ',' ? " " : &c, 1) == -1)
			return -1;
	}
	return buf_add(&head->dropped, " ", 1);
}

static int
upstream_headers_add(
    struct upstream_head *head, const struct upstream_field *field)
{
	return buf_printf(&head->lines, "%.*s: %.*s\r\n", (int)field->name_len,
	    field->name, (int)field->value_len, field->value);
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
upstream_headers_take_field(struct upstream_head *head, const char *line,
    size_t len, const char *list, int64_t now_us)
{
	struct upstream_field field;
	bool passes;

	if (++head->fields > UPSTREAM_FIELDS_MAX ||
	    buf_len(&head->lines) + buf_len(&head->dropped) + len >
		UPSTREAM_HEAD_MAX ||
	    !upstream_headers_divide(&field, line, len))
		return -1;
	if (upstream_headers_is(&field, "connection"))
		return upstream_headers_note_dropped(head, &field);
	upstream_headers_look(head, &field, now_us);
	passes = upstream_headers_may_pass(field.name, field.name_len) &&
		 (strcmp(list, "*") == 0 ||
		     upstream_list_has(list, field.name, field.name_len));
	return passes ? upstream_headers_add(head, &field) : 0;
}

int
upstream_headers_take(struct upstream_head *head, const char *line, size_t len,
    const char *list, int64_t now_us)
{
	int result = 0;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (head->is_whole)
		return 0; /* a trailer */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		result = upstream_headers_start(head, line, len);
	else if (len > 0)
		result =
		    upstream_headers_take_field(head, line, len, list, now_us);
	else if (head->status >= 200)
		result = upstream_headers_finish(head);
	if (result == -1)
		head->is_bad = true;
	return result;
}

int
upstream_headers_finish(struct upstream_head *head)
{
	struct buf all = head->lines;
	int result = 0;

	head->is_whole = true;
	if (buf_len(&head->dropped) == 0)
		return 0;
	if (buf_add(&head->dropped, "", 1) == -1)
		return -1;
	head->lines = (struct buf){0};
	for (const char *at = buf_data(&all), *end = at + buf_len(&all);
	     result == 0 && at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *colon = memchr(at, ':', (size_t)(end - at));

		if (!upstream_list_has(
			buf_data(&head->dropped), at, (size_t)(colon - at)))
			result =
			    buf_add(&head->lines, at, (size_t)(stop + 1 - at));
		at = stop + 1;
	}
	buf_free(&all);
	return result;
}

void
upstream_headers_clear(struct upstream_head *head)
{
	buf_free(&head->lines);
	buf_free(&head->dropped);
	*head = (struct upstream_head){0};
}
