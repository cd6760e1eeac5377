/*
 * Job: reads a request from a body in JSON.
 * Invariant: ${at} never passes ${end}, and nothing nests deeper than an object
 * in each, so there is no recursion.
 * The heart: http_json_member() and http_json_read().
 */
#include "protocol/http/http_json.h"

#include "protocol/http/http_json_part.h"

#include <string.h>

/* A value, a string or a number; what is a word is no value of ours. */
static const struct http_problem *
http_json_value(
    struct http_json *json, struct http_ask *ask, const struct http_word *name)
{
	struct http_json_text text;
	struct http_word value;
	bool is_text = (name->len == 3 && memcmp(name->bytes, "key", 3) == 0) ||
		       (name->len == 2 && memcmp(name->bytes, "id", 2) == 0);

	http_json_skip_space(json);
	if (!http_json_is_next(json, "\"")) {
		if (is_text || !http_json_take_number(json, &value))
			return HTTP_PROBLEM(BADJSON);
		return http_ask_take(ask, name, &value);
	}
	if (!is_text || !http_json_take_string(json, &text))
		return HTTP_PROBLEM(BADJSON);
	value = (struct http_word){text.bytes, text.len, false};
	return http_ask_take(ask, name, &value);
}

static const struct http_problem *http_json_each(
    struct http_json *json, struct http_ask *ask);
static const struct http_problem *http_json_all(
    struct http_json *json, struct http_ask *ask);

/* "NAME": VALUE */
static const struct http_problem *
http_json_member(struct http_json *json, struct http_ask *ask)
{
	struct http_json_text text;
	struct http_word name;

	if (!http_json_take_string(json, &text) || !http_json_take(json, ':'))
		return HTTP_PROBLEM(BADJSON);
	name = (struct http_word){text.bytes, text.len, false};
	if (ask->is_element)
		return http_json_value(json, ask, &name);
	if (name.len == 4 && memcmp(name.bytes, "each", 4) == 0)
		return http_json_each(json, ask);
	if (name.len == 3 && memcmp(name.bytes, "all", 3) == 0)
		return http_json_all(json, ask);
	return http_json_value(json, ask, &name);
}

static const struct http_problem *
http_json_object(struct http_json *json, struct http_ask *ask)
{
	const struct http_problem *problem;

	if (!http_json_take(json, '{'))
		return HTTP_PROBLEM(BADJSON);
	if (http_json_take(json, '}'))
		return http_ask_end(ask);
	do {
		problem = http_json_member(json, ask);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_json_take(json, '}') ? http_ask_end(ask)
					 : HTTP_PROBLEM(BADJSON);
}

const struct http_problem *
http_json_element(struct http_ask *ask, const char **at, const char *end)
{
	struct http_json json = {*at, end};
	const struct http_problem *problem;

	ask->is_json = ask->is_element = true;
	ask->given = 0;
	problem = http_json_object(&json, ask);
	if (!problem)
		(void)http_json_take(&json, ',');
	*at = json.at;
	return problem;
}

/* The array of objects, each of which is checked. */
static const struct http_problem *
http_json_each(struct http_json *json, struct http_ask *ask)
{
	struct request request = *ask->request;
	struct http_ask element = {
	    .request = &request, .room = ask->room, .is_element = true};

	if (ask->each_count > 0 || !http_json_take(json, '['))
		return HTTP_PROBLEM(BADEACH);
	ask->each = json->at;
	do {
		const struct http_problem *problem;

		if (ask->each_count++ == HTTP_EACH_MAX)
			return HTTP_PROBLEM(BADEACH);
		element.given = 0;
		problem = http_json_object(json, &element);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_json_take(json, ']') ? NULL : HTTP_PROBLEM(BADJSON);
}

/* The array of objects that are one decision. */
static const struct http_problem *
http_json_all(struct http_json *json, struct http_ask *ask)
{
	struct http_ask element = {.room = ask->room, .is_element = true};

	if (!ask->keys || ask->key_count > 0 || !http_json_take(json, '['))
		return HTTP_PROBLEM(BADALL);
	do {
		struct request request = *ask->request;
		const struct http_problem *problem;

		element.request = &request;
		element.given = 0;
		problem = http_json_object(json, &element);
		if (!problem)
			problem = http_ask_add_key(ask, &request);
		if (problem)
			return problem;
	} while (http_json_take(json, ','));
	return http_json_take(json, ']') ? NULL : HTTP_PROBLEM(BADJSON);
}

const struct http_problem *
http_json_read(struct http_ask *ask, const char *bytes, size_t len)
{
	struct http_json json = {bytes, bytes + len};
	const struct http_problem *problem;

	ask->is_json = true;
	problem = http_json_object(&json, ask);
	if (problem)
		return problem;
	http_json_skip_space(&json);
	return json.at == json.end ? NULL : HTTP_PROBLEM(BADJSON);
}
