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
static atomic_uint lost; /* lines that were lost and not yet reported */

void
log_set_level(enum log_level value)
{
	atomic_store_explicit(&level, value, memory_order_relaxed);
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

/* Write what comes before the message to ${line}; return its length. */
static size_t
log_write_head(char *line, size_t size, enum log_level value)
{
	time_t now = time(NULL);
	struct tm tm;
	size_t len;

	if (log_sink_is_journal())
		return (size_t)snprintf(line, size, "<%d>", (int)value);
	gmtime_r(&now, &tm);
	len = strftime(line, size, "%Y-%m-%dT%H:%M:%SZ ", &tm);
	return len + (size_t)snprintf(
			 line + len, size - len, "%s: ", log_level_name(value));
}

void
log_say_lost(void)
{
	char line[LINE_MAX_LEN];
	unsigned count = atomic_exchange(&lost, 0);
	size_t len;

	if (count == 0)
		return;
	len = log_write_head(line, sizeof(line), LOG_LEVEL_WARNING);
	len += (size_t)snprintf(line + len, sizeof(line) - len,
	    "%u log lines were lost: standard error was not read\n", count);
	if (!log_sink_write(line, len))
		lost += count;
}

PRINTF_LIKE(2, 0)
static void
log_write_line(enum log_level value, const char *format, va_list args)
{
	char line[LINE_MAX_LEN];
	int saved_errno = errno;
	size_t len, room;
	int wanted;

	if ((int)value > atomic_load_explicit(&level, memory_order_relaxed))
		return;
	log_say_lost();
	len = log_write_head(line, sizeof(line), value);
	room = sizeof(line) - len;
	errno = saved_errno; /* for %m */
	wanted = vsnprintf(line + len, room, format, args);
	if (wanted < 0)
		wanted = 0;
	/* The newline takes the place of the terminating NUL. */
	len += (size_t)wanted < room ? (size_t)wanted : room - 1;
	line[len] = '\n';
	if (lost > 0 || !log_sink_write(line, len + 1))
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
