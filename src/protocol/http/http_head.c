/*
 * Job: reads the head of a request, line by line.
 * Invariant: spans lie within the lines that were taken.
 * The heart: http_head_line(), and fields[], what is done with each header.
 */
#include "protocol/http/http_head.h"

#include "base/attr.h"

#include <string.h>
#include <strings.h>

bool
http_is(const char *bytes, size_t len, const char *text)
{
	return len == strlen(text) && strncasecmp(bytes, text, len) == 0;
}

/* RFC 9110, section 5.6.2. */
static bool
http_is_token(const char *bytes, size_t len)
{
	static const bool is_token[256] = {
	    ['!'] = 1,
	    ['#'] = 1,
	    ['$'] = 1,
	    ['%'] = 1,
	    ['&'] = 1,
	    ['\''] = 1,
	    ['*'] = 1,
	    ['+'] = 1,
	    ['-'] = 1,
	    ['.'] = 1,
	    ['^'] = 1,
	    ['_'] = 1,
	    ['`'] = 1,
	    ['|'] = 1,
	    ['~'] = 1,
	    ['0' ... '9'] = 1,
	    ['A' ... 'Z'] = 1,
	    ['a' ... 'z'] = 1,
	};

	for (size_t i = 0; i < len; i++)
		if (!is_token[(unsigned char)bytes[i]])
			return false;
	return len > 0;
}

static bool
http_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool
http_is_text(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if ((c < ' ' && c != '\t') || c == 0x7F)
			return false;
	}
	return true;
}

/*
 * The request line.
 */

/* HTTP_GET, or 0: none of ours. */
static unsigned
http_find_method(const char *bytes, size_t len)
{
	static const struct {
		const char *name;
		size_t len;
		enum http_method method;
	} methods[] = {
#define X(name, bit) {#name, sizeof(#name) - 1, HTTP_##name},
	    HTTP_METHODS(X)
#undef X
	};

	for (size_t i = 0; i < COUNT(methods); i++)
		if (len == methods[i].len &&
		    memcmp(bytes, methods[i].name, len) == 0)
			return methods[i].method;
	return 0;
}

static struct http_span
http_span(size_t at, size_t len)
{
	return (struct http_span){(uint16_t)at, (uint16_t)len};
}

/* Whether it may be a host and a port: no more is looked at. */
static bool
http_is_host(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~' ||
		    strchr("/?#@\\\"<>^`{|}", bytes[i]))
			return false;
	return true;
}

/* "http://host:port/path?query"; ${at} is behind the slashes. */
static const struct http_problem *
http_read_absolute(
    struct http_head *head, const struct http_line *target, size_t at)
{
	size_t end = target->at + target->len, host = at;

	while (at < end && target->head[at] != '/' && target->head[at] != '?')
		at++;
	if (at == host || !http_is_host(target->head + host, at - host))
		return HTTP_PROBLEM(BADTARGET);
	head->is_absolute = true;
	head->host = http_span(host, at - host);
	head->target = http_span(at, end - at);
	return NULL;
}

static const struct http_problem *
http_read_target(struct http_head *head, const struct http_line *target)
{
	static const char *const schemes[] = {"http://", "https://"};
	const char *bytes = target->head + target->at;

	for (size_t i = 0; i < target->len; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~' || bytes[i] == '#')
			return HTTP_PROBLEM(BADTARGET);
	head->target = http_span(target->at, target->len);
	if (bytes[0] == '/' || (target->len == 1 && bytes[0] == '*' &&
				   head->method == HTTP_OPTIONS))
		return NULL;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (target->len > len &&
		    strncasecmp(bytes, schemes[i], len) == 0)
			return http_read_absolute(
			    head, target, target->at + len);
	}
	return HTTP_PROBLEM(BADTARGET);
}

static const struct http_problem *
http_read_version(struct http_head *head, const char *bytes, size_t len)
{
	if (len != 8 || memcmp(bytes, "HTTP/", 5) != 0 || bytes[5] < '0' ||
	    bytes[5] > '9' || bytes[6] != '.' || bytes[7] < '0' ||
	    bytes[7] > '9')
		return HTTP_PROBLEM(BADLINE);
	if (bytes[5] != '1')
		return HTTP_PROBLEM(VERSION);
	head->is_old = bytes[7] == '0';
	return NULL;
}

