#include "limit/algorithm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct algorithm *const algorithms[] = {
#define ROW(name) &algorithm_##name,
    ALGORITHMS(ROW)
#undef ROW
};

const struct algorithm *
algorithm_at(size_t place)
{
	return algorithms[place];
}

const struct algorithm *
algorithm_find(const char *name)
{
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (strcasecmp(algorithms[i]->name, name) == 0)
			return algorithms[i];
	return NULL;
}

static int
algorithm_fail(struct limit_error *error)
{
	size_t len = (size_t)snprintf(
	    error->reason, sizeof(error->reason), "algorithm must be ");

	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		len += (size_t)snprintf(error->reason + len,
		    sizeof(error->reason) - len, "%s%s",
		    i == 0                    ? ""
		    : i + 1 < ALGORITHM_COUNT ? ", "
					      : " or ",
		    algorithm_at(i)->name);
	return -1;
}

int
algorithm_set(struct limit *limit, const char *value, struct limit_error *error)
{
	limit->algorithm = algorithm_find(value);
	return limit->algorithm ? 0 : algorithm_fail(error);
}

const char *
algorithm_get(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->algorithm->place == 0 ? NULL : limit->algorithm->name;
}

void
algorithm_add_number(struct algorithm_parameters *parameters, int64_t number)
{
	size_t i = parameters->count++;

	parameters->len[i] = num_write_int(parameters->text[i], number);
}

void
algorithm_add_text(
    struct algorithm_parameters *parameters, const char *text, size_t len)
{
	size_t i = parameters->count++;

	memcpy(parameters->text[i], text, len);
	parameters->len[i] = len;
}
