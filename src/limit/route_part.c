/*
 * Job: reads texts with parts of a request, and puts those in.
 * Invariant: a value cannot pretend to be more than one part: what separates
 * parts, and what no key may have, is escaped.
 * The heart: route_template_read() and route_template_write().
 */
#include "limit/route_part.h"

#include "limit/word.h"

#include <string.h>

static const char *const route_sources[] = {
#define X(id, name) name,
    ROUTE_SOURCES(X)
#undef X
};

#define NAME_LETTERS                                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/*
 * Reading.
 */

int
route_part_read(struct route_part *part, const char *bytes, size_t len)
{
	for (int i = ROUTE_CLIENT; i < ROUTE_SOURCE_COUNT; i++) {
		size_t known = strlen(route_sources[i]);
		bool has_name = route_sources[i][known - 1] == '.';

		if (len < known ||
		    memcmp(bytes, route_sources[i], known) != 0 ||
		    (has_name ? len == known : len != known))
			continue;
		*part = (struct route_part){.source = (enum route_source)i,
		    .text = {bytes + known, len - known}};
		return 0;
	}
	return -1;
}

/* How many of ${len} bytes behind a $ are the name of a part. */
static size_t
route_part_name_len(const char *bytes, size_t len)
{
	size_t i = 0;

	while (i < len && bytes[i] && strchr(NAME_LETTERS ".", bytes[i]))
		i++;
	while (i > 0 && bytes[i - 1] == '.')
		i--;
	return i;
}

static int
route_part_add(struct route_template *template, const struct route_part *part,
    struct limit_error *error)
{
	if (template->count == ROUTE_PARTS_MAX)
		return word_fail(
		    error, "a key has at most %d parts", ROUTE_PARTS_MAX);
	template->parts[template->count++] = *part;
	return 0;
}

static int
route_part_add_text(struct route_template *template, const char *bytes,
    size_t len, struct limit_error *error)
{
	const struct route_part part = {
	    .source = ROUTE_TEXT, .text = {bytes, len}};

	return len == 0 ? 0 : route_part_add(template, &part, error);
}

/* "$name" or "${name}", of which ${*at} is the $; move ${*at} behind it. */
static int
route_part_take(struct route_template *template, const char **at,
    const char *end, struct limit_error *error)
{
	const char *name = *at + 1;
	const char *brace = name < end && *name == '{'
				? memchr(name, '}', (size_t)(end - name))
				: NULL;
	size_t len;
	struct route_part part;

	if (brace)
		name++;
	len = brace ? (size_t)(brace - name)
		    : route_part_name_len(name, (size_t)(end - name));
	*at = brace ? brace + 1 : name + len;
	if (route_part_name_len(name, len) != len ||
	    route_part_read(&part, name, len) == -1)
		return word_fail(error,
		    "unknown $%.*s: there are $client, $client64, $method, "
		    "$host, $path, $path.NAME, $header.NAME, $query.NAME, "
		    "$cookie.NAME, $policy.NAME",
		    (int)(len < 30 ? len : 30), name);
	return route_part_add(template, &part, error);
}

int
route_template_read(struct route_template *template, const char *bytes,
    size_t len, struct limit_error *error)
{
	const char *at = bytes, *end = bytes + len;

	template->count = 0;
	if (!key_is_valid(bytes, len))
		return word_fail(error, "this is no key");
	while (at < end) {
		const char *sign = memchr(at, '$', (size_t)(end - at));
		bool is_doubled = sign && sign + 1 < end && sign[1] == '$';
		const char *stop = !sign ? end : is_doubled ? sign + 1 : sign;

		if (route_part_add_text(
			template, at, (size_t)(stop - at), error) == -1)
			return -1;
		at = is_doubled ? stop + 1 : stop;
		if (sign && !is_doubled &&
		    route_part_take(template, &at, end, error) == -1)
			return -1;
	}
	return 0;
}

int
route_template_resolve(struct route_template *template,
    const struct route_path *path, struct limit_error *error)
{
	for (unsigned i = 0; i < template->count; i++) {
		struct route_part *part = &template->parts[i];

		if (part->source != ROUTE_NAME)
			continue;
		part->number = route_path_find_name(path, &part->text);
		if (part->number == -1)
			return word_fail(error, "path has no {%.*s}",
			    (int)(part->text.len < 40 ? part->text.len : 40),
			    part->text.bytes);
	}
	return 0;
}

/*
 * Writing.
 */

/* A value that requests of some kinds have. */
static struct route_text
route_part_ask(const struct route_request *request,
    struct route_text (*get)(
	const struct route_request *request, const struct route_text *name),
    const struct route_text *name)
{
	return get ? get(request, name) : (struct route_text){0};
}

struct route_text
route_part_value(const struct route_part *part,
    const struct route_request *request, const struct route_names *names,
    char room[KEY_TEXT_MAX + 1])
{
	switch (part->source) {
	case ROUTE_TEXT:
		return part->text;
	case ROUTE_CLIENT:
		return request->client;
	case ROUTE_CLIENT64:
		return request->client64;
	case ROUTE_METHOD:
		return request->method;
	case ROUTE_HOST:
		return request->host;
	case ROUTE_PATH:
		return request->path;
	case ROUTE_NAME:
		return names->values[part->number];
	case ROUTE_HEADER:
		return route_part_ask(request, request->header, &part->text);
	case ROUTE_QUERY:
		return request->query
			   ? request->query(request, &part->text, room)
			   : (struct route_text){0};
	case ROUTE_COOKIE:
		return route_part_ask(request, request->cookie, &part->text);
	case ROUTE_POLICY:
		return route_part_ask(request, request->policy, &part->text);
	case ROUTE_SOURCE_COUNT:
		break;
	}
	return (struct route_text){0};
}

/* Whether a byte of a value is written as %XX. */
static bool
route_part_must_escape(unsigned char c, enum route_source source)
{
	if (source == ROUTE_TEXT || source == ROUTE_CLIENT ||
	    source == ROUTE_CLIENT64)
		return false;
	return c <= ' ' || c > '~' || c == '%' || c == ':';
}

/* Append a value to a key.  Return whether there was room. */
static bool
route_part_put(
    struct route_key *key, enum route_source source, struct route_text value)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.bytes[i];
		bool escapes = route_part_must_escape(c, source);

		if (key->len + (escapes ? 3 : 1) > KEY_TEXT_MAX)
			return false;
		if (!escapes) {
			key->bytes[key->len++] = (char)c;
			continue;
		}
		key->bytes[key->len++] = '%';
		key->bytes[key->len++] = digits[c >> 4];
		key->bytes[key->len++] = digits[c & 15];
	}
	return true;
}

int
route_template_write(const struct route_template *template,
    const struct route_request *request, const struct route_names *names,
    struct route_key *key)
{
	bool fits = true;

	key->len = 0;
	for (unsigned i = 0; i < template->count; i++) {
		const struct route_part *part = &template->parts[i];
		char room[KEY_TEXT_MAX + 1];
		struct route_text value =
		    route_part_value(part, request, names, room);

		if (value.len == 0)
			return 0;
		fits = fits && route_part_put(key, part->source, value);
	}
	return fits ? 1 : -1;
}
