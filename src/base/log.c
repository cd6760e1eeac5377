/*
 * Decides which lines of the log are written, and formats them.  Holds: a line
 * is written whole, or counted as lost.  The heart is log_write_line().
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_sink.h"
#include "base/siphash.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Longest line, its newline included; what is longer is cut. */
#define LINE_MAX_LEN 1024

/* Shortest time between two lines of one kind. */
#define PACE_US INT64_C(10000000)

/* Number of recent lines that are remembered. */
#define SAID_MAX 16

static atomic_int level = LOG_LEVEL_INFO;
static atomic_int form = LOG_FORMAT_TEXT;
static atomic_uint lost; /* lines that were lost and not yet reported */

void
log_set_level(enum log_level value)
{
	atomic_store_explicit(&level, value, memory_order_relaxed);
}

void
log_set_format(enum log_format value)
{
	atomic_store_explicit(&form, value, memory_order_relaxed);
}

static const char *
log_level_name(enum log_level value)
{
	switch (value) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "";
}

/* Write one byte as it is to be shown; return the length, 1 or 4. */
static size_t
log_escape_byte(char *to, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	if (byte >= 0x20 && byte <= 0x7E) {
		to[0] = (char)byte;
		return 1;
	}
	to[0] = '\\';
	to[1] = 'x';
	to[2] = digits[byte >> 4];
	to[3] = digits[byte & 15];
	return 4;
}

/* Write a text as a string of JSON, without its quotes; return the length. What
 * does not fit is cut. */
static size_t
log_quote(char *to, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text; text++) {
		char shown[4], quoted[8];
		size_t len = log_escape_byte(shown, (unsigned char)*text);
		size_t step = 0;

		for (size_t i = 0; i < len; i++) {
			if (shown[i] == '"' || shown[i] == '\\')
				quoted[step++] = '\\';
			quoted[step++] = shown[i];
		}
		if (step > size - used)
			break;
		memcpy(to + used, quoted, step);
		used += step;
	}
	return used;
}

/* Write what comes before the message to ${line}; return its length. */
static size_t
log_write_head(
    char *line, size_t size, enum log_level value, enum log_format format)
{
	const char *name = log_level_name(value);
	char stamp[32], priority[16] = "";
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (log_sink_is_journal())
		snprintf(priority, sizeof(priority), "<%d>", (int)value);
	if (format == LOG_FORMAT_JSON)
		return (size_t)snprintf(line, size,
		    "%s{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"",
		    priority, stamp, name);
	if (*priority)
		return (size_t)snprintf(line, size, "%s", priority);
	return (size_t)snprintf(line, size, "%s %s: ", stamp, name);
}

/* Return whether the line was taken. */
static bool
log_write_message(enum log_level value, const char *text)
{
	static const char end[] = "\"}";
	enum log_format format =
	    atomic_load_explicit(&form, memory_order_relaxed);
	char line[LINE_MAX_LEN];
	size_t len = log_write_head(line, sizeof(line), value, format);
	size_t room = sizeof(line) - len - 1; /* for the newline */

	if (format == LOG_FORMAT_JSON) {
		len += log_quote(line + len, room - strlen(end), text);
		memcpy(line + len, end, strlen(end));
		len += strlen(end);
	} else {
		size_t text_len = strlen(text);

		memcpy(line + len, text, text_len < room ? text_len : room);
		len += text_len < room ? text_len : room;
	}
	line[len++] = '\n';
	return log_sink_write(line, len);
}

void
log_say_lost(void)
{
	char text[80];
	unsigned count = atomic_exchange(&lost, 0);

	if (count == 0)
		return;
	snprintf(text, sizeof(text),
	    "%u log lines were lost: standard error was not read", count);
	if (!log_write_message(LOG_LEVEL_WARNING, text))
		lost += count;
}

PRINTF_LIKE(2, 0)
static void
log_write_line(enum log_level value, const char *format, va_list args)
{
	char text[LINE_MAX_LEN];
	int saved_errno = errno;

	if ((int)value > atomic_load_explicit(&level, memory_order_relaxed))
		return;
	log_say_lost();
	errno = saved_errno; /* for %m */
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		*text = '\0';
	if (lost > 0 || !log_write_message(value, text))
		lost++;
	errno = saved_errno;
}

/* Whether no thread logged the same text within PACE_US.  If so, remember that
 * this one does. */
PRINTF_LIKE(1, 0)
static bool
log_is_news(const char *format, va_list args)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct said {
		uint64_t hash; /* of the text */
		int64_t at_us;
	} said[SAID_MAX];
	static const struct siphash_seed seed;
	char text[LINE_MAX_LEN];
	struct said *oldest = said;
	int64_t now_us = clock_us();
	bool result = true;
	uint64_t hash;

	vsnprintf(text, sizeof(text), format, args);
	hash = siphash128(&seed, text, strlen(text)).lo;
	pthread_mutex_lock(&lock);
	for (struct said *one = said; one < said + SAID_MAX; one++) {
		if (one->hash == hash && now_us - one->at_us < PACE_US)
			result = false;
		if (one->at_us < oldest->at_us)
			oldest = one;
	}
	if (result)
		*oldest = (struct said){hash, now_us};
	pthread_mutex_unlock(&lock);
	return result;
}

#define DEFINE_LOG(name, value)                                                \
	void log_##name(const char *format, ...)                               \
	{                                                                      \
		va_list args;                                                  \
                                                                               \
		va_start(args, format);                                        \
		log_write_line(value, format, args);                           \
		va_end(args);                                                  \
	}

DEFINE_LOG(error, LOG_LEVEL_ERROR)
DEFINE_LOG(warning, LOG_LEVEL_WARNING)
DEFINE_LOG(info, LOG_LEVEL_INFO)
DEFINE_LOG(debug, LOG_LEVEL_DEBUG)

static bool
log_passes(struct log_limiter *limiter)
{
	int64_t now_us = clock_us();

	if (!limiter)
		return true;
	if (limiter->passed_us && now_us - limiter->passed_us < PACE_US)
		return false;
	limiter->passed_us = now_us;
	return true;
}

bool
log_limited(
    struct log_limiter *limiter, enum log_level value, const char *format, ...)
{
	va_list args, copy;

	if (!log_passes(limiter))
		return false;
	va_start(args, format);
	va_copy(copy, args);
	if (log_is_news(format, copy))
		log_write_line(value, format, args);
	va_end(copy);
	va_end(args);
	return true;
}

char *
log_escape(char *to, size_t size, const char *bytes, size_t len)
{
	size_t max = size - 1;
	size_t used = 0, cut = 0;

	if (size == 0)
		return to;
	for (size_t i = 0; i < len; i++) {
		char shown[4];
		size_t step = log_escape_byte(shown, (unsigned char)bytes[i]);

		/* Where the dots go if the rest does not fit. */
		if (used + 3 <= max)
			cut = used;
		if (used + step > max) {
			used = max < 3 ? max : cut + 3;
			memcpy(to + cut, "...", used - cut);
			break;
		}
		memcpy(to + used, shown, step);
		used += step;
	}
	to[used] = '\0';
	return to;
}
