/*
 * Job: takes the original request out of the headers of a proxy, and routes it.
 * Invariant: what says the original request, and who its client is, was said
 * by the proxy: what a client may have sent beside that is refused or ignored.
 * The heart: http_check_find() and http_check_find_client().
 */
#include "protocol/http/http_check.h"

#include "base/num.h"
#include "limit/rules.h"
#include "protocol/http/http_client.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct http_field {
	struct route_text name, value;
};

/* A head, divided. */
struct http_fields {
	unsigned count;
	struct http_field items[HTTP_FIELDS_MAX];
};

struct http_original {
	struct http_fields fields;
	struct route_text method, uri, host, query;
	char path[ROUTE_PATH_MAX];
	char name[256]; /* of the host, in lower case */
	char client[ADDRESS_TEXT_MAX], client64[ADDRESS_TEXT_MAX];
	struct route_request request;
};

/*
 * Headers.
 */

/* The head was read already: its lines are fine. */
static void
http_check_divide(struct http_fields *fields, const struct http_piece *head)
{
	const char *at = head->bytes, *end = at + head->len;

	fields->count = 0;
	at = (const char *)memchr(at, '\n', head->len) + 1;
	while (end - at > 2 && fields->count < HTTP_FIELDS_MAX) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		struct http_line line = {head->bytes,
		    (size_t)(at - head->bytes), (size_t)(stop - at - 1)};
		struct http_line value = {0};
		const char *colon = memchr(at, ':', line.len);

		if (http_head_split(&line, &value))
			return;
		fields->items[fields->count++] =
		    (struct http_field){.name = {at, (size_t)(colon - at)},
			.value = {head->bytes + value.at, value.len}};
		at = stop + 1;
	}
}

static bool
http_check_is_named(const struct http_field *field, const char *name)
{
	return http_is(field->name.bytes, field->name.len, name);
}

/* The first one of that name, or NULL. */
static const struct http_field *
http_check_field(const struct http_fields *fields, const char *name)
{
	for (unsigned i = 0; i < fields->count; i++)
		if (http_check_is_named(&fields->items[i], name))
			return &fields->items[i];
	return NULL;
}

static bool
http_check_is_twice(const struct http_fields *fields, const char *name)
{
	const struct http_field *first = http_check_field(fields, name);

	if (!first)
		return false;
	for (const struct http_field *field = first + 1;
	     field < fields->items + fields->count; field++)
		if (http_check_is_named(field, name))
			return true;
	return false;
}

static void
http_check_take(
    const struct http_fields *fields, const char *name, struct route_text *to)
{
	const struct http_field *field = http_check_field(fields, name);

	if (field)
		*to = field->value;
}

/*
 * The original request.
 */

/* Where proxies say it. */
static const struct {
	const char *uri, *method, *host;
} http_check_ways[] = {
    {"x-original-uri", "x-original-method", NULL},
    {"x-forwarded-uri", "x-forwarded-method", "x-forwarded-host"},
};

/* The request of the proxy itself, of which ${rest} is behind /check. */
static void
http_check_take_own(struct http_original *original,
    const struct http_head *head, const struct http_piece *piece,
    const struct http_word *rest, const struct http_word *query)
{
	const char *blank = memchr(piece->bytes, ' ', piece->len);

	original->method =
	    (struct route_text){piece->bytes, (size_t)(blank - piece->bytes)};
	original->host =
	    (struct route_text){piece->bytes + head->host.at, head->host.len};
	original->uri = (struct route_text){rest->bytes, rest->len};
	original->query = (struct route_text){query->bytes, query->len};
}

/* A target may be an absolute URL; divide what is behind its host. */
static void
http_check_divide_uri(struct http_original *original)
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

/* If there is no rest of the path, headers say the original request.  One that
 * is said in two ways may be the client's. */
static const struct http_problem *
http_check_find(struct http_original *original, const struct http_word *rest)
{
	const struct http_fields *fields = &original->fields;
	int way = -1;

	if (rest->len > 0)
		return NULL;
	for (size_t i = 0; i < COUNT(http_check_ways); i++) {
		if (!http_check_field(fields, http_check_ways[i].uri))
			continue;
		if (way != -1 ||
		    http_check_is_twice(fields, http_check_ways[i].uri) ||
		    http_check_is_twice(fields, http_check_ways[i].method) ||
		    (http_check_ways[i].host &&
			http_check_is_twice(fields, http_check_ways[i].host)))
			return HTTP_PROBLEM(AMBIGUOUS);
		way = (int)i;
	}
	if (way == -1)
		return HTTP_PROBLEM(NOORIGINAL);
	http_check_take(fields, http_check_ways[way].uri, &original->uri);
	http_check_take(fields, http_check_ways[way].method, &original->method);
	if (http_check_ways[way].host)
		http_check_take(
		    fields, http_check_ways[way].host, &original->host);
	http_check_divide_uri(original);
	return NULL;
}

