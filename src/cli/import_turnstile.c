/*
 * import_turnstile: the limits in Redis as a file of ours.  All of the tool
 * reads limits of Turnstile; this also says which ones nothing reads.
 */
#include "cli/commands.h"
#include "cli/limits.h"
#include "limit/turnstile.h"

#include <stdbool.h>
#include <stdio.h>

/* Print which members are left out.  Return whether there are any. */
static bool
import_turnstile_say_left(const char *key, const redisReply *members)
{
	bool has_left = false;

	for (size_t i = 0; i < members->elements; i++) {
		const redisReply *member = members->element[i];
		struct buf lines = {0};
		struct limit_error why;

		if (turnstile_is_member(member->str, (size_t)member->len) &&
		    turnstile_write(&lines, member->str, (size_t)member->len,
			&why) == TURNSTILE_LEFT) {
			fprintf(stderr, "%s: member %zu %s\n", key, i + 1,
			    why.reason);
			has_left = true;
		}
		buf_free(&lines);
	}
	return has_left;
}

static int
import_turnstile_write(
    const struct tool *tool, const char *key, const redisReply *members)
{
	bool has_left = import_turnstile_say_left(key, members);
	struct limit_set set;
	int status;

	if (limit_set_from_replies(
		&set, key, members->element, members->elements) == -1)
		return STATUS_ERROR;
	status = limits_dump_set(tool, &set);
	limit_set_free(&set);
	return status == STATUS_FINE && has_left ? STATUS_DIFFERENT : status;
}

int
limits_import_turnstile(struct tool *tool)
{
	struct redis_client client;
	const char *key;
	redisReply *members;
	int status = STATUS_ERROR;

	if (redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	key = client.options.limits_key;
	members = redis_client_call_texts(&client, "ZRANGE %s 0 -1", key);
	if (members)
		status = import_turnstile_write(tool, key, members);
	freeReplyObject(members);
	redis_client_close(&client);
	return status;
}
