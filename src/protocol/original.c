/*
 * Job: routes the request that a proxy asks about.
 * Invariant: who its client is, the proxy says, and those it trusts: what a
 * client may have sent beside that is ignored.
 * The heart: original_find_client() and original_route().
 */
#include "protocol/original.h"

#include "base/num.h"
#include "limit/rules.h"
#include "protocol/http/http_client.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/*
 * Headers.
 */

static bool
original_is_named(const struct original_field *field, const char *name)
{
	return field->name.len == strlen(name) &&
	       strncasecmp(field->name.bytes, name, field->name.len) == 0;
}

const struct original_field *
original_field_behind(const struct original *original,
    const struct original_field *field, const char *name)
{
	while (++field < original->fields + original->count)
		if (original_is_named(field, name))
			return field;
	return NULL;
}

const struct original_field *
original_field(const struct original *original, const char *name)
{
	for (unsigned i = 0; i < original->count; i++)
		if (original_is_named(&original->fields[i], name))
			return &original->fields[i];
	return NULL;
}

/*
 * The target.
 */

void
original_divide_uri(struct original *original)
{
	struct route_text *uri = &original->uri;
	const char *at = uri->bytes, *end = at + uri->len, *sign;

	if (uri->len > 0 && *at != '/') {
		const char *scheme = memmem(at, uri->len, "://", 3);
		const char *slash =
		    scheme ? memchr(scheme + 3, '/', (size_t)(end - scheme - 3))
			   : NULL;

		at = slash ? slash : end;
	}
	sign = memchr(at, '?', (size_t)(end - at));
	*uri = (struct route_text){at, (size_t)((sign ? sign : end) - at)};
	original->query =
	    sign ? (struct route_text){sign + 1, (size_t)(end - sign - 1)}
		 : (struct route_text){0};
}

/* Without its port and a dot at its end, in lower case. */
static struct route_text
original_host(struct original *original)
{
	const char *bytes = original->host.bytes;
	size_t len = original->host.len;
	const char *bracket =
	    len > 0 && *bytes == '[' ? memchr(bytes, ']', len) : NULL;
	size_t name_len = bracket ? (size_t)(bracket - bytes) : 0;
	const char *colon =
	    len > 0 ? memchr(bytes + name_len, ':', len - name_len) : NULL;

	if (colon)
		len = (size_t)(colon - bytes);
	if (len > 0 && bytes[len - 1] == '.')
		len--;
	if (len > sizeof(original->name))
		len = sizeof(original->name);
	for (size_t i = 0; i < len; i++)
		original->name[i] = (char)tolower((unsigned char)bytes[i]);
	return (struct route_text){original->name, len};
}

/*
 * Its client.
 */

/* Go back through the addresses that proxies have appended, as long as those
 * who appended them are trusted. */
static struct ip_address
original_find_client(
    const struct original_routing *routing, const struct original *original)
{
	bool is_forwarded =
	    strcasecmp(routing->client_header, "forwarded") == 0;
	struct ip_address address = routing->peer;

	if (!routing->trusted)
		return address;
	for (unsigned i = original->count; i-- > 0;) {
		const struct original_field *field = &original->fields[i];
		const char *bytes = field->value.bytes;
		const char *end = bytes + field->value.len;

		if (!original_is_named(field, routing->client_header))
			continue;
		while (end > bytes) {
			struct ip_address previous;

			if (!networks_have(routing->trusted, &address) ||
			    http_client_previous(
				bytes, &end, is_forwarded, &previous) == -1)
				return address;
			address = previous;
		}
	}
	return address;
}

static void
original_set_client(
    const struct original_routing *routing, struct original *original)
{
	struct ip_address client = original_find_client(routing, original);
	struct route_request *request = &original->request;

	if (client.kind != ADDRESS_IP)
		return;
	request->client = (struct route_text){
	    original->client, address_write(original->client, &client)};
	request->client64 = (struct route_text){
	    original->client64, address_write_64(original->client64, &client)};
}

