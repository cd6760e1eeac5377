/*
 * Job: turns a CheckRequest into an original request, and a decision into a
 * CheckResponse.
 * Invariant: what is read is text, as the heads of HTTP are.
 * The heart: grpc_authorization_read() and grpc_authorization_write().
 */
#include "protocol/grpc/grpc_authorization.h"

#include "base/attr.h"
#include "protocol/grpc/grpc_session.h"
#include "protocol/http/http_head.h"

#include <assert.h>
#include <stdio.h>

/* Numbers of fields, as authorization.proto has them. */
enum {
	CHECK_ATTRIBUTES = 1,
	ATTRIBUTES_SOURCE = 1,
	ATTRIBUTES_REQUEST = 4,
	PEER_ADDRESS = 1,
	ADDRESS_SOCKET = 1,
	SOCKET_ADDRESS = 2,
	REQUEST_HTTP = 2,
	HTTP_OF_METHOD = 2,
	HTTP_OF_HEADERS = 3,
	HTTP_OF_PATH = 4,
	HTTP_OF_HOST = 5,
	HTTP_OF_HEADER_MAP = 13,
	MAP_HEADERS = 1,
	HEADER_KEY = 1,
	HEADER_VALUE = 2,
	HEADER_RAW_VALUE = 3,
	TOLD_STATUS = 1,
	TOLD_DENIED = 2,
	TOLD_OK = 3,
	STATUS_CODE = 1,
	DENIED_STATUS = 1,
	DENIED_HEADERS = 2,
	DENIED_BODY = 3,
	OK_RESPONSE_HEADERS = 6,
	OPTION_HEADER = 1,
};

/* The status of a denied request. */
#define TOO_MANY_REQUESTS 429

/* Room for its headers, and its body. */
#define HEADERS_MAX 3072
#define BODY_MAX    (LIMIT_NAME_MAX + 300)

/*
 * Reading.
 */

/* Set ${to}, which is never NULL.  Return whether it is text. */
static bool
grpc_authorization_take(struct route_text *to, const struct grpc_text *value)
{
	*to = (struct route_text){value->bytes ? value->bytes : "", value->len};
	return http_is_text(to->bytes, to->len);
}

/* Return NULL, or what is wrong with the header. */
static const char *
grpc_authorization_take_header(
    struct original *original, struct grpc_text header)
{
	struct grpc_text name = grpc_wire_find(header, HEADER_KEY);
	struct grpc_text value = grpc_wire_find(header, HEADER_RAW_VALUE);
	struct original_field *field = &original->fields[original->count];

	if (!value.bytes)
		value = grpc_wire_find(header, HEADER_VALUE);
	if (original->count == ORIGINAL_FIELDS_MAX)
		return "more than 100 headers";
	if (!grpc_authorization_take(&field->name, &name) ||
	    !grpc_authorization_take(&field->value, &value))
		return "a header has control characters";
	original->count++;
	return NULL;
}

/* Headers that were not made one where they have one name. */
static const char *
grpc_authorization_take_map(struct original *original, struct grpc_text map)
{
	struct grpc_text header;
	const char *problem = NULL;
	uint32_t tag;

	while (!problem && grpc_wire_next(&map, &tag, &header))
		if (tag == MAP_HEADERS)
			problem =
			    grpc_authorization_take_header(original, header);
	return problem;
}

/* Return NULL, or what is wrong with field ${tag} of an HttpRequest. */
static const char *
grpc_authorization_take_field(
    struct original *original, uint32_t tag, const struct grpc_text *value)
{
	static const char not_text[] = "the request has control characters";

	switch (tag) {
	case HTTP_OF_METHOD:
		return grpc_authorization_take(&original->method, value)
			   ? NULL
			   : not_text;
	case HTTP_OF_PATH:
		return grpc_authorization_take(&original->uri, value)
			   ? NULL
			   : not_text;
	case HTTP_OF_HOST:
		return grpc_authorization_take(&original->host, value)
			   ? NULL
			   : not_text;
	case HTTP_OF_HEADERS:
		return grpc_authorization_take_header(original, *value);
	case HTTP_OF_HEADER_MAP:
		return grpc_authorization_take_map(original, *value);
	default:
		return NULL;
	}
}

static void
grpc_authorization_find_client(
    struct grpc_text attributes, struct ip_address *client)
{
	struct grpc_text peer = grpc_wire_find(attributes, ATTRIBUTES_SOURCE);
	struct grpc_text address = grpc_wire_find(peer, PEER_ADDRESS);
	struct grpc_text socket = grpc_wire_find(address, ADDRESS_SOCKET);
	struct grpc_text text = grpc_wire_find(socket, SOCKET_ADDRESS);
	struct ip_address its;

