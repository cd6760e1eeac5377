/**
 * exposition: metrics as text, as Prometheus reads them.
 *
 * Two formats: Prometheus's own, version 0.0.4, and OpenMetrics 1.0.0.  Knows
 * how names and values are written, not which metrics there are.
 */
#ifndef STATS_EXPOSITION_H
#define STATS_EXPOSITION_H

#include "base/attr.h"
#include "base/buf.h"
#include "stats/histogram.h"
#include "stats/metric.h"

#include <stdbool.h>
#include <stdint.h>

/** Room for the longest name: "dripgate_", a name, "_seconds", "_total". */
#define EXPOSITION_NAME_MAX 96

/** What comes before a name, unless it begins with "process_". */
#define EXPOSITION_PREFIX "dripgate_"

struct exposition {
	struct buf *out;
	bool is_open; /* OpenMetrics */
	bool failed;  /* out of memory */
};

/** Write the name of a metric as its samples have it. */
void exposition_name(const struct metric *metric, char to[EXPOSITION_NAME_MAX]);

/** Begin a metric, whose samples follow: its help, type and unit. */
void exposition_begin(
    struct exposition *exposition, const struct metric *metric);

/** A sample.  ${labels} are as exposition_label() writes them, or "".  The
 * value is in the unit of the metric. */
void exposition_sample(struct exposition *exposition,
    const struct metric *metric, const char *labels, int64_t value);

/** The samples of a histogram. */
void exposition_histogram(struct exposition *exposition,
    const struct metric *metric, const char *labels,
    const struct histogram *histogram);

/** Write NAME="VALUE", escaped, behind ${to}, which is a text; with a comma if
 * that is not empty.  What does not fit into ${size} bytes is cut off between
 * two characters.  Return ${to}. */
char *exposition_label(
    char *to, size_t size, const char *name, const char *value);

/** End the text. */
void exposition_end(struct exposition *exposition);

#endif
