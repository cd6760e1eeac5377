#include "store/redis/field.h"

#include "limit/algorithm.h"

#include <string.h>

size_t
field_hash_name(const char *prefix, const char *tag, const char *name,
    const struct limit *limit, char *to)
{
	char *end = stpcpy(to, prefix);

	end = stpcpy(end, tag);
	end = stpcpy(end, name);
	end = stpcpy(end, limit->algorithm->suffix);
	return (size_t)(end - to);
}

size_t
field_memo_name(
    const char *prefix, const char *tag, const char *name, size_t len, char *to)
{
	char *end = stpcpy(to, prefix);

	end = stpcpy(end, tag);
	end = stpcpy(end, "id:");
	memcpy(end, name, len);
	return (size_t)(end - to) + len;
}
