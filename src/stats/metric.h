/**
 * metric: what a figure is called, what it counts, and in which unit.
 */
#ifndef STATS_METRIC_H
#define STATS_METRIC_H

enum metric_type {
	METRIC_COUNTER,   /* only grows */
	METRIC_GAUGE,     /* may shrink */
	METRIC_HISTOGRAM, /* base seconds; histogram.h */
	METRIC_INFO,      /* its labels are the value */
};

enum metric_unit {
	UNIT_NONE, /* a number of things */
	UNIT_SECONDS,
	UNIT_MICROSECONDS,
	UNIT_BYTES,
};

struct metric {
	const char *name; /* as STATS has it: no prefix, no "_total"; ends in
			   * "_us" if its unit is UNIT_MICROSECONDS */
	enum metric_type type;
	enum metric_unit unit;
	const char *help; /* without a capital letter and a full stop */
};

#endif
