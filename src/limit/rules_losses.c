#include "limit/rules_losses.h"

#include "limit/algorithm.h"
#include "limit/rules_names.h"

#include <stdio.h>
#include <string.h>

/* Room for a name twice, and words. */
#define TEXT_MAX (2 * LIMIT_NAME_MAX + 100)

/* The time in which as much as the capacity leaks, or comes back. */
static double
rules_losses_span(const struct limit *limit)
{
	return (double)(limit->algorithm->full_us(limit));
}

/* How many times as much the old limit lets through in the long run. */
static double
rules_losses_times(const struct limit *old, const struct limit *new)
{
	double old_rate = (double)old->capacity / rules_losses_span(old);
	double new_rate = (double)new->capacity / rules_losses_span(new);

	return old_rate / new_rate;
}

/* Write what is lost of ${old}, of which the new set has ${new}, or NULL, which
 * ${cover} keeps all keys from, or NULL.  Return whether anything is. */
static bool
rules_losses_write(char text[TEXT_MAX], const struct limit *old,
    const struct limit *new, const struct limit *cover)
{
	double times;

	*text = '\0';
	if (!new) {
		snprintf(text, TEXT_MAX, "%s is removed", old->name);
	} else if (old->algorithm != new->algorithm) {
		snprintf(text, TEXT_MAX, "%s algorithm %s -> %s", old->name,
		    old->algorithm->name, new->algorithm->name);
	} else if (cover) {
		snprintf(text, TEXT_MAX, "%s gets no keys, %s takes them",
		    old->name, cover->name);
	} else if (new->capacity * RULES_LOSSES_SHRINK < old->capacity) {
		snprintf(text, TEXT_MAX, "%s capacity %lld -> %lld", old->name,
		    (long long)old->capacity, (long long)new->capacity);
	} else {
		times = rules_losses_times(old, new);
		if (times > RULES_LOSSES_SHRINK * (1 + 1e-9))
			snprintf(text, TEXT_MAX, "%s rate is 1/%.0f of before",
			    old->name, times);
	}
	return *text != '\0';
}

/* What covers the new limit, and did not cover the old one. */
static const struct limit *
rules_losses_cover(const struct rules *old_rules, const struct limit *old,
    const struct rules *new_rules, const struct limit *new)
{
	const struct limit *cover = new ? rules_cover(new_rules, new) : NULL;

	return cover && !rules_cover(old_rules, old) ? cover : NULL;
}

int
rules_losses(const struct rules *old, const struct rules *new,
    rules_losses_visit *visit, void *arg)
{
	struct hash_index names = {0};
	char text[TEXT_MAX];
	int count = 0;

	if (rules_names_add(&names, new) == -1) {
		hash_index_free(&names);
		return -1;
	}
	for (size_t i = 0; i < rules_count(old); i++) {
		const struct limit *was = rules_at(old, i);
		const struct limit *is =
		    rules_names_find(&names, new, was->name);

		if (!rules_losses_write(
			text, was, is, rules_losses_cover(old, was, new, is)))
			continue;
		count++;
		visit(text, arg);
	}
	hash_index_free(&names);
	return count;
}
