#include "protocol/policy/policy.h"

#include <string.h>

size_t
policy_find_end(const char *bytes, size_t len, size_t seen)
{
	size_t from = seen > 0 ? seen - 1 : 0;
	const char *end;

	if (len > 0 && *bytes == '\n')
		return 1;
	end = len > from ? memmem(bytes + from, len - from, "\n\n", 2) : NULL;
	return end ? (size_t)(end - bytes) + 2 : 0;
}

/* Take the next line, without its end.  Return whether there was one. */
static bool
policy_next_line(struct route_text *rest, struct route_text *line)
{
	const char *end =
	    rest->len > 0 ? memchr(rest->bytes, '\n', rest->len) : NULL;

	if (!end)
		return false;
	*line = (struct route_text){rest->bytes, (size_t)(end - rest->bytes)};
	rest->bytes += line->len + 1;
	rest->len -= line->len + 1;
	return true;
}

struct route_text
policy_attribute(const struct route_text *lines, const struct route_text *name)
{
	struct route_text rest = *lines, line;

	while (policy_next_line(&rest, &line))
		if (line.len > name->len && line.bytes[name->len] == '=' &&
		    memcmp(line.bytes, name->bytes, name->len) == 0)
			return (struct route_text){line.bytes + name->len + 1,
			    line.len - name->len - 1};
	return (struct route_text){0};
}

bool
policy_is_valid(const struct route_text *lines)
{
	static const char asked[] = "smtpd_access_policy";
	const struct route_text name = {"request", 7};
	struct route_text rest = *lines, line;
	struct route_text request = policy_attribute(lines, &name);

	if (request.len != sizeof(asked) - 1 ||
	    memcmp(request.bytes, asked, request.len) != 0)
		return false;
	while (policy_next_line(&rest, &line))
		if (line.len == 0 || *line.bytes == '=' ||
		    !memchr(line.bytes, '=', line.len) ||
		    memchr(line.bytes, '\0', line.len))
			return false;
	return true;
}
