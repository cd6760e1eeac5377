#include "limit/algorithm.h"

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
