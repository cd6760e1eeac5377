/*
 * Any bytes as the fields of a request and a response, with a NUL between: what
 * is stored can be sent, and matches the request that it came for.
 */
#include "fuzz.h"
#include "upstream/freshness.h"
#include "upstream/response.h"

#include <string.h>

#define NOW INT64_C(1700000000000000)

static void
try_store(struct headers request, struct headers fields)
{
	static const struct freshness_rules rules = {
	    .most_us = INT64_C(86400000000),
	    .default_us = 1000000,
	    .stale_if_error_us = 5000000,
	    .keeps_private = true,
	    .obeys_clients = true,
	};
	struct received received = {200, fields, NOW - 1, NOW, 5};
	struct request_control control;
	struct response_builder builder;
	struct stored_response *response, *updated;
	struct freshness freshness;
	struct buf merged = {0}, asked = {0};

	request_control_read(&control, &rules, request);
	client_has_it(request, fields, 200, 0);
	if (!freshness_of(&freshness, &rules, &control, &received))
		return;
	check(freshness.fresh_until_us <= NOW + rules.most_us);
	check(freshness.kept_until_us > NOW);
	check(freshness_age_s(&freshness, NOW) >= 0);
	response_begin(&builder, &freshness, &received, request, 65536);
	response_add(&builder, "body", 4);
	response = response_finish(&builder);
	if (!response)
		return;
	check(vary_matches(response->selecting, request));
	freshness_reuse(&freshness, &control, NOW + 1);
	freshness_covers_error(&freshness, &control, NOW + 1);
	check(validators_add(&asked, response->fields) == 0);
	check(response_merge(&merged, response, fields) == 0);
	updated = response_updated(response,
	    (struct headers){buf_data(&merged), buf_len(&merged)}, &freshness);
	check(updated->body.len == 4);
	response_unref(updated);
	response_unref(response);
	buf_free(&merged);
	buf_free(&asked);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1);
	const char *nul;
	size_t len;

	check(bytes != NULL);
	if (size > 0)
		memcpy(bytes, data, size);
	bytes[size] = '\0';
	nul = memchr(bytes, '\0', size + 1);
	len = (size_t)(nul - bytes);
	try_store((struct headers){bytes, len},
	    (struct headers){nul + 1, len < size ? size - len - 1 : 0});
	free(bytes);
	return 0;
}