/* Without its port and a dot at its end, in lower case. */
static struct route_text
http_check_host(struct http_original *original)
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
http_check_find_client(
    const struct http_routing *routing, const struct http_fields *fields)
{
	bool is_forwarded =
	    strcasecmp(routing->client_header, "forwarded") == 0;
	struct ip_address address = routing->peer;

	if (!routing->trusted)
		return address;
	for (unsigned i = fields->count; i-- > 0;) {
		const struct http_field *field = &fields->items[i];
		const char *bytes = field->value.bytes;
		const char *end = bytes + field->value.len;

		if (!http_check_is_named(field, routing->client_header))
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
http_check_set_client(
    const struct http_routing *routing, struct http_original *original)
{
	struct ip_address client =
	    http_check_find_client(routing, &original->fields);
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
http_check_header(
    const struct route_request *request, const struct route_text *name)
{
	const struct http_original *original = request->arg;
	const struct http_fields *fields = &original->fields;

	for (unsigned i = 0; i < fields->count; i++)
		if (fields->items[i].name.len == name->len &&
		    strncasecmp(fields->items[i].name.bytes, name->bytes,
			name->len) == 0)
			return fields->items[i].value;
	return (struct route_text){0};
}

/* The next byte of a list before ${end}; in one with ${percents}, as it is
 * decoded. */
static char
http_check_next(const char **at, const char *end, bool percents)
{
	const char *here = *at;
	int high =
	    percents && *here == '%' && end - here > 2 ? num_hex(here[1]) : -1;
	int low = high == -1 ? -1 : num_hex(here[2]);

	*at += low == -1 ? 1 : 3;
	if (low != -1)
		return (char)(16 * high + low);
	return percents && *here == '+' ? ' ' : *here;
}

/* The value of a part up to ${end}, or NULL: its name is another. */
static const char *
http_check_value(const char *at, const char *end, const struct route_text *name,
    bool percents)
{
	for (size_t i = 0; i < name->len; i++)
		if (at == end || *at == '=' ||
		    http_check_next(&at, end, percents) != name->bytes[i])
			return NULL;
	return at < end && *at == '=' ? at + 1 : NULL;
}

/* Find "NAME=VALUE" in a list; parts end at ${sign}, blanks before them are
 * skipped.  With ${percents}, what names it may be written with them. */
static struct route_text
http_check_in_list(const struct route_text *list, char sign,
    const struct route_text *name, bool percents)
{
	const char *at = list->bytes, *end = list->bytes + list->len;

	while (at < end) {
		const char *next = memchr(at, sign, (size_t)(end - at));
		const char *stop = next ? next : end, *value;

		while (at < stop && *at == ' ')
			at++;
		value = http_check_value(at, stop, name, percents);
		if (value)
			return (struct route_text){
			    value, (size_t)(stop - value)};
		at = next ? next + 1 : end;
	}
	return (struct route_text){0};
}

static struct route_text
http_check_query(const struct route_request *request,
    const struct route_text *name, char room[KEY_TEXT_MAX + 1])
{
	const struct http_original *original = request->arg;
	struct route_text value =
	    http_check_in_list(&original->query, '&', name, true);
	const char *at = value.bytes, *end = at + value.len;
	size_t len = 0;

	if (!at)
		return value;
	while (at < end && len <= KEY_TEXT_MAX)
		room[len++] = http_check_next(&at, end, true);
	return (struct route_text){room, len};
}

static struct route_text
http_check_cookie(
    const struct route_request *request, const struct route_text *name)
{
	const struct http_original *original = request->arg;
	const struct http_fields *fields = &original->fields;

	for (unsigned i = 0; i < fields->count; i++) {
		struct route_text value;

		if (!http_check_is_named(&fields->items[i], "cookie"))
			continue;
		value = http_check_in_list(
		    &fields->items[i].value, ';', name, false);
		if (value.bytes)
			return value;
	}
	return (struct route_text){0};
}

const struct http_problem *
http_check_route(const struct http_routing *routing,
    const struct http_head *head, const struct http_piece *piece,
    const struct http_word *rest, const struct http_word *query,
    struct routed_request *routed)
{
	static const struct routes none;
	struct http_original original;
	struct route_request *request = &original.request;
	const struct http_problem *problem;

	http_check_divide(&original.fields, piece);
	http_check_take_own(&original, head, piece, rest, query);
	problem = http_check_find(&original, rest);
	if (problem)
		return problem;
	if (original.uri.len > ROUTE_PATH_MAX)
		return HTTP_PROBLEM(BIGTARGET);
	*request = (struct route_request){
	    .method = original.method,
	    .host = http_check_host(&original),
	    .path = {original.path, route_clean_path(original.path,
					original.uri.bytes, original.uri.len)},
	    .header = http_check_header,
	    .query = http_check_query,
	    .cookie = http_check_cookie,
	    .arg = &original,
	};
	http_check_set_client(routing, &original);
	routes_route(routing->rules ? rules_routes(routing->rules) : &none,
	    request, routing->scratch, routed, routing->visit, routing->arg);
	return routed->routed == ROUTED_TOOLONG ? HTTP_PROBLEM(BIGKEY) : NULL;
}
