/*
 * Job: looks up files, messages and services in what protoc says of them.
 * Invariant: what a client sends is compared and sent back, no more.
 * The heart: grpc_reflection_respond(), and the table of requests.
 */
#include "protocol/grpc/grpc_reflection.h"

#include "base/attr.h"
#include "protocol/grpc/grpc_session.h"

#include <assert.h>
#include <string.h>

/* A FileDescriptorSet. */
static const unsigned char grpc_reflection_files[] = {
#include "src/protocol/grpc/files.inc"
};

/* Fields of descriptor.proto. */
enum {
	SET_FILE = 1,
	FILE_NAME = 1,
	FILE_PACKAGE = 2,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	NAME = 1, /* of those three */
};

/* Fields of reflection.proto. */
enum {
	ASKED_FILE = 3,
	ASKED_SYMBOL = 4,
	ASKED_SERVICES = 7,
	HOST = 1, /* asked for, and told */
	ORIGINAL = 2,
	TOLD_FILES = 4,
	TOLD_SERVICES = 6,
	TOLD_ERROR = 7,
};

/*
 * The files.
 */

static struct grpc_text
grpc_reflection_set(void)
{
	return (struct grpc_text){
	    (const char *)grpc_reflection_files, sizeof(grpc_reflection_files)};
}

/* The file that a client names.  Return whether there is one. */
static bool
grpc_reflection_find_file(const struct grpc_text *name, struct grpc_text *file)
{
	struct grpc_text set = grpc_reflection_set();
	uint32_t tag;

	while (grpc_wire_next(&set, &tag, file)) {
		struct grpc_text its = grpc_wire_find(*file, FILE_NAME);

		if (its.len == name->len &&
		    memcmp(its.bytes, name->bytes, its.len) == 0)
			return true;
	}
	return false;
}

/* Whether ${name} is "PACKAGE.THING", or starts with that and a dot. */
static bool
grpc_reflection_starts(const struct grpc_text *name,
    const struct grpc_text *package, const struct grpc_text *thing)
{
	size_t len = package->len + 1 + thing->len;

	return name->len >= len && name->bytes[package->len] == '.' &&
	       (name->len == len || name->bytes[len] == '.') &&
	       memcmp(name->bytes, package->bytes, package->len) == 0 &&
	       memcmp(name->bytes + package->len + 1, thing->bytes,
		   thing->len) == 0;
}

/* Whether the file has a message, an enum or a service of that name, or one
 * that has it inside; or a service of exactly that name. */
static bool
grpc_reflection_has_symbol(
    struct grpc_text file, const struct grpc_text *name, bool is_service)
{
	struct grpc_text package = grpc_wire_find(file, FILE_PACKAGE), thing;
	uint32_t tag;

	while (grpc_wire_next(&file, &tag, &thing)) {
		bool is_one =
		    tag == FILE_SERVICE ||
		    (!is_service && (tag == FILE_MESSAGE || tag == FILE_ENUM));
		struct grpc_text its = grpc_wire_find(thing, NAME);

		if (is_one && grpc_reflection_starts(name, &package, &its) &&
		    (!is_service || name->len == package.len + 1 + its.len))
			return true;
	}
	return false;
}

static bool
grpc_reflection_find_symbol(
    const struct grpc_text *name, struct grpc_text *file)
{
	struct grpc_text set = grpc_reflection_set();
	uint32_t tag;

	while (grpc_wire_next(&set, &tag, file))
		if (grpc_reflection_has_symbol(*file, name, false))
			return true;
	return false;
}

bool
grpc_reflection_has(const struct grpc_text *service)
{
	struct grpc_text set = grpc_reflection_set(), file;
	uint32_t tag;

	while (grpc_wire_next(&set, &tag, &file))
		if (grpc_reflection_has_symbol(file, service, true))
			return true;
	return false;
}

/*
 * Responses.
 */

