#include "load.h"

#include <err.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A latency is counted under its highest bit and the SUB_BITS bits after that:
 * to 1/32 of its value, however large it is. */
#define SUB_BITS 5
#define BUCKETS  (64 << SUB_BITS)

enum decided_by { REDIS, MEMORY, DENYCACHE, FALLBACK, NONE, DECIDED_BY_COUNT };

static const char *const from_names[] = {
    "redis", "memory", "denycache", "fallback", "none"};

/* How a reply starts that is none of an error. */
static const char *const shapes[] = {
    [MODE_MULTI] = "*3\r",
    [MODE_RESP] = "*9\r",
    [MODE_GET] = "$",
    [MODE_EVALSHA] = "*3\r",
    [MODE_CELL] = "*5\r",
    [MODE_LOG] = ":",
    [MODE_HOLD_LOG] = ":",
};

/* Of the modes whose responses are lines, how many these are. */
static const int lines_each[MODE_HOLD_LOG + 1] = {
    [MODE_LINE] = 1,
    [MODE_MCONSUME] = 1,
    [MODE_CONSUMES] = KEYS_EACH,
    [MODE_HOLD] = HELD_EACH,
};

static struct {
	uint64_t replies;
	uint64_t errors;
	uint64_t allow;
	uint64_t deny;
	uint64_t nil; /* GET found nothing */
	uint64_t from[DECIDED_BY_COUNT];
	uint64_t latency[BUCKETS];
	char first_error[100];
} figures;

void
count_reset(void)
{
	memset(&figures, 0, sizeof(figures));
}

static unsigned
latency_bucket(uint64_t ns)
{
	unsigned shift;

	if (ns >> SUB_BITS == 0)
		return (unsigned)ns;
	shift = 63 - SUB_BITS - (unsigned)__builtin_clzll(ns);
	return (shift << SUB_BITS) + (unsigned)(ns >> shift);
}

void
count_latency(uint64_t ns)
{
	figures.latency[latency_bucket(ns)]++;
}

/* The middle of what is counted in bucket ${i}, in microseconds. */
static double
latency_us(unsigned i)
{
	unsigned shift = i >> SUB_BITS ? (i >> SUB_BITS) - 1 : 0;
	double low = ldexp(i - (shift << SUB_BITS), (int)shift);

	return (low + ldexp(0.5, (int)shift)) / 1000;
}

/* The latency that ${share} of the replies did not exceed. */
static double
percentile(double share)
{
	double below = share * (double)figures.replies;
	double seen = (double)figures.latency[0];
	unsigned i = 0;

	while (seen < below && i < BUCKETS - 1)
		seen += (double)figures.latency[++i];
	return latency_us(i);
}

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void
count_error(const char *at, const char *end)
{
	if (figures.errors++ == 0)
		snprintf(figures.first_error, sizeof(figures.first_error),
		    "%.*s", (int)(end - at), at);
}

/* Cut the last word off the line from ${at} to ${end} and return it. */
static const char *
cut_word(const char *at, const char **end)
{
	const char *blank = memrchr(at, ' ', (size_t)(*end - at));

	*end = blank ? blank : at;
	return blank ? blank + 1 : at;
}

static void
count_from(const char *at, const char *end)
{
	const char *word = cut_word(at, &end);

	if (starts_with(word, "key="))
		word = cut_word(at, &end);
	if (starts_with(word, "shadow="))
		word = cut_word(at, &end);
	if (!starts_with(word, "from="))
		return;
	for (int i = 0; i < DECIDED_BY_COUNT; i++)
		if (starts_with(word + strlen("from="), from_names[i]))
			figures.from[i]++;
}

static void
count_line(const char *at, const char *end)
{
	if (starts_with(at, "ALLOW "))
		figures.allow++;
	else if (starts_with(at, "DENY "))
		figures.deny++;
	else
		count_error(at, end);
	count_from(at, end);
}

/* What follows the line at ${at}, which ends before ${end}. */
static const char *
line_after(const char *at, const char *end)
{
	return (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
}

/* The end of the RESP value at ${at} if it is all there, else NULL. */
static const char *
resp_end(const char *at, const char *end)
{
	for (long values = 1; values > 0; values--) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		long skip = 0;

		if (!eol)
			return NULL;
		if (*at == '*')
			values += strtol(at + 1, NULL, 10);
		else if (*at == '$' && at[1] != '-')
			skip = strtol(at + 1, NULL, 10) + 2;
		if (end - (eol + 1) < skip)
			return NULL;
		at = eol + 1 + skip;
	}
	return at;
}

/* Repeat the decision from what the script read, as its caller has to: the
 * reply is seconds, microseconds, and the time at which the bucket is empty.
 * Return whether it is to allow. */
static bool
is_allowed(const char *at, const char *end)
{
	int64_t now_us, fill = 0;

	at = line_after(line_after(at, end), end);
	now_us = strtoll(at, NULL, 10) * 1000000;
	at = line_after(line_after(at, end), end);
	now_us += strtoll(at, NULL, 10);
	at = line_after(at, end);
	if (at[1] != '-')
		fill = strtoll(line_after(at, end), NULL, 10) - now_us;
	return fill <= (options.capacity - 1) * options.recharge_us;
}

