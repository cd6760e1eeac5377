/*
 * Job: writes metrics as Prometheus and OpenMetrics want them.
 * Invariant: a name has its unit and its type in it, and the unit is a base
 * unit: seconds, bytes.
 * The heart: exposition_begin() and exposition_sample().
 */
#include "stats/exposition.h"

#include "base/num.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *suffix; /* of names of samples */
	const char *old_name;      /* what the old format calls it */
	bool family_has_suffix;    /* in OpenMetrics */
} types[] = {
    [METRIC_COUNTER] = {"counter", "_total", "counter", false},
    [METRIC_GAUGE] = {"gauge", "", "gauge", true},
    [METRIC_HISTOGRAM] = {"histogram", "", "histogram", true},
    [METRIC_INFO] = {"info", "_info", "gauge", false},
};

static const char *const units[] = {
    [UNIT_NONE] = NULL,
    [UNIT_SECONDS] = "seconds",
    [UNIT_MICROSECONDS] = "seconds",
    [UNIT_BYTES] = "bytes",
};

static void PRINTF_LIKE(2, 3)
    exposition_printf(struct exposition *exposition, const char *format, ...)
{
	char text[700];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (len < 0 || (size_t)len >= sizeof(text) ||
	    buf_add(exposition->out, text, (size_t)len) == -1)
		exposition->failed = true;
}

static void
exposition_family(const struct metric *metric, char to[EXPOSITION_NAME_MAX])
{
	bool is_process = strncmp(metric->name, "process_", 8) == 0;
	size_t len = strlen(metric->name);

	if (metric->unit == UNIT_MICROSECONDS)
		len -= strlen("us");
	snprintf(to, EXPOSITION_NAME_MAX, "%s%.*s%s",
	    is_process ? "" : EXPOSITION_PREFIX, (int)len, metric->name,
	    metric->unit == UNIT_MICROSECONDS ? "seconds" : "");
}

void
exposition_name(const struct metric *metric, char to[EXPOSITION_NAME_MAX])
{
	size_t len;

	exposition_family(metric, to);
	len = strlen(to);
	snprintf(to + len, EXPOSITION_NAME_MAX - len, "%s",
	    types[metric->type].suffix);
}

void
exposition_begin(struct exposition *exposition, const struct metric *metric)
{
	bool is_open = exposition->is_open;
	const char *unit = units[metric->unit];
	char name[EXPOSITION_NAME_MAX];

	if (is_open && !types[metric->type].family_has_suffix)
		exposition_family(metric, name);
	else
		exposition_name(metric, name);
	exposition_printf(exposition, "# HELP %s %c%s.\n# TYPE %s %s\n", name,
	    toupper((unsigned char)*metric->help), metric->help + 1, name,
	    is_open ? types[metric->type].name : types[metric->type].old_name);
	if (is_open && unit)
		exposition_printf(exposition, "# UNIT %s %s\n", name, unit);
}

/* A value in the unit that the name says. */
static const char *
exposition_value(char to[NUM_MAX_LEN + 2], enum metric_unit unit, int64_t value)
{
	size_t len = 0;

	if (unit == UNIT_MICROSECONDS) {
		if (value < 0)
			to[len++] = '-';
		len += num_write_seconds(to + len, value < 0 ? -value : value);
	} else {
		len = num_write_int(to, value);
	}
	to[len] = '\0';
	return to;
}

void
exposition_sample(struct exposition *exposition, const struct metric *metric,
    const char *labels, int64_t value)
{
	char name[EXPOSITION_NAME_MAX], text[NUM_MAX_LEN + 2];

	exposition_name(metric, name);
	exposition_printf(exposition, *labels ? "%s{%s} %s\n" : "%s%s %s\n",
	    name, labels, exposition_value(text, metric->unit, value));
}

/* 0.00025: the bound of a class, as short as it can be. */
static const char *
exposition_bound(char to[NUM_MAX_LEN + 2], int64_t us)
{
	size_t len = num_write_seconds(to, us);

	while (len > 3 && to[len - 1] == '0' && to[len - 2] != '.')
		len--;
	to[len] = '\0';
	return to;
}

void
exposition_histogram(struct exposition *exposition, const struct metric *metric,
    const char *labels, const struct histogram *histogram)
{
	char name[EXPOSITION_NAME_MAX], text[NUM_MAX_LEN + 2];
	const char *comma = *labels ? "," : "";
	const char *open = *labels ? "{" : "", *end = *labels ? "}" : "";
	uint64_t count = 0;

	exposition_name(metric, name);
	for (unsigned i = 0; i <= HISTOGRAM_BOUND_COUNT; i++) {
		count += histogram->counts[i];
		exposition_printf(exposition, "%s_bucket{%s%sle=\"%s\"} %llu\n",
		    name, labels, comma,
		    i == HISTOGRAM_BOUND_COUNT
			? "+Inf"
			: exposition_bound(text, histogram_bounds_us[i]),
		    (unsigned long long)count);
	}
	exposition_printf(exposition, "%s_sum%s%s%s %s\n%s_count%s%s%s %llu\n",
	    name, open, labels, end,
	    exposition_value(
		text, UNIT_MICROSECONDS, (int64_t)histogram->sum_us),
	    name, open, labels, end, (unsigned long long)count);
}

char *
exposition_label(char *to, size_t size, const char *name, const char *value)
{
	size_t len = strlen(to);

	len += (size_t)snprintf(
	    to + len, size - len, "%s%s=\"", len > 0 ? "," : "", name);
	for (; *value && len + 4 < size; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			to[len++] = '\\';
		to[len++] = (char)(*value == '\n' ? 'n' : *value);
	}
	to[len++] = '"';
	to[len] = '\0';
	return to;
}

void
exposition_end(struct exposition *exposition)
{
	if (exposition->is_open)
		exposition_printf(exposition, "# EOF\n");
}
