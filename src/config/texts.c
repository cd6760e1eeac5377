#include "config/value.h"

#include <stdlib.h>
#include <string.h>

/* The place of ${text} among the texts; a new one at the end if it has none.
 * NULL: out of memory. */
static char **
texts_find(struct config_texts *texts, const char *text)
{
	char **items;

	for (size_t i = 0; i < texts->count; i++)
		if (texts->items[i] == text)
			return &texts->items[i];
	items =
	    reallocarray(texts->items, texts->count + 1, sizeof(*texts->items));
	if (!items)
		return NULL;
	texts->items = items;
	items[texts->count] = NULL;
	return &items[texts->count++];
}

int
config_texts_replace(
    struct config_texts *texts, const char **place, const char *text)
{
	char *copy = strdup(text);
	char **owned = copy ? texts_find(texts, *place) : NULL;

	if (!owned) {
		free(copy);
		return -1;
	}
	free(*owned);
	*owned = copy;
	*place = copy;
	return 0;
}

const char *
config_texts_add(struct config_texts *texts, const char *text)
{
	const char *kept = NULL;

	return config_texts_replace(texts, &kept, text) == 0 ? kept : NULL;
}

void
config_texts_free(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
}