const struct http_problem *
http_head_line(struct http_head *head, const struct http_line *line)
{
	const char *bytes = line->head + line->at, *end = bytes + line->len;
	const char *target = memchr(bytes, ' ', line->len);
	const char *version =
	    target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
	const struct http_problem *problem;

	if (!version || version == target + 1 ||
	    !http_is_token(bytes, (size_t)(target - bytes)))
		return HTTP_PROBLEM(BADLINE);
	problem =
	    http_read_version(head, version + 1, (size_t)(end - version - 1));
	if (problem)
		return problem;
	head->method = http_find_method(bytes, (size_t)(target - bytes));
	if (!head->method)
		return HTTP_PROBLEM(NOMETHOD);
	return http_read_target(head,
	    &(struct http_line){line->head, (size_t)(target + 1 - line->head),
		(size_t)(version - target - 1)});
}

/*
 * Headers.  Each call takes the value of one.
 */

static const struct http_problem *
http_field_host(struct http_head *head, const struct http_line *value)
{
	if (head->has_host ||
	    !http_is_host(value->head + value->at, value->len))
		return HTTP_PROBLEM(BADHOST);
	head->has_host = true;
	if (!head->is_absolute)
		head->host = http_span(value->at, value->len);
	return NULL;
}

/* A number too large for us may be too large for anything. */
static const struct http_problem *
http_field_length(struct http_head *head, const struct http_line *value)
{
	const char *bytes = value->head + value->at;
	int64_t length = 0;

	if (head->has_length || value->len == 0)
		return HTTP_PROBLEM(BADLENGTH);
	for (size_t i = 0; i < value->len; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			return HTTP_PROBLEM(BADLENGTH);
		if (length <= HTTP_BODY_MAX)
			length = 10 * length + bytes[i] - '0';
	}
	head->has_length = true;
	head->length = length;
	return NULL;
}

static const struct http_problem *
http_field_coding(struct http_head *head, const struct http_line *value)
{
	if (head->is_chunked)
		return HTTP_PROBLEM(BADLENGTH);
	if (!http_is(value->head + value->at, value->len, "chunked"))
		return HTTP_PROBLEM(CODING);
	head->is_chunked = true;
	return NULL;
}

/* A list of words with commas. */
static const struct http_problem *
http_field_connection(struct http_head *head, const struct http_line *value)
{
	const char *at = value->head + value->at, *end = at + value->len;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;
		const char *next = comma ? comma + 1 : end;

		while (at < stop && http_is_blank(*at))
			at++;
		while (stop > at && http_is_blank(stop[-1]))
			stop--;
		head->says_close |= http_is(at, (size_t)(stop - at), "close");
		head->says_keep |=
		    http_is(at, (size_t)(stop - at), "keep-alive");
		at = next;
	}
	return NULL;
}

/* Any quality will do but none: who names it can read it. */
static const struct http_problem *
http_field_accept(struct http_head *head, const struct http_line *value)
{
	static const char wanted[] = "application/openmetrics-text";
	const char *at = value->head + value->at, *end = at + value->len;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;
		size_t len;

		while (at < stop && http_is_blank(*at))
			at++;
		for (len = 0; at + len < stop && at[len] != ';' &&
			      !http_is_blank(at[len]);
		     len++)
			;
		head->accepts_openmetrics |= http_is(at, len, wanted);
		at = comma ? comma + 1 : end;
	}
	return NULL;
}

static const struct http_problem *
http_field_expect(struct http_head *head, const struct http_line *value)
{
	if (!http_is(value->head + value->at, value->len, "100-continue"))
		return HTTP_PROBLEM(BADEXPECT);
	head->expects = true;
	return NULL;
}

static const struct http_problem *
http_field_origin(struct http_head *head, const struct http_line *value)
{
	if (head->has_origin)
		return HTTP_PROBLEM(TWICE);
	head->has_origin = true;
	head->origin = http_span(value->at, value->len);
	return NULL;
}

static const struct http_problem *
http_field_login(struct http_head *head, const struct http_line *value)
{
	if (head->has_login)
		return HTTP_PROBLEM(TWICE);
	head->has_login = true;
	head->login = http_span(value->at, value->len);
	return NULL;
}

static const struct http_problem *
http_field_proxy_login(struct http_head *head, const struct http_line *value)
{
	if (head->has_proxy_login)
		return HTTP_PROBLEM(TWICE);
	head->has_proxy_login = true;
	head->proxy_login = http_span(value->at, value->len);
	return NULL;
}

/* "same-site" is another port of this host, or its neighbour. */
static const struct http_problem *
http_field_site(struct http_head *head, const struct http_line *value)
{
	const char *bytes = value->head + value->at;

	head->has_site = true;
	if (!http_is(bytes, value->len, "same-origin") &&
	    !http_is(bytes, value->len, "none"))
		head->is_other_site = true;
	return NULL;
}

