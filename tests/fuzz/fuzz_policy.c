/*
 * Any bytes as a request of Postfix: its end is found however its bytes come,
 * and what is found lies within it.
 */
#include "fuzz.h"
#include "protocol/policy/policy.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	const struct route_text name = {"sender", 6};
	size_t end = policy_find_end(bytes, size, 0), found = 0, len = 0;
	struct route_text lines = {bytes, end > 0 ? end - 1 : 0}, value;

	while (len < size && found == 0) {
		found = policy_find_end(bytes, len + 1, len);
		len++;
	}
	check(found == end);
	check(end <= size);
	if (end == 0 || !policy_is_valid(&lines))
		return 0;
	value = policy_attribute(&lines, &name);
	check(!value.bytes ||
	      (value.bytes > bytes && value.bytes + value.len < bytes + end));
	check(!value.bytes || !memchr(value.bytes, '\n', value.len));
	return 0;
}
