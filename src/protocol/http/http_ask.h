/**
 * http_ask: what the parameters of a request say: key, amount, id, wait and
 * deny, from a query, a form, or JSON.  Several keys, each with its amount,
 * make a request for one decision.
 */
#ifndef PROTOCOL_HTTP_HTTP_ASK_H
#define PROTOCOL_HTTP_HTTP_ASK_H

#include "base/attr.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/routes.h"
#include "protocol/http/http_problem.h"
#include "protocol/request.h"

#include <stdbool.h>
#include <stddef.h>

/** Most elements of ${each}. */
#define HTTP_EACH_MAX 1000

/** Longest value, decoded. */
#define HTTP_VALUE_MAX KEY_MAX

/** Room for what is decoded: a key, and behind it an id. */
#define HTTP_ROOM_MAX (HTTP_VALUE_MAX + ID_MAX)

/** Some text, borrowed. */
struct http_word {
	const char *bytes;
	size_t len;
	bool is_number; /* JSON had it so, not in quotes */
};

/** All zero at first, but for ${request}, which was started, and ${room}. */
struct http_ask {
	struct request *request;
	char *room; /* HTTP_ROOM_MAX bytes, for the key and the id */
	bool is_json;
	bool is_element; /* of a list: only key and amount may be there */
	bool is_routed;  /* only deny may be there */
	unsigned given;  /* parameters so far, a bit each */
	int deny;        /* the status of a denial; 0: not said */

	struct routed_request *keys; /* room for several; NULL: one only */
	unsigned key_count;          /* of those there, but for the last one of
				      * a form, which is ${request}'s */
	bool has_early_amount;       /* it came before the first key */

	/* of JSON: independent decisions; count 0: it has none */
	const char *each; /* where the first one starts */
	unsigned each_count;
};

/** Take the parameters of a query or a form.  Return NULL, or what is wrong. */
const struct http_problem *http_ask_form(
    struct http_ask *ask, const char *bytes, size_t len) MUST_USE;

/** The key and the amount of ${request} are one of several.  Return as above.
 */
const struct http_problem *http_ask_add_key(
    struct http_ask *ask, const struct request *request) MUST_USE;

/** One more parameter, by its name, with its decoded value, of which
 * the first HTTP_VALUE_MAX + 1 bytes will do.  Return as
 * above. */
const struct http_problem *http_ask_take(struct http_ask *ask,
    const struct http_word *name, const struct http_word *value) MUST_USE;

/** There are no more.  Return as above.  Several keys borrow ${keys}. */
const struct http_problem *http_ask_end(struct http_ask *ask) MUST_USE;

#endif
