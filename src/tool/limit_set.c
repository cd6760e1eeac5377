#include "tool/limit_set.h"

#include "base/file.h"
#include "base/log.h"
#include "tool/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a member that is no limit, so much is shown. */
#define SHOWN_LEN 80

/* Fill ${set} with the lines of its limits.  Return 0, or -1: complained. */
static int
write_lines(struct limit_set *set)
{
	size_t count = rules_count(set->rules);
	size_t *starts = calloc(count + 1, sizeof(*starts));
	int status = -1;

	set->lines = calloc(count + 1, sizeof(*set->lines));
	if (!starts || !set->lines)
		goto out;
	for (size_t i = 0; i < count; i++) {
		if (rules_write_line(&set->text, rules_at(set->rules, i)) == -1)
			goto out;
		starts[i + 1] = buf_len(&set->text);
	}
	for (size_t i = 0; i < count; i++)
		set->lines[i] =
		    (struct rules_line){buf_head(&set->text) + starts[i],
			starts[i + 1] - starts[i]};
	status = 0;
out:
	free(starts);
	if (status == -1)
		tool_complain("out of memory");
	return status;
}

size_t
limit_set_count(const struct limit_set *set)
{
	return rules_count(set->rules);
}

void
limit_set_free(struct limit_set *set)
{
	rules_unref(set->rules);
	free(set->lines);
	buf_free(&set->text);
	*set = (struct limit_set){0};
}

/* The place comes first, as compilers have it, so that editors find it. */
static void
complain_of_file(const char *reason)
{
	char shown[800];

	fflush(stdout);
	fprintf(stderr, "%s\n",
	    log_escape(shown, sizeof(shown), reason, strlen(reason)));
}

int
limit_set_read_file(struct limit_set *set, const char *path)
{
	struct rules_error error;
	size_t len;
	char *text = file_read(path, &len);

	*set = (struct limit_set){.name = path};
	if (!text) {
		tool_complain("%s: %s", path, strerror(errno));
		return -1;
	}
	set->rules = rules_from_ini(path, text, len, &error);
	free(text);
	if (!set->rules)
		complain_of_file(error.reason);
	if (set->rules && write_lines(set) == 0)
		return 0;
	limit_set_free(set);
	return -1;
}

/* Say which member is no limit, as it stands there, and why. */
static void
complain_of_members(const char *key, const struct line_list *list,
    const struct rules_error *error, const char *hint)
{
	struct rules_error alone;
	char shown[SHOWN_LEN];

	for (size_t i = 0; i < list->count; i++) {
		const struct rules_line *line = &list->lines[i];
		struct rules *rules = rules_from_lines(key, line, 1, &alone);

		if (!rules) {
			tool_complain("%s: %s%s", error->reason,
			    log_escape(
				shown, sizeof(shown), line->bytes, line->len),
			    hint);
			return;
		}
		rules_unref(rules);
	}
	tool_complain("%s%s", error->reason, hint);
}

static struct rules *
read_members(const char *key, const redisReply *reply, const char *hint)
{
	struct rules_line *lines = calloc(reply->elements + 1, sizeof(*lines));
	struct rules_error error;
	struct rules *rules;

	if (!lines) {
		tool_complain("out of memory");
		return NULL;
	}
	for (size_t i = 0; i < reply->elements; i++)
		lines[i] = (struct rules_line){
		    reply->element[i]->str, (size_t)reply->element[i]->len};
	rules = rules_from_lines(key, lines, reply->elements, &error);
	if (!rules)
		complain_of_members(key,
		    &(struct line_list){lines, reply->elements}, &error, hint);
	free(lines);
	return rules;
}

int
limit_set_read_key(
    struct limit_set *set, struct redis_client *client, const char *hint)
{
	const char *key = client->options.limits_key;
	redisReply *reply = redis_client_ask(client, "ZRANGE %s 0 -1", key);

	*set = (struct limit_set){.name = key};
	if (!reply)
		return -1;
	set->rules = read_members(key, reply, hint);
	freeReplyObject(reply);
	if (set->rules && write_lines(set) == 0)
		return 0;
	limit_set_free(set);
	return -1;
}

int
limit_set_fetch(struct limit_set *set, struct tool *tool)
{
	struct redis_client client;
	int status;

	if (redis_client_open(&client, tool) == -1)
		return -1;
	status = limit_set_read_key(set, &client, "");
	redis_client_close(&client);
	return status;
}
