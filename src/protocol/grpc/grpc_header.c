#include "protocol/grpc/grpc_header.h"

#include "base/clock.h"
#include "base/num.h"

#include <string.h>

/* Longest number in grpc-timeout. */
#define TIMEOUT_DIGITS 8

struct grpc_path {
	const char *path;
	enum grpc_method method;
};

/* v2 of the service has the same fields and numbers. */
static const struct grpc_path grpc_paths[] = {
    {"/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
	GRPC_METHOD_RATE_LIMIT},
    {"/envoy.service.ratelimit.v2.RateLimitService/ShouldRateLimit",
	GRPC_METHOD_RATE_LIMIT},
    {"/envoy.service.auth.v3.Authorization/Check", GRPC_METHOD_AUTHORIZE},
    {"/grpc.health.v1.Health/Check", GRPC_METHOD_HEALTH},
    {"/grpc.health.v1.Health/Watch", GRPC_METHOD_WATCH},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	GRPC_METHOD_REFLECTION},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	GRPC_METHOD_REFLECTION},
};

static bool
grpc_header_is(const char *bytes, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(bytes, text, len) == 0;
}

static int
grpc_header_refuse(
    struct grpc_stream *stream, enum grpc_code code, const char *problem)
{
	stream->code = code;
	stream->problem = problem;
	return 0;
}

static int
grpc_header_take_path(struct grpc_stream *stream, struct grpc_memory *memory,
    const struct grpc_header *header)
{
	(void)memory;
	for (size_t i = 0; i < COUNT(grpc_paths); i++)
		if (grpc_header_is(
			header->value, header->len, grpc_paths[i].path))
			stream->method = grpc_paths[i].method;
	stream->goes_on = stream->method == GRPC_METHOD_REFLECTION;
	return stream->method ? 0
			      : grpc_header_refuse(stream, GRPC_UNIMPLEMENTED,
				    "there is no such method");
}

static int
grpc_header_take_type(struct grpc_stream *stream, struct grpc_memory *memory,
    const struct grpc_header *header)
{
	static const char type[] = "application/grpc";
	size_t len = sizeof(type) - 1;

	(void)memory;
	if (header->len >= len && memcmp(header->value, type, len) == 0 &&
	    (header->len == len || header->value[len] == ';' ||
		grpc_header_is(
		    header->value + len, header->len - len, "+proto")))
		return 0;
	return grpc_header_refuse(
	    stream, GRPC_INTERNAL, "content-type must be application/grpc");
}

int64_t
grpc_header_timeout(const char *value, size_t len)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {{'n', 1}, {'u', 1000}, {'m', 1000000}, {'S', 1000000000},
	    {'M', INT64_C(60000000000)}, {'H', INT64_C(3600000000000)}};
	int64_t number;

	if (len < 2 || len > TIMEOUT_DIGITS + 1 ||
	    num_count_digits(value, len) != len - 1 ||
	    num_read_int(value, len - 1, 0, INT64_MAX, &number) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(units); i++)
		if (value[len - 1] == units[i].unit)
			return units[i].ns < 1000
				   ? number / 1000
				   : number * (units[i].ns / 1000);
	return -1;
}

static int
grpc_header_take_timeout(struct grpc_stream *stream, struct grpc_memory *memory,
    const struct grpc_header *header)
{
	int64_t us = grpc_header_timeout(header->value, header->len);

	(void)memory;
	if (us == -1)
		return grpc_header_refuse(
		    stream, GRPC_INTERNAL, "grpc-timeout is no time");
	stream->deadline_us = clock_us() + us;
	return 0;
}

static int
grpc_header_take_login(struct grpc_stream *stream, struct grpc_memory *memory,
    const struct grpc_header *header)
{
	if (stream->login || header->len > GRPC_LOGIN_MAX)
		return grpc_header_refuse(
		    stream, GRPC_UNAUTHENTICATED, "authorization is no login");
	stream->login = grpc_memory_new(memory, header->len);
	if (!stream->login)
		return -1;
	memcpy(stream->login, header->value, header->len);
	stream->login_len = header->len;
	return 0;
}

int
grpc_header_take(struct grpc_stream *stream, struct grpc_memory *memory,
    const struct grpc_header *header)
{
	static const struct {
		const char *name;
		int (*take)(struct grpc_stream *, struct grpc_memory *,
		    const struct grpc_header *);
	} rows[] = {
	    {":path", grpc_header_take_path},
	    {"content-type", grpc_header_take_type},
	    {"grpc-timeout", grpc_header_take_timeout},
	    {"authorization", grpc_header_take_login},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (!stream->code && grpc_header_is(header->name,
					 header->name_len, rows[i].name))
			return rows[i].take(stream, memory, header);
	return 0;
}
