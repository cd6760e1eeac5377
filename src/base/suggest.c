#include "base/suggest.h"

#include <string.h>

/* Longer words are not compared. */
#define WORD_MAX 49

static size_t
suggest_smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance: letters to insert, delete or change. */
static size_t
suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[WORD_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = suggest_smaller(
			    change, suggest_smaller(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

const char *
suggest(const char *word, const char *const *words, size_t count)
{
	size_t len = strlen(word);
	size_t nearest = (len + 2) / 3 + 1; /* one edit in three letters */
	const char *best = NULL;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t words_len = strlen(words[i]);
		size_t edits;

		if (words_len > WORD_MAX)
			continue;
		edits = suggest_distance(word, len, words[i], words_len);
		if (edits < nearest) {
			nearest = edits;
			best = words[i];
		}
	}
	return best;
}
