#include "store/redis/field.h"

#include "limit/algorithm.h"

#include <string.h>

size_t
field_hash_name(
    const char *prefix, const char *tag, const struct limit *limit, char *to)
{
	char *end = stpcpy(to, prefix);

	end = stpcpy(end, tag);
	end = stpcpy(end, limit->name);
	end = stpcpy(end, limit->algorithm->suffix);
	return (size_t)(end - to);
}
