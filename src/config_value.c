#include "config_value.h"

#include "base/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where ${text} stands among the texts; a new place at the end if it does not.
 * NULL: out of memory. */
static char **
find_text(struct config_texts *texts, const char *text)
{
	char **items;

	for (size_t i = 0; i < texts->count; i++)
		if (texts->items[i] == text)
			return &texts->items[i];
	items = reallocarray(
	    texts->items, texts->count + 1, sizeof(*texts->items));
	if (!items)
		return NULL;
	texts->items = items;
	items[texts->count] = NULL;
	return &items[texts->count++];
}

static int
set_text(struct config_texts *texts, const struct setting *setting,
    const char **place, const char *value)
{
	size_t len = strlen(value);
	char **owned, *copy;

	if ((int64_t)len < setting->min || (int64_t)len > setting->max) {
		errno = ERANGE;
		return -1;
	}
	copy = strdup(value);
	owned = copy ? find_text(texts, *place) : NULL;
	if (!owned) {
		free(copy);
		return -1;
	}
	free(*owned);
	*owned = copy;
	*place = copy;
	return 0;
}

static int
read_number(const struct setting *setting, const char *value, int64_t *number)
{
	size_t len = strlen(value);

	if (setting->type == SETTING_TIME)
		return num_read_duration(value, len, number);
	if (setting->type == SETTING_SECONDS)
		return num_read_seconds(value, len, number);
	return num_read_int(value, len, setting->min, setting->max, number);
}

static int
set_number(const struct setting *setting, int64_t *place, const char *value)
{
	int64_t number;

	if (read_number(setting, value, &number) == -1)
		return -1;
	if (number < setting->min || number > setting->max) {
		errno = ERANGE;
		return -1;
	}
	*place = number;
	return 0;
}

static int
choice_value(const struct setting *setting, int i)
{
	return setting->values ? setting->values[i] : i;
}

static int
set_choice(const struct setting *setting, int *place, const char *value)
{
	for (int i = 0; setting->choices[i]; i++) {
		if (strcmp(setting->choices[i], value) == 0) {
			*place = choice_value(setting, i);
			return 0;
		}
	}
	errno = EINVAL;
	return -1;
}

int
value_set(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_SECRET:
		return set_text(texts, setting, place, value);
	case SETTING_NUMBER:
	case SETTING_TIME:
	case SETTING_SECONDS:
		return set_number(setting, place, value);
	case SETTING_CHOICE:
		break;
	}
	return set_choice(setting, place, value);
}

static void
describe_choices(const struct setting *setting, char *to, size_t size)
{
	size_t used = 0;

	for (int i = 0; setting->choices[i]; i++)
		used += (size_t)snprintf(to + used, size - used, "%s%s",
		    i ? " | " : "", setting->choices[i]);
}

void
value_explain(const struct setting *setting, const char *value, int error,
    char *to, size_t size)
{
	long long min = setting->min, max = setting->max;
	char range[120];

	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_SECRET:
		snprintf(range, sizeof(range), "%lld to %lld characters", min,
		    max);
		break;
	case SETTING_NUMBER:
		snprintf(range, sizeof(range),
		    "a whole number from %lld to %lld", min, max);
		break;
	case SETTING_TIME:
	case SETTING_SECONDS:
		snprintf(range, sizeof(range),
		    "a time with its unit (us ms s m h d), %lld to %lld us",
		    min, max);
		break;
	case SETTING_CHOICE:
		describe_choices(setting, range, sizeof(range));
		break;
	}
	if (error == ENOMEM)
		snprintf(to, size, "out of memory");
	else
		snprintf(to, size, "%.60s is not %s",
		    setting->type == SETTING_SECRET ? "it" : value, range);
}

void
value_print(const struct setting *setting, const void *place, FILE *to)
{
	char text[NUM_MAX_LEN];
	size_t len;

	switch (setting->type) {
	case SETTING_TEXT:
		fputs(*(const char *const *)place, to);
		break;
	case SETTING_SECRET:
		break;
	case SETTING_NUMBER:
		fprintf(to, "%lld", (long long)*(const int64_t *)place);
		break;
	case SETTING_TIME:
	case SETTING_SECONDS:
		len = num_write_duration(text, *(const int64_t *)place);
		fwrite(text, 1, len, to);
		break;
	case SETTING_CHOICE:
		for (int i = 0; setting->choices[i]; i++)
			if (choice_value(setting, i) == *(const int *)place)
				fputs(setting->choices[i], to);
		break;
	}
}

bool
value_is_same(const struct setting *setting, const void *a, const void *b)
{
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_SECRET:
		return strcmp(*(const char *const *)a,
			   *(const char *const *)b) == 0;
	case SETTING_NUMBER:
	case SETTING_TIME:
	case SETTING_SECONDS:
		return *(const int64_t *)a == *(const int64_t *)b;
	case SETTING_CHOICE:
		break;
	}
	return *(const int *)a == *(const int *)b;
}

int
value_copy(struct config_texts *texts, const struct setting *setting,
    void *place, const void *from)
{
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_SECRET:
		return set_text(
		    texts, setting, place, *(const char *const *)from);
	case SETTING_NUMBER:
	case SETTING_TIME:
	case SETTING_SECONDS:
		*(int64_t *)place = *(const int64_t *)from;
		return 0;
	case SETTING_CHOICE:
		break;
	}
	*(int *)place = *(const int *)from;
	return 0;
}

void
config_texts_free(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
}
