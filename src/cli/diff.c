/*
 * diff: finds the fewest lines to remove and to add.  As no line occurs twice
 * in a list, a longest rising run of places is enough.  The heart is
 * diff_find_runs().
 */
#include "cli/diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NONE ((size_t)-1)

/*
 * As no line occurs twice, each new line has one place among the old ones, or
 * none; the lines that may stay are a longest rising run of these places, which
 * is found by patience sorting (C. Schensted, "Longest increasing and
 * decreasing subsequences", 1961).
 */
struct comparison {
	const struct line_list *old, *new;
	const struct rules_line **sorted; /* the old lines */
	size_t *places; /* of each new line among the old; or NONE */
	size_t *tails;  /* the new line that ends the best run of a length */
	size_t *before; /* of each new line: the one before it in its run */
	size_t longest;
};

static int
diff_compare_lines(const struct rules_line *a, const struct rules_line *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->bytes, b->bytes, len);

	if (order != 0)
		return order;
	return (a->len > b->len) - (a->len < b->len);
}

static int
diff_compare_pointers(const void *a, const void *b)
{
	const struct rules_line *const *left = a, *const *right = b;

	return diff_compare_lines(*left, *right);
}

static size_t
diff_find_place(
    const struct comparison *comparison, const struct rules_line *line)
{
	const struct rules_line **found;

	if (comparison->old->count == 0)
		return NONE;
	found = bsearch(&line, comparison->sorted, comparison->old->count,
	    sizeof(*found), diff_compare_pointers);
	return found ? (size_t)(*found - comparison->old->lines) : NONE;
}

/* Length of the longest run so far that the place may be appended to. */
static size_t
diff_run_before(const struct comparison *comparison, size_t place)
{
	size_t low = 0, high = comparison->longest;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (comparison->places[comparison->tails[middle]] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
diff_find_runs(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->new->count; i++) {
		size_t place =
		    diff_find_place(comparison, &comparison->new->lines[i]);
		size_t run;

		comparison->places[i] = place;
		if (place == NONE)
			continue;
		run = diff_run_before(comparison, place);
		comparison->before[i] =
		    run > 0 ? comparison->tails[run - 1] : NONE;
		comparison->tails[run] = i;
		if (run == comparison->longest)
			comparison->longest++;
	}
}

/* Only lines of the longest run keep their place. */
static void
diff_mark_longest(struct comparison *comparison)
{
	size_t last = comparison->longest
			  ? comparison->tails[comparison->longest - 1]
			  : NONE;

	for (size_t i = comparison->new->count; i-- > 0;) {
		if (i == last)
			last = comparison->before[i];
		else
			comparison->places[i] = NONE;
	}
}

static bool
diff_visit_changes(
    const struct comparison *comparison, diff_visit *visit, void *arg)
{
	const struct line_list *old = comparison->old, *new = comparison->new;
	size_t gone = 0, come = 0;

	/* Visit a removed line before the one that replaces it. */
	for (size_t i = 0; i <= new->count; i++) {
		size_t place =
		    i < new->count ? comparison->places[i] : old->count;

		if (place == NONE)
			continue;
		for (; gone < place; gone++)
			visit('-', &old->lines[gone], arg);
		for (; come < i; come++)
			visit('+', &new->lines[come], arg);
		gone = place + 1;
		come = i + 1;
	}
	return comparison->longest < old->count ||
	       comparison->longest < new->count;
}

static int
diff_compare(struct comparison *comparison, diff_visit *visit, void *arg)
{
	const struct line_list *old = comparison->old;

	if (!comparison->sorted || !comparison->places || !comparison->tails ||
	    !comparison->before)
		return -1;
	for (size_t i = 0; i < old->count; i++)
		comparison->sorted[i] = &old->lines[i];
	qsort(comparison->sorted, old->count, sizeof(*comparison->sorted),
	    diff_compare_pointers);
	diff_find_runs(comparison);
	diff_mark_longest(comparison);
	return diff_visit_changes(comparison, visit, arg);
}

int
diff_lines(const struct line_list *old, const struct line_list *new,
    diff_visit *visit, void *arg)
{
	struct comparison comparison = {
	    .old = old,
	    .new = new,
	    .sorted = calloc(old->count + 1, sizeof(*comparison.sorted)),
	    .places = calloc(new->count + 1, sizeof(*comparison.places)),
	    .tails = calloc(new->count + 1, sizeof(*comparison.tails)),
	    .before = calloc(new->count + 1, sizeof(*comparison.before)),
	};
	int status = diff_compare(&comparison, visit, arg);

	free(comparison.sorted);
	free(comparison.places);
	free(comparison.tails);
	free(comparison.before);
	return status;
}