	if (text.bytes && address_read(&its, text.bytes, text.len) == 0)
		*client = its;
}

const char *
grpc_authorization_read(const struct grpc_text *message,
    struct original *original, struct ip_address *client)
{
	const struct route_text none = {"", 0};
	struct grpc_text attributes =
	    grpc_wire_find(*message, CHECK_ATTRIBUTES);
	struct grpc_text request =
	    grpc_wire_find(attributes, ATTRIBUTES_REQUEST);
	struct grpc_text http = grpc_wire_find(request, REQUEST_HTTP), value;
	const char *problem = NULL;
	uint32_t tag;

	original->count = 0;
	original->method = original->host = original->uri = none;
	if (!http.bytes)
		return "not a CheckRequest about a request of HTTP";
	while (!problem && grpc_wire_next(&http, &tag, &value))
		problem = grpc_authorization_take_field(original, tag, &value);
	if (problem)
		return problem;
	if (http.len > 0)
		return "not a CheckRequest";
	original_divide_uri(original);
	grpc_authorization_find_client(attributes, client);
	return NULL;
}

/*
 * Writing.
 */

static void
grpc_authorization_put_header(
    struct grpc_writing *to, uint32_t tag, const char *name, const char *text)
{
	char room[QUOTA_VALUE_MAX + 64], around[sizeof(room) + 8];
	struct grpc_writing header = {.bytes = room, .room = sizeof(room)};
	struct grpc_writing option = {.bytes = around, .room = sizeof(around)};

	grpc_wire_put_text(&header, HEADER_KEY, name);
	grpc_wire_put_text(&header, HEADER_VALUE, text);
	grpc_wire_put_message(&option, OPTION_HEADER, &header);
	grpc_wire_put_message(to, tag, &option);
}

static void
grpc_authorization_put_headers(struct grpc_writing *to, uint32_t tag,
    const struct quota *quota, unsigned which)
{
	struct quota_header headers[QUOTA_HEADERS_MAX];
	unsigned count = quota_write_headers(quota, which, headers);

	for (unsigned i = 0; i < count; i++)
		grpc_authorization_put_header(
		    to, tag, headers[i].name, headers[i].value);
}

/* What a denial is (RFC 9457), as it is over HTTP. */
static void
grpc_authorization_put_body(struct grpc_writing *to, const struct quota *quota)
{
	char body[BODY_MAX];

	if (quota->limit)
		snprintf(body, sizeof(body),
		    "{\"type\":\"https://iana.org/assignments/"
		    "http-problem-types#quota-exceeded\",\"title\":"
		    "\"Request cannot be satisfied as assigned quota "
		    "has been exceeded\",\"violated-policies\":[\"%s\"],"
		    "\"status\":%d}\n",
		    quota->limit, TOO_MANY_REQUESTS);
	else
		snprintf(body, sizeof(body),
		    "{\"type\":\"about:blank\",\"title\":\"No limit matches "
		    "this key\",\"status\":%d}\n",
		    TOO_MANY_REQUESTS);
	grpc_wire_put_text(to, DENIED_BODY, body);
}

static void
grpc_authorization_put_denied(
    struct grpc_writing *to, const struct quota *quota, unsigned which)
{
	char number[16];
	struct grpc_writing status = {.bytes = number, .room = sizeof(number)};

	grpc_wire_put_number(&status, STATUS_CODE, TOO_MANY_REQUESTS);
	grpc_wire_put_message(to, DENIED_STATUS, &status);
	grpc_authorization_put_headers(to, DENIED_HEADERS, quota, which);
	grpc_authorization_put_header(
	    to, DENIED_HEADERS, "content-type", "application/problem+json");
	grpc_authorization_put_body(to, quota);
}

void
grpc_authorization_write(struct grpc_writing *to, bool allowed,
    const struct quota *quota, unsigned which)
{
	char number[16], room[HEADERS_MAX];
	struct grpc_writing status = {.bytes = number, .room = sizeof(number)};
	struct grpc_writing response = {.bytes = room, .room = sizeof(room)};

	if (allowed) {
		grpc_authorization_put_headers(
		    &response, OK_RESPONSE_HEADERS, quota, which);
	} else {
		grpc_wire_put_number(
		    &status, STATUS_CODE, GRPC_RESOURCE_EXHAUSTED);
		grpc_authorization_put_denied(&response, quota, which);
	}
	grpc_wire_put_message(to, TOLD_STATUS, &status);
	grpc_wire_put_message(to, allowed ? TOLD_OK : TOLD_DENIED, &response);
	assert(!to->is_cut);
}
