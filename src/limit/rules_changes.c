/*
 * Job: finds the limits that two sets have in common, by name, and compares
 * their words.
 * Invariant: the counts are of all limits, also where the text is cut.
 * The heart: rules_compare().
 */
#include "limit/rules_changes.h"

#include "base/buf.h"
#include "limit/rules_names.h"
#include "limit/rules_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for the details; the rest is for the counts, "..." and the digest. */
#define DETAILS_MAX (RULES_CHANGES_MAX - 100)

/* Most words of a limit, and bytes of a value that is shown. */
#define WORDS_MAX 32
#define VALUE_MAX 60

struct changed_word {
	const char *word;
	char value[VALUE_MAX + 1];
};

struct changed_words {
	struct changed_word words[WORDS_MAX];
	size_t count;
};

struct rules_comparison {
	char details[DETAILS_MAX];
	size_t len;
	bool is_cut;
	size_t added, changed, removed;
};

/* Append a detail that fits; none follows one that does not. */
static void PRINTF_LIKE(2, 3) rules_changes_add(
    struct rules_comparison *comparison, const char *format, ...)
{
	size_t room = sizeof(comparison->details) - comparison->len;
	char *to = comparison->details + comparison->len;
	va_list arguments;
	int len;

	if (comparison->is_cut)
		return;
	va_start(arguments, format);
	len = vsnprintf(to, room, format, arguments);
	va_end(arguments);
	if (len < 0 || (size_t)len >= room) {
		comparison->is_cut = true;
		*to = '\0';
	} else {
		comparison->len += (size_t)len;
	}
}

static const char *
rules_changes_comma(const struct rules_comparison *comparison)
{
	return comparison->len > 0 ? ", " : "";
}

static void
rules_changes_take_word(const char *word, const char *value, void *arg)
{
	struct changed_words *words = arg;
	struct changed_word *to = &words->words[words->count];

	if (words->count == WORDS_MAX)
		return;
	words->count++;
	to->word = word;
	snprintf(to->value, sizeof(to->value), "%.*s", VALUE_MAX, value);
}

static const char *
rules_changes_value(const struct changed_words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->words[i].word, word) == 0)
			return words->words[i].value;
	return NULL;
}

/* The words that only ${new} has, or both with other values; or, with
 * ${missing}, those that only ${old} has. */
static void
rules_changes_add_words(struct rules_comparison *comparison, const char *name,
    const struct changed_words *from, const struct changed_words *to,
    bool missing)
{
	const struct changed_words *all = missing ? from : to;

	for (size_t i = 0; i < all->count; i++) {
		const char *word = all->words[i].word;
		const char *old = rules_changes_value(from, word);
		const char *new = rules_changes_value(to, word);

		if (missing ? new != NULL : old && strcmp(old, new) == 0)
			continue;
		rules_changes_add(comparison, "%s%s %s %s -> %s",
		    rules_changes_comma(comparison), name, word,
		    old ? old : "default", new ? new : "default");
	}
}

/* Whether two limits of one name are written differently. */
static bool
rules_changes_differ(const struct limit *old, const struct limit *new)
{
	struct buf a = {0}, b = {0};
	bool differ = rules_write_line(&a, old) == -1 ||
		      rules_write_line(&b, new) == -1 ||
		      buf_len(&a) != buf_len(&b) ||
		      memcmp(buf_data(&a), buf_data(&b), buf_len(&a)) != 0;

	buf_free(&a);
	buf_free(&b);
	return differ;
}

static void
rules_changes_look(struct rules_comparison *comparison, const struct limit *old,
    const struct limit *new)
{
	struct changed_words from = {.count = 0}, to = {.count = 0};

	if (!rules_changes_differ(old, new))
		return;
	comparison->changed++;
	if (comparison->is_cut)
		return;
	limit_each_word(old, rules_changes_take_word, &from);
	limit_each_word(new, rules_changes_take_word, &to);
	rules_changes_add_words(comparison, new->name, &from, &to, false);
	rules_changes_add_words(comparison, new->name, &from, &to, true);
}

/* Name those of ${rules} that are not among ${others}, of which ${index} is. */
static size_t
rules_changes_add_missing(struct rules_comparison *comparison,
    const struct rules *rules, const struct rules *others,
    const struct hash_index *index, char sign)
{
	size_t count = 0;

	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct limit *limit = rules_at(rules, i);

		if (rules_names_find(index, others, limit->name))
			continue;
		count++;
		rules_changes_add(comparison, "%s%c%s",
		    rules_changes_comma(comparison), sign, limit->name);
	}
	return count;
}

static void
rules_changes_write(struct rules_changes *changes,
    const struct rules_comparison *comparison, const struct rules *old,
    const struct rules *new)
{
	const char *detail = comparison->details;
	const char *more = comparison->is_cut ? ", ..." : "";

	if (*detail == '\0')
		detail = comparison->is_cut ? "..."
			 : strcmp(rules_digest(old), rules_digest(new)) == 0
			     ? "the same"
			     : "in another order";
	if (comparison->len == 0)
		more = "";
	snprintf(changes->text, sizeof(changes->text),
	    "+%zu ~%zu -%zu: %s%s (%.8s)", comparison->added,
	    comparison->changed, comparison->removed, detail, more,
	    rules_digest(new));
}

void
rules_compare(struct rules_changes *changes, const struct rules *old,
    const struct rules *new)
{
	struct rules_comparison comparison = {.len = 0};
	struct hash_index before = {0}, after = {0};

	snprintf(changes->text, sizeof(changes->text), "out of memory");
	if (rules_names_add(&before, old) == 0 &&
	    rules_names_add(&after, new) == 0) {
		for (size_t i = 0; i < rules_count(new); i++) {
			const struct limit *limit = rules_at(new, i);
			const struct limit *was =
			    rules_names_find(&before, old, limit->name);

			if (was)
				rules_changes_look(&comparison, was, limit);
		}
		comparison.added = rules_changes_add_missing(
		    &comparison, new, old, &before, '+');
		comparison.removed = rules_changes_add_missing(
		    &comparison, old, new, &after, '-');
		rules_changes_write(changes, &comparison, old, new);
	}
	hash_index_free(&before);
	hash_index_free(&after);
}