static void
count_script(const char *at, const char *end)
{
	if (is_allowed(at, end))
		figures.allow++;
	else
		figures.deny++;
}

/* What EXEC replies: all of it is allowed, or it is denied. */
static void
count_scripts(const char *at, const char *end)
{
	bool all = true;

	at = line_after(at, end);
	for (int i = 0; i < KEYS_EACH; i++, at = resp_end(at, end)) {
		if (!starts_with(at, "*3\r")) {
			count_error(at, end);
			return;
		}
		all = is_allowed(at, end) && all;
	}
	if (all)
		figures.allow++;
	else
		figures.deny++;
}

/* 1: it was allowed, and released. */
static void
count_log(const char *at, const char *end)
{
	bool is_held = starts_with(at, ":1\r");

	if (options.mode == MODE_HOLD_LOG && is_held &&
	    !starts_with(line_after(at, end), ":1\r"))
		count_error(at, end);
	else if (is_held)
		figures.allow++;
	else
		figures.deny++;
}

/* Integers, the first of which is 1 or 0: whether it was allowed (CONSUME), or
 * limited (CL.THROTTLE). */
static void
count_decision(const char *at, const char *end)
{
	const char *value = line_after(at, end);
	bool is_cell = options.mode == MODE_CELL;

	if (starts_with(value, is_cell ? ":0\r" : ":1\r"))
		figures.allow++;
	else if (starts_with(value, is_cell ? ":1\r" : ":0\r"))
		figures.deny++;
	else
		count_error(at, end);
}

static void
count_resp(const char *at, const char *end)
{
	const char *shape = shapes[options.mode];

	if (!starts_with(at, shape))
		count_error(at, end);
	else if (options.mode == MODE_RESP || options.mode == MODE_CELL)
		count_decision(at, end);
	else if (options.mode == MODE_EVALSHA)
		count_script(at, end);
	else if (options.mode == MODE_MULTI)
		count_scripts(at, end);
	else if (options.mode == MODE_LOG || options.mode == MODE_HOLD_LOG)
		count_log(at, end);
	else if (at[1] == '-')
		figures.nil++;
}

/* The end of the response at ${at} if it is all there, else NULL. */
static const char *
http_end(const char *at, const char *end)
{
	const char *body = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
	const char *length;

	if (!body)
		return NULL;
	body += 4;
	length = memmem(at, (size_t)(body - at),
	    "Content-Length: ", strlen("Content-Length: "));
	if (length)
		body += strtol(length + strlen("Content-Length: "), NULL, 10);
	return body <= end ? body : NULL;
}

static void
count_http(const char *at, const char *end)
{
	if (starts_with(at, "HTTP/1.1 200 "))
		figures.allow++;
	else if (starts_with(at, "HTTP/1.1 429 ") ||
		 starts_with(at, "HTTP/1.1 403 "))
		figures.deny++;
	else
		count_error(at, end);
}

/* Pass over ${count} lines.  NULL: they are not all there. */
static const char *
skip_lines(const char *at, const char *end, int count)
{
	for (; at && count > 0; count--) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	return at;
}

/* Lines of responses, of which all are to be alike. */
static const char *
count_lines(const char *at, const char *end, int count)
{
	const char *after = skip_lines(at, end, count);

	for (; after && count > 1; count--, at = line_after(at, end))
		if (!starts_with(at, "ALLOW "))
			count_error(at, after);
	if (after)
		count_line(at, after - 1);
	return after;
}

const char *
count_reply(const char *at, const char *end)
{
	const char *after;

	if (lines_each[options.mode] > 0) {
		after = count_lines(at, end, lines_each[options.mode]);
		if (!after)
			return NULL;
	} else if (options.mode == MODE_HTTP || options.mode == MODE_CHECK) {
		after = http_end(at, end);
		if (!after)
			return NULL;
		count_http(at, after);
	} else {
		/* Before what EXEC replies: OK, and QUEUED of each. */
		if (options.mode == MODE_MULTI)
			at = skip_lines(at, end, 1 + KEYS_EACH);
		after = at ? resp_end(at, end) : NULL;
		if (after && options.mode == MODE_HOLD_LOG)
			after = after < end ? resp_end(after, end) : NULL;
		if (!after)
			return NULL;
		count_resp(at, after);
	}
	figures.replies++;
	return after;
}

void
count_print(double seconds)
{
	printf("replies_per_second=%.0f seconds=%.3f replies=%ju errors=%ju "
	       "allow=%ju deny=%ju nil=%ju",
	    (double)figures.replies / seconds, seconds,
	    (uintmax_t)figures.replies, (uintmax_t)figures.errors,
	    (uintmax_t)figures.allow, (uintmax_t)figures.deny,
	    (uintmax_t)figures.nil);
	for (int i = 0; i < DECIDED_BY_COUNT; i++)
		printf(
		    " from_%s=%ju", from_names[i], (uintmax_t)figures.from[i]);
	printf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f", percentile(0.5),
	    percentile(0.99), percentile(0.999));
	if (figures.errors > 0)
		warnx("first error: %s", figures.first_error);
}
