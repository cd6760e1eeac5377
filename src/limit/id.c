#include "limit/id.h"

#include "limit/key.h"

#define MEMORY_MIN_US INT64_C(1000000)
#define MEMORY_MAX_US (INT64_C(86400) * 1000000)

bool
id_is_valid(const char *bytes, size_t len)
{
	return len > 0 && len <= ID_MAX && key_is_text(bytes, len);
}

int
id_set_memory(struct limit *limit, const char *value, struct limit_error *error)
{
	if (word_read_time("id_memory", value, 1, &limit->id_memory_us, error) <
	    0)
		return -1;
	return limit->id_memory_us >= MEMORY_MIN_US &&
		       limit->id_memory_us <= MEMORY_MAX_US
		   ? 0
		   : word_fail(error, "id_memory must be from 1s to 1d");
}

const char *
id_get_memory(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->id_memory_us == ID_MEMORY_US
		   ? NULL
		   : word_write_time(text, limit->id_memory_us);
}
