/*
 * Job: writes responses, decisions first of all.
 * Invariant: the length that a head states is that of the body behind it; what
 * has many elements is chunked, or ends with the connection.
 * The heart: http_write_decision().
 */
#include "protocol/http/http_write.h"

#include "base/num.h"
#include "limit/limit.h"
#include "protocol/http/http_ask.h"
#include "protocol/http/http_descriptors.h"
#include "protocol/http/http_page.h"
#include "protocol/http/http_head.h"
#include "protocol/quota.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Longest body of a decision, its constant parts and numbers counted high. */
#define BODY_MAX (2 * LIMIT_NAME_MAX + 2 * KEY_TEXT_MAX + 9 * NUM_MAX_LEN + 410)

/* Longest head of one, and of any other response. */
#define HEAD_MAX (2 * LIMIT_NAME_MAX + 12 * NUM_MAX_LEN + 700)

/* A response of known length. */
struct http_response {
	int status;
	const char *type;
	struct http_word body;
};

static const struct http_word http_nothing = {.bytes = ""};

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define DATE_LEN 29

/* Append a string literal.  A copy of known length is no call. */
#define PUT(to, literal)                                                       \
	((char *)memcpy(to, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *
http_put(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static char *
http_put_int(char *to, int64_t value)
{
	return to + num_write_int(to, value);
}

/* The Date header (RFC 9110, section 6.6.1), written once a second. */
static char *
http_put_date(char *to)
{
	static _Thread_local time_t written;
	static _Thread_local char text[DATE_LEN + 1];
	time_t now = time(NULL);
	struct tm date;

	if (now != written || !*text) {
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT",
		    gmtime_r(&now, &date));
		written = now;
	}
	to = PUT(to, "Date: ");
	memcpy(to, text, DATE_LEN);
	return PUT(to + DATE_LEN, "\r\n");
}

static char *
http_put_status(char *to, int status)
{
	if (status == 200)
		return PUT(to, "HTTP/1.1 200 OK\r\n");
	to = http_put_int(PUT(to, "HTTP/1.1 "), status);
	to = http_put(PUT(to, " "), http_status_text(status));
	return PUT(to, "\r\n");
}

/* What every response has. */
static char *
http_put_common(char *to, unsigned encoding, const char *type)
{
	to = http_put_date(to);
	to = http_put(PUT(to, "Content-Type: "), type);
	to = PUT(to, "\r\nCache-Control: no-store\r\n"
		     "X-Content-Type-Options: nosniff\r\n");
	if (!(encoding & HTTP_KEEPS))
		return PUT(to, "Connection: close\r\n");
	return encoding & HTTP_IS_OLD ? PUT(to, "Connection: keep-alive\r\n")
				      : to;
}

/* The last header, and the end of the head. */
static char *
http_put_length(char *to, size_t len)
{
	to = http_put_int(PUT(to, "Content-Length: "), (int64_t)len);
	return PUT(to, "\r\n\r\n");
}

/*
 * Decisions.
 */

static char *
http_put_standard(char *to, const struct quota *quota)
{
	to = http_put(PUT(to, "RateLimit-Policy: \""), quota->limit);
	to = http_put_int(PUT(to, "\";q="), quota->capacity);
	to = http_put_int(PUT(to, ";w="), quota->window);
	to = http_put(PUT(to, "\r\nRateLimit: \""), quota->limit);
	to = http_put_int(PUT(to, "\";r="), quota->remaining);
	if (quota->wait > 0)
		to = http_put_int(PUT(to, ";t="), quota->wait);
	return PUT(to, "\r\n");
}

static char *
http_put_legacy(char *to, const struct quota *quota)
{
	to = http_put_int(PUT(to, "X-RateLimit-Limit: "), quota->capacity);
	to = http_put_int(
	    PUT(to, "\r\nX-RateLimit-Remaining: "), quota->remaining);
	to = http_put_int(PUT(to, "\r\nX-RateLimit-Reset: "), quota->reset);
	return PUT(to, "\r\n");
}

/* The headers that are a decision's own. */
static char *
http_put_headers(char *to, unsigned encoding, const struct check *check)
{
	const struct quota quota = quota_of(check);

	if (quota.limit && (encoding & HTTP_STANDARD))
		to = http_put_standard(to, &quota);
	if (quota.limit && (encoding & HTTP_LEGACY))
		to = http_put_legacy(to, &quota);
	if (quota.retry > 0)
		to = PUT(http_put_int(PUT(to, "Retry-After: "), quota.retry),
		    "\r\n");
	if (!(encoding & (HTTP_STANDARD | HTTP_LEGACY)) &&
	    check->decided_by != DECIDED_BY_FALLBACK)
		return to;
	to = http_put(
	    PUT(to, "X-Dripgate-From: "), decided_by_name(check->decided_by));
	return PUT(to, "\r\n");
}

static char *
http_put_seconds(char *to, int64_t us)
{
	return us == RETRY_NEVER ? PUT(to, "null")
				 : to + num_write_seconds(to, us);
}

/* The key of text that decides, if there are several. */
static char *
http_put_key(char *to, const struct key *key)
{
	to = PUT(to, ",\"key\":\"");
	for (size_t i = 0; i < key->len; i++) {
		if (key->bytes[i] == '"' || key->bytes[i] == '\\')
			*to++ = '\\';
		*to++ = key->bytes[i];
	}
	return PUT(to, "\"");
}

/* The fields of a decision, as the line protocol has them. */
static char *
http_put_fields(char *to, const struct check *check)
{
	const struct decision *decision = &check->decision;

	to = decision->allowed ? PUT(to, "\"allowed\":true,\"limit\":")
			       : PUT(to, "\"allowed\":false,\"limit\":");
	if (check->limit)
		to = PUT(http_put(PUT(to, "\""), check->limit->name), "\"");
	else
		to = PUT(to, "null");
	to = http_put_int(PUT(to, ",\"level\":"), decision->level);
	to = http_put_int(PUT(to, ",\"capacity\":"),
	    check->limit ? check->limit->capacity : 0);
	to = http_put_seconds(PUT(to, ",\"next\":"), decision->next_us);
	to = http_put_seconds(PUT(to, ",\"retry\":"), decision->retry_us);
	to = http_put_seconds(PUT(to, ",\"blocked\":"), decision->blocked_us);
	to = http_put(
	    PUT(to, ",\"from\":\""), decided_by_name(check->decided_by));
	to = check->shadow_denied ? PUT(to, "\",\"shadow\":\"deny\"")
				  : PUT(to, "\"");
	if (check_told_key(check))
		to = http_put_key(to, check_told_key(check));
	if (check_is_take(check))
		to = http_put_int(PUT(to, ",\"taken\":"), decision->taken);
	return PUT(to, "}");
}

/* What a denial is (RFC 9457). */
static char *
http_put_denial(char *to, const struct check *check, int status)
{
	if (check->limit) {
		to = PUT(to, "{\"type\":\"https://iana.org/assignments/"
			     "http-problem-types#quota-exceeded\",\"title\":"
			     "\"Request cannot be satisfied as assigned quota "
			     "has been exceeded\",\"violated-policies\":[\"");
		to = PUT(http_put(to, check->limit->name), "\"],\"status\":");
	} else {
		to = PUT(to, "{\"type\":\"about:blank\",\"title\":\"No limit "
			     "matches this key\",\"status\":");
	}
	return PUT(http_put_int(to, status), ",");
}

/*
 * Elements.
 */

static enum http_part
http_part_of(unsigned encoding)
{
	return (enum http_part)(encoding >> HTTP_PART_SHIFT & 7);
}

/* Append an element: its separator, itself, and, behind the last, the end. */
static int
http_write_piece(
    struct buf *out, unsigned encoding, const char *text, size_t len)
{
	enum http_part part = http_part_of(encoding);
	bool starts = part == HTTP_FIRST || part == HTTP_ONLY;
	bool ends = part == HTTP_LAST || part == HTTP_ONLY;
	const char *before = starts ? "[" : ",\n";
	const char *after = ends ? "]\n" : "";
	size_t total = strlen(before) + len + strlen(after);

	if (encoding & HTTP_IS_OLD)
		return buf_printf(
		    out, "%s%.*s%s", before, (int)len, text, after);
	return buf_printf(out, "%zx\r\n%s%.*s%s\r\n%s", total, before, (int)len,
	    text, after, ends ? "0\r\n\r\n" : "");
}

/* What goes before the first part of a body of unknown length. */
static int
http_write_open_head(struct buf *out, unsigned encoding, const char *type)
{
	char head[HEAD_MAX];
	char *to = http_put_status(head, 200);

	to = http_put_common(to, encoding, type);
	to = encoding & HTTP_IS_OLD
		 ? PUT(to, "\r\n")
		 : PUT(to, "Transfer-Encoding: chunked\r\n\r\n");
	return buf_add(out, head, (size_t)(to - head));
}

static int
http_write_element(
    struct buf *out, unsigned encoding, const char *text, size_t len)
{
	enum http_part part = http_part_of(encoding);

	if ((part == HTTP_FIRST || part == HTTP_ONLY) &&
	    http_write_open_head(out, encoding, "application/json") == -1)
		return -1;
	return http_write_piece(out, encoding, text, len);
}

/*
 * The calls of the header.
 */

int
http_write_decision(
    struct buf *out, unsigned encoding, const struct check *check)
{
	int denied = (int)(encoding >> HTTP_DENY_SHIFT);
	int status = check->decision.allowed ? 200 : denied ? denied : 429;
	char body[BODY_MAX], *room, *to = body;
	bool is_element = http_part_of(encoding) != HTTP_WHOLE;
	size_t len;

	if (http_path_of(encoding)->takes == HTTP_TAKES_DESCRIPTORS)
		return http_descriptors_write(out, encoding, check);
	to = check->decision.allowed || is_element
		 ? PUT(to, "{")
		 : http_put_denial(to, check, status);
	to = http_put_fields(to, check);
	if (is_element)
		return http_write_element(
		    out, encoding, body, (size_t)(to - body));
	to = PUT(to, "\n");
	len = (size_t)(to - body);
	room = buf_reserve(out, HEAD_MAX + BODY_MAX);
	if (!room)
		return -1;
	to = http_put_status(room, status);
	to = http_put_common(to, encoding,
	    check->decision.allowed ? "application/json"
				    : "application/problem+json");
	to = http_put_headers(to, encoding, check);
	to = http_put_length(to, len);
	if (!(encoding & HTTP_NO_BODY)) {
		memcpy(to, body, len);
		to += len;
	}
	buf_commit(out, (size_t)(to - room));
	return 0;
}

/* "Allow: GET, HEAD" */
static char *
http_put_allow(char *to, unsigned encoding)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
#define X(name, bit) {#name, HTTP_##name},
	    HTTP_METHODS(X)
#undef X
	};
	const struct http_path *path = http_path_of(encoding);
	const char *before = "Allow: ";

	for (size_t i = 0; i < COUNT(methods); i++) {
		if (!http_path_takes(path, methods[i].method))
			continue;
		to = http_put(http_put(to, before), methods[i].name);
		before = ", ";
	}
	return PUT(to, "\r\n");
}