/* All browsers say that they are Mozilla. */
static const struct http_problem *
http_field_agent(struct http_head *head, const struct http_line *value)
{
	static const char browser[] = "Mozilla/";
	size_t len = sizeof(browser) - 1;

	head->is_browser |=
	    value->len >= len &&
	    strncasecmp(value->head + value->at, browser, len) == 0;
	return NULL;
}

static const struct http_problem *
http_field_type(struct http_head *head, const struct http_line *value)
{
	const char *bytes = value->head + value->at;
	const char *end = memchr(bytes, ';', value->len);
	size_t len = end ? (size_t)(end - bytes) : value->len;

	if (head->type != HTTP_TYPE_NONE)
		return HTTP_PROBLEM(TWICE);
	while (len > 0 && http_is_blank(bytes[len - 1]))
		len--;
	if (http_is(bytes, len, "application/x-www-form-urlencoded"))
		head->type = HTTP_TYPE_FORM;
	else if (http_is(bytes, len, "application/json"))
		head->type = HTTP_TYPE_JSON;
	else
		head->type = HTTP_TYPE_OTHER;
	return NULL;
}

static const struct {
	const char *name;
	size_t len;
	const struct http_problem *(*take)(
	    struct http_head *head, const struct http_line *value);
} fields[] = {
#define ROW(name, take)                                                        \
	{                                                                      \
		name, sizeof(name) - 1, take                                   \
	}
    ROW("host", http_field_host),
    ROW("content-length", http_field_length),
    ROW("transfer-encoding", http_field_coding),
    ROW("connection", http_field_connection),
    ROW("accept", http_field_accept),
    ROW("expect", http_field_expect),
    ROW("authorization", http_field_login),
    ROW("proxy-authorization", http_field_proxy_login),
    ROW("origin", http_field_origin),
    ROW("sec-fetch-site", http_field_site),
    ROW("user-agent", http_field_agent),
    ROW("content-type", http_field_type),
#undef ROW
};

/* Divide a line into name and value. */
const struct http_problem *
http_head_split(const struct http_line *line, struct http_line *value)
{
	const char *start = line->head + line->at, *end = start + line->len;
	const char *colon = memchr(start, ':', line->len);
	const char *at;

	/* A line that starts with a blank goes on with the one before. */
	if (!colon || !http_is_token(start, (size_t)(colon - start)))
		return HTTP_PROBLEM(BADFIELD);
	at = colon + 1;
	while (at < end && http_is_blank(*at))
		at++;
	while (end > at && http_is_blank(end[-1]))
		end--;
	*value = (struct http_line){
	    line->head, (size_t)(at - line->head), (size_t)(end - at)};
	return http_is_text(at, value->len) ? NULL : HTTP_PROBLEM(BADFIELD);
}

const struct http_problem *
http_head_field(struct http_head *head, const struct http_line *line)
{
	const char *name = line->head + line->at;
	struct http_line value;
	const struct http_problem *problem = http_head_split(line, &value);

	if (problem)
		return problem;
	if (++head->fields > HTTP_FIELDS_MAX)
		return HTTP_PROBLEM(BIGHEAD);
	for (size_t i = 0; i < COUNT(fields); i++)
		if (name[fields[i].len < line->len ? fields[i].len : 0] ==
			':' &&
		    strncasecmp(name, fields[i].name, fields[i].len) == 0)
			return fields[i].take(head, &value);
	return NULL;
}

/* All headers were read: check them as a whole. */
const struct http_problem *
http_head_finish(struct http_head *head)
{
	if (!head->has_host && !head->is_old)
		return HTTP_PROBLEM(BADHOST);
	if (head->is_chunked && (head->has_length || head->is_old))
		return HTTP_PROBLEM(BADLENGTH);
	if (head->length > HTTP_BODY_MAX)
		return HTTP_PROBLEM(BIGBODY);
	head->has_host |= head->is_absolute;
	head->keeps = !head->says_close && (!head->is_old || head->says_keep);
	head->expects &= !head->is_old;
	return NULL;
}

const struct http_problem *
http_head_check_body(const struct http_head *head)
{
	if (!http_head_has_body(head)) {
		bool ambiguous = head->method == HTTP_POST &&
				 !head->has_length &&
				 (head->is_old || head->type != HTTP_TYPE_NONE);

		return ambiguous ? HTTP_PROBLEM(NOLENGTH) : NULL;
	}
	if (head->method != HTTP_POST)
		return HTTP_PROBLEM(BADBODY);
	return head->type == HTTP_TYPE_FORM || head->type == HTTP_TYPE_JSON
		   ? NULL
		   : HTTP_PROBLEM(BADTYPE);
}