/*
 * What routes ask for.
 */

static struct route_text
original_header(
    const struct route_request *request, const struct route_text *name)
{
	const struct original *original = request->arg;

	for (unsigned i = 0; i < original->count; i++)
		if (original->fields[i].name.len == name->len &&
		    strncasecmp(original->fields[i].name.bytes, name->bytes,
			name->len) == 0)
			return original->fields[i].value;
	return (struct route_text){0};
}

/* The next byte of a list before ${end}; in one with ${percents}, as it is
 * decoded. */
static char
original_next(const char **at, const char *end, bool percents)
{
	const char *here = *at;
	int high =
	    percents && *here == '%' && end - here > 2 ? num_hex(here[1]) : -1;
	int low = high == -1 ? -1 : num_hex(here[2]);

	*at += low == -1 ? 1 : 3;
	if (low != -1)
		return (char)(16 * high + low);
	if (percents && *here == '+')
		return ' ';
	return *here;
}

/* The value of a part up to ${end}, or NULL: its name is another.  A parameter
 * of a query is there without a value, too. */
static const char *
original_value(const char *at, const char *end, const struct route_text *name,
    bool percents)
{
	for (size_t i = 0; i < name->len; i++)
		if (at == end || *at == '=' ||
		    original_next(&at, end, percents) != name->bytes[i])
			return NULL;
	if (at < end && *at == '=')
		return at + 1;
	return percents && at == end ? end : NULL;
}

/* Find "NAME=VALUE" in a list; parts end at ${sign}, blanks before them are
 * skipped.  With ${percents}, what names it may be written with them. */
static struct route_text
original_in_list(const struct route_text *list, char sign,
    const struct route_text *name, bool percents)
{
	const char *at = list->bytes, *end = list->bytes + list->len;

	while (at < end) {
		const char *next = memchr(at, sign, (size_t)(end - at));
		const char *stop = next ? next : end, *value;

		while (at < stop && *at == ' ')
			at++;
		value = original_value(at, stop, name, percents);
		if (value)
			return (struct route_text){
			    value, (size_t)(stop - value)};
		at = next ? next + 1 : end;
	}
	return (struct route_text){0};
}

static struct route_text
original_query(const struct route_request *request,
    const struct route_text *name, char room[KEY_TEXT_MAX + 1])
{
	const struct original *original = request->arg;
	struct route_text value =
	    original_in_list(&original->query, '&', name, true);
	const char *at = value.bytes, *end = at + value.len;
	size_t len = 0;

	if (!at)
		return value;
	while (at < end && len <= KEY_TEXT_MAX)
		room[len++] = original_next(&at, end, true);
	return (struct route_text){room, len};
}

static struct route_text
original_cookie(
    const struct route_request *request, const struct route_text *name)
{
	const struct original *original = request->arg;

	for (unsigned i = 0; i < original->count; i++) {
		struct route_text value;

		if (!original_is_named(&original->fields[i], "cookie"))
			continue;
		value = original_in_list(
		    &original->fields[i].value, ';', name, false);
		if (value.bytes)
			return value;
	}
	return (struct route_text){0};
}

int
original_route(const struct original_routing *routing,
    struct original *original, struct routed_request *routed)
{
	static const struct routes none;

	if (original->uri.len > ROUTE_PATH_MAX)
		return -1;
	original->request = (struct route_request){
	    .method = original->method,
	    .host = original_host(original),
	    .path = {original->path,
		route_clean_path(
		    original->path, original->uri.bytes, original->uri.len)},
	    .header = original_header,
	    .query = original_query,
	    .cookie = original_cookie,
	    .arg = original,
	};
	original_set_client(routing, original);
	routes_route(routing->rules ? rules_routes(routing->rules) : &none,
	    &original->request, routing->scratch, routed, routing->visit,
	    routing->arg);
	return 0;
}