/* How to log in, to us or, ${what} Proxy, at what a proxy asks. */
static char *
http_put_challenge(char *to, const char *what)
{
	to = PUT(http_put(to, what), "-Authenticate: Basic realm=\"dripgate\", "
				     "charset=\"UTF-8\"\r\n");
	return PUT(
	    http_put(to, what), "-Authenticate: Bearer realm=\"dripgate\"\r\n");
}

/* Longest headers of others in one of ours. */
#define MORE_MAX 200

static int
http_write_with(struct buf *out, unsigned encoding,
    const struct http_response *response, const struct http_word *more)
{
	char head[HEAD_MAX + MORE_MAX], *to = head;
	const char *type = response->type;
	const struct http_word *body = &response->body;
	int status = response->status;

	to = http_put_common(http_put_status(to, status), encoding, type);
	if (strcmp(type, HTTP_HTML) == 0)
		to = http_put(to, http_page_policy);
	if (status == 405 && more->len == 0)
		to = http_put_allow(to, encoding);
	if (status == 401)
		to = http_put_challenge(to, "WWW");
	if (status == 407)
		to = http_put_challenge(to, "Proxy");
	assert(more->len <= MORE_MAX);
	memcpy(to, more->bytes, more->len);
	to = http_put_length(to + more->len, body->len);
	if (buf_add(out, head, (size_t)(to - head)) == -1)
		return -1;
	if (encoding & HTTP_NO_BODY)
		return 0;
	return buf_add(out, body->bytes, body->len);
}

