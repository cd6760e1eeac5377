/*
 * Job: reads the counts of limits, and works out rates.
 * Invariant: a finished set is sorted, busiest first.
 * The heart: rates_finish().
 */
#include "cli/rates.h"

#include "base/num.h"
#include "cli/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *heading;
} counts[RATES] = {
#define X(name, heading) {#name, heading},
    RATE_COUNTS(X)
#undef X
};

static struct rate_row *
rates_add_row(struct rates *rates)
{
	if (rates->count == rates->cap) {
		size_t cap = rates->cap ? rates->cap * 2 : 16;
		struct rate_row *rows =
		    reallocarray(rates->rows, cap, sizeof(*rows));

		if (!rows)
			return NULL;
		rates->rows = rows;
		rates->cap = cap;
	}
	rates->rows[rates->count] = (struct rate_row){0};
	return &rates->rows[rates->count++];
}

static void
rates_take_count(
    struct rates *rates, struct rate_row *row, const struct field *field)
{
	int64_t value;

	for (int i = 0; i < RATES; i++)
		if (field_is(field, counts[i].name) &&
		    num_read_int(field->value, field->value_len, 0, INT64_MAX,
			&value) == 0) {
			row->counts[i] = (uint64_t)value;
			rates->has_counts = true;
		}
}

int
rates_add(struct rates *rates, const char *line)
{
	size_t len = strcspn(line, " ");
	struct rate_row *row;
	struct field field;

	if (fields_is_override(line))
		return 0;
	row = rates_add_row(rates);
	if (!row)
		return -1;
	snprintf(row->name, sizeof(row->name), "%.*s", (int)len, line);
	line += len;
	while (fields_next(&line, &field))
		rates_take_count(rates, row, &field);
	return 0;
}

static int
rates_compare_names(const void *a, const void *b)
{
	const struct rate_row *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static double
rates_busyness(const struct rate_row *row)
{
	return row->per_second[RATE_allowed] + row->per_second[RATE_denied];
}

static int
rates_compare_busyness(const void *a, const void *b)
{
	double left = rates_busyness(a), right = rates_busyness(b);

	if (left != right)
		return left < right ? 1 : -1;
	return rates_compare_names(a, b);
}

static void
rates_work_out(
    struct rate_row *row, const struct rate_row *before, double seconds)
{
	for (int i = 0; i < RATES; i++) {
		uint64_t was = before ? before->counts[i] : 0;
		uint64_t is = row->counts[i];

		row->per_second[i] =
		    (double)(is >= was ? is - was : is) / seconds;
	}
}

void
rates_finish(struct rates *rates, struct rates *before)
{
	double seconds = (double)(rates->at_us - before->at_us) / 1e6;

	if (before->count > 0)
		qsort(before->rows, before->count, sizeof(*before->rows),
		    rates_compare_names);
	for (size_t i = 0; seconds > 0 && i < rates->count; i++) {
		struct rate_row *row = &rates->rows[i];
		const struct rate_row *was = NULL;

		if (before->count > 0)
			was = bsearch(row, before->rows, before->count,
			    sizeof(*row), rates_compare_names);
		rates_work_out(row, was, seconds);
	}
	if (rates->count > 0)
		qsort(rates->rows, rates->count, sizeof(*rates->rows),
		    rates_compare_busyness);
}

static void
rates_add_up(struct rate_row *to, const struct rate_row *from)
{
	for (int i = 0; i < RATES; i++)
		to->per_second[i] += from->per_second[i];
}

int
rates_sum(struct rates *to, const struct rates *from)
{
	size_t kept = 0;

	for (size_t i = 0; i < from->count; i++) {
		struct rate_row *row = rates_add_row(to);

		if (!row)
			return -1;
		*row = from->rows[i];
	}
	if (to->count == 0)
		return 0;
	qsort(to->rows, to->count, sizeof(*to->rows), rates_compare_names);
	for (size_t i = 1; i < to->count; i++)
		if (strcmp(to->rows[kept].name, to->rows[i].name) == 0)
			rates_add_up(&to->rows[kept], &to->rows[i]);
		else
			to->rows[++kept] = to->rows[i];
	to->count = kept + 1;
	qsort(to->rows, to->count, sizeof(*to->rows), rates_compare_busyness);
	return 0;
}

struct rate_row
rates_total(const struct rates *rates)
{
	struct rate_row total = {.name = "total"};

	for (size_t i = 0; i < rates->count; i++)
		rates_add_up(&total, &rates->rows[i]);
	return total;
}

const char *
rate_name(enum rate_count count)
{
	return counts[count].name;
}

const char *
rate_heading(enum rate_count count)
{
	return counts[count].heading;
}

void
rates_free(struct rates *rates)
{
	free(rates->rows);
	*rates = (struct rates){0};
}
