#include "base/reasons.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
reasons_clear(struct reasons *reasons)
{
	reasons->count = 0;
}

PRINTF_LIKE(2, 0)
static void
reasons_vadd(struct reasons *reasons, const char *format, va_list args)
{
	char raw[REASON_SIZE];

	if (reasons->count++ >= REASONS_MAX)
		return;
	vsnprintf(raw, sizeof(raw), format, args);
	log_escape(
	    reasons->lines[reasons->count - 1], REASON_SIZE, raw, strlen(raw));
}

void
reasons_add(struct reasons *reasons, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	reasons_vadd(reasons, format, args);
	va_end(args);
}

void
reasons_set(struct reasons *reasons, const char *format, ...)
{
	va_list args;

	reasons_clear(reasons);
	va_start(args, format);
	reasons_vadd(reasons, format, args);
	va_end(args);
}

size_t
reasons_kept(const struct reasons *reasons)
{
	return reasons->count < REASONS_MAX ? reasons->count : REASONS_MAX;
}

const char *
reasons_first(const struct reasons *reasons)
{
	return reasons->count > 0 ? reasons->lines[0] : "";
}

void
reasons_summarize(const struct reasons *reasons, char *to, size_t size)
{
	const char *first = reasons_first(reasons);
	char more[40] = "";

	if (reasons->count > 1)
		snprintf(
		    more, sizeof(more), " (and %zu more)", reasons->count - 1);
	snprintf(
	    to, size, "%.*s%s", (int)(size - strlen(more) - 1), first, more);
}

static void
reasons_log_line(const char *line, void *arg)
{
	(void)arg;
	log_error("%s", line);
}

void
reasons_log(
    const struct reasons *reasons, const char *what, const char *follows)
{
	if (reasons->count == 1) {
		log_error("%s: %s; %s", what, reasons_first(reasons), follows);
		return;
	}
	reasons_each(reasons, reasons_log_line, NULL);
	log_error("%s: %zu errors; %s", what, reasons->count, follows);
}

static void
reasons_log_warning(const char *line, void *arg)
{
	(void)arg;
	log_warning("%s", line);
}

void
reasons_log_warnings(const struct reasons *reasons)
{
	reasons_each(reasons, reasons_log_warning, NULL);
}

void
reasons_each(const struct reasons *reasons, reasons_show *show, void *arg)
{
	size_t kept = reasons_kept(reasons);
	char more[40];

	for (size_t i = 0; i < kept; i++)
		show(reasons->lines[i], arg);
	if (kept == reasons->count)
		return;
	snprintf(more, sizeof(more), "and %zu more", reasons->count - kept);
	show(more, arg);
}