int
http_write_response(struct buf *out, unsigned encoding, int status,
    const char *type, const struct http_word *body)
{
	const struct http_response response = {status, type, *body};

	return http_write_with(out, encoding, &response, &http_nothing);
}

int
http_write_problem(
    struct buf *out, unsigned encoding, const struct http_problem *problem)
{
	return http_write_problem_with(out, encoding, problem, &http_nothing);
}

int
http_write_problem_with(struct buf *out, unsigned encoding,
    const struct http_problem *problem, const struct http_word *more)
{
	char text[400];
	int len;

	if (http_part_of(encoding) != HTTP_WHOLE) {
		len = snprintf(text, sizeof(text),
		    "{\"error\":\"%s\",\"detail\":\"%s\"}", problem->code,
		    problem->text);
		return http_write_element(out, encoding, text, (size_t)len);
	}
	len = snprintf(text, sizeof(text),
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
	    "\"code\":\"%s\",\"detail\":\"%s\"}\n",
	    http_status_text(problem->status), problem->status, problem->code,
	    problem->text);
	return http_write_with(out, encoding,
	    &(struct http_response){problem->status, "application/problem+json",
		{.bytes = text, .len = (size_t)len}},
	    more);
}

int
http_write_text(struct buf *out, unsigned encoding, const char *type,
    const char *text, size_t len)
{
	return http_write_response(out, encoding, 200, type,
	    &(struct http_word){.bytes = text, .len = len});
}

/* The body of an old client ends with the connection. */
static int
http_write_part(struct buf *out, unsigned encoding, const struct rows *rows)
{
	if (encoding & HTTP_NO_BODY || (rows->len == 0 && !rows->last))
		return 0;
	if (encoding & HTTP_IS_OLD)
		return buf_add(out, rows->text, rows->len);
	if (rows->len == 0)
		return buf_printf(out, "0\r\n\r\n");
	if (buf_printf(out, "%zx\r\n", rows->len) == -1 ||
	    buf_add(out, rows->text, rows->len) == -1)
		return -1;
	return buf_printf(out, "\r\n%s", rows->last ? "0\r\n\r\n" : "");
}

int
http_write_rows(struct buf *out, unsigned encoding, const char *type,
    const struct rows *rows)
{
	if (rows->first && rows->last)
		return http_write_text(
		    out, encoding, type, rows->text, rows->len);
	if (rows->first && http_write_open_head(out, encoding, type) == -1)
		return -1;
	return http_write_part(out, encoding, rows);
}

int
http_write_continue(struct buf *out)
{
	return buf_printf(out, "HTTP/1.1 100 Continue\r\n\r\n");
}