static void
grpc_reflection_put_error(
    struct grpc_writing *to, enum grpc_code code, const char *text)
{
	char room[128];
	struct grpc_writing error = {.bytes = room, .room = sizeof(room)};

	grpc_wire_put_number(&error, 1, code);
	grpc_wire_put_text(&error, 2, text);
	grpc_wire_put_message(to, TOLD_ERROR, &error);
}

static void
grpc_reflection_put_file(struct grpc_writing *to, const struct grpc_text *name,
    bool (*find)(const struct grpc_text *, struct grpc_text *))
{
	char room[GRPC_REFLECTION_MAX];
	struct grpc_writing files = {.bytes = room, .room = sizeof(room)};
	struct grpc_text file;

	if (!find(name, &file)) {
		grpc_reflection_put_error(
		    to, GRPC_NOT_FOUND, "there is no such file or symbol");
		return;
	}
	grpc_wire_put(&files, 1, file.bytes, file.len);
	grpc_wire_put_message(to, TOLD_FILES, &files);
}

/* The services of a file, each as a message with its whole name. */
static void
grpc_reflection_put_services_of(struct grpc_writing *to, struct grpc_text file)
{
	struct grpc_text package = grpc_wire_find(file, FILE_PACKAGE), service;
	uint32_t tag;

	while (grpc_wire_next(&file, &tag, &service)) {
		char text[256], room[sizeof(text) + 8];
		struct grpc_writing one = {.bytes = room, .room = sizeof(room)};
		struct grpc_text name = grpc_wire_find(service, NAME);

		if (tag != FILE_SERVICE)
			continue;
		assert(package.len + 1 + name.len <= sizeof(text));
		memcpy(text, package.bytes, package.len);
		text[package.len] = '.';
		memcpy(text + package.len + 1, name.bytes, name.len);
		grpc_wire_put(&one, 1, text, package.len + 1 + name.len);
		grpc_wire_put_message(to, 1, &one);
	}
}

static void
grpc_reflection_put_services(struct grpc_writing *to)
{
	char room[1024];
	struct grpc_writing services = {.bytes = room, .room = sizeof(room)};
	struct grpc_text set = grpc_reflection_set(), file;
	uint32_t tag;

	while (grpc_wire_next(&set, &tag, &file))
		grpc_reflection_put_services_of(&services, file);
	grpc_wire_put_message(to, TOLD_SERVICES, &services);
}

/* Respond to what ${tag} asks for, with ${value}. */
static void
grpc_reflection_put(
    struct grpc_writing *to, uint32_t tag, const struct grpc_text *value)
{
	switch (tag) {
	case ASKED_FILE:
		grpc_reflection_put_file(to, value, grpc_reflection_find_file);
		break;
	case ASKED_SYMBOL:
		grpc_reflection_put_file(
		    to, value, grpc_reflection_find_symbol);
		break;
	case ASKED_SERVICES:
		grpc_reflection_put_services(to);
		break;
	case 0:
		grpc_reflection_put_error(
		    to, GRPC_INVALID_ARGUMENT, "not a ServerReflectionRequest");
		break;
	default: /* about extensions */
		grpc_reflection_put_error(
		    to, GRPC_NOT_FOUND, "there are no extensions");
	}
}

void
grpc_reflection_respond(
    struct grpc_writing *to, const struct grpc_text *request)
{
	struct grpc_text rest = *request, value, asked = {0}, host = {0};
	uint32_t tag, what = 0;

	while (grpc_wire_next(&rest, &tag, &value)) {
		if (!value.bytes)
			continue;
		if (tag == HOST)
			host = value;
		else if (tag <= ASKED_SERVICES) {
			what = tag;
			asked = value;
		}
	}
	if (rest.len > 0)
		what = 0;
	grpc_wire_put(to, HOST, host.bytes, host.len);
	grpc_wire_put(to, ORIGINAL, request->bytes, request->len);
	grpc_reflection_put(to, what, &asked);
	assert(!to->is_cut);
}
