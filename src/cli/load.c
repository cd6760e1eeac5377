/*
 * load: replaces the limits in Redis by those of a file, in one transaction, by
 * lines that daemons can read.  The heart is load_key().
 */
#include "base/num.h"
#include "cli/commands.h"
#include "cli/limit_set.h"
#include "cli/limits.h"
#include "cli/publish.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commands of load_key(): MULTI UNLINK ZADD EXEC. */
#define LOAD_COMMANDS 4

/* Distance between the scores of two members, so that a person can insert
 * one. */
#define SCORE_STEP 10

#define SCORE_LEN 16

#define FORCE_HINT "; --force replaces it"

/* A file can express more than a line can. */
static int
load_check_blanks(const struct limit_entry *entry)
{
	if (entry->limit && strchr(entry->limit->match, ' '))
		return tool_error("[%s]: match has a blank, which "
				  "no key does, and no limit in "
				  "Redis may",
		    entry->limit->name);
	if (entry->route && route_has_blank(entry->route))
		return tool_error("[" ROUTE_SIGN "%s]: a pattern has a blank, "
				  "which no route in Redis may",
		    route_name(entry->route));
	return STATUS_FINE;
}

/* Check that daemons could read the lines. */
static int
load_check_lines(const struct limit_set *set)
{
	struct reasons reasons;
	struct rules *read;

	for (size_t i = 0; i < set->count; i++)
		if (load_check_blanks(&set->entries[i]) != STATUS_FINE)
			return STATUS_ERROR;
	read = rules_from_lines("in Redis", set->lines, set->count, &reasons);
	if (!read)
		return tool_error(
		    "daemons would refuse this %s", reasons_first(&reasons));
	rules_unref(read);
	return STATUS_FINE;
}

/* Whether daemons would take the set from Redis. */
static int
load_check_bounds(const struct limit_set *set)
{
	size_t count = set->count;

	if (count > SUBSCRIBER_LIMITS_MAX)
		return tool_error("%zu limits are more than %d", count,
		    SUBSCRIBER_LIMITS_MAX);
	if ((int64_t)buf_len(&set->text) > SUBSCRIBER_BYTES_MAX)
		return tool_error("the limits are longer than %lld bytes",
		    (long long)SUBSCRIBER_BYTES_MAX);
	return load_check_lines(set);
}

/* Queue ZADD key 10 line 20 line ... */
static int
load_queue_lines(struct redis_client *client, const struct limit_set *set)
{
	size_t count = set->count;
	size_t argc = 2 + 2 * count;
	const char **argv = calloc(argc, sizeof(*argv));
	size_t *lens = calloc(argc, sizeof(*lens));
	char *scores = calloc(count, SCORE_LEN);
	int status = -1;

	if (argv && lens && scores) {
		argv[0] = "ZADD";
		argv[1] = client->options.limits_key;
		lens[0] = strlen(argv[0]);
		lens[1] = strlen(argv[1]);
		for (size_t i = 0; i < count; i++) {
			char *score = scores + i * SCORE_LEN;

			argv[2 + 2 * i] = score;
			lens[2 + 2 * i] =
			    num_write_int(score, (int64_t)(i + 1) * SCORE_STEP);
			argv[3 + 2 * i] = set->lines[i].bytes;
			lens[3 + 2 * i] = set->lines[i].len;
		}
		status = redis_client_queue(client, argc, argv, lens);
	} else {
		tool_error("out of memory");
	}
	free(argv);
	free(lens);
	free(scores);
	return status;
}

/* A command of ${count} plain words. */
static int
load_queue_words(struct redis_client *client, size_t count, const char **words)
{
	size_t lens[2];

	for (size_t i = 0; i < count; i++)
		lens[i] = strlen(words[i]);
	return redis_client_queue(client, count, words, lens);
}

/* Put the set in the key's place, in one step.  Return 0, or -1. */
static int
load_key(struct redis_client *client, const struct limit_set *set)
{
	const char *unlink[] = {"UNLINK", client->options.limits_key};
	const char *multi[] = {"MULTI"}, *exec[] = {"EXEC"};
	redisReply *reply;

	if (load_queue_words(client, 1, multi) == -1 ||
	    load_queue_words(client, 2, unlink) == -1 ||
	    load_queue_lines(client, set) == -1 ||
	    load_queue_words(client, 1, exec) == -1)
		return -1;
	for (int i = 0; i < LOAD_COMMANDS; i++) {
		reply = redis_client_reply(client);
		if (!reply)
			return -1; /* closing the connection undoes the rest */
		freeReplyObject(reply);
	}
	return 0;
}

/* Show what loading ${file} would change. */
static int
load_dry_run(struct tool *tool, struct redis_client *client,
    const struct limit_set *file)
{
	struct limit_set present = {0};
	int status;

	if (limit_set_read_key(&present, client) == -1)
		return STATUS_ERROR;
	status = limits_show_diff(tool, &present, file);
	if (!tool->force &&
	    limit_set_check(&present, FORCE_HINT) == STATUS_ERROR)
		status = STATUS_ERROR;
	limit_set_free(&present);
	return status == STATUS_ERROR ? STATUS_ERROR : STATUS_FINE;
}

/* Do not replace other data by mistake: Turnstile uses a key of the same
 * name. */
static int
load_check_present(struct redis_client *client)
{
	struct limit_set present;
	int status;

	if (limit_set_read_key(&present, client) == -1)
		return -1;
	status = limit_set_check(&present, FORCE_HINT);
	limit_set_free(&present);
	return status == STATUS_FINE ? 0 : -1;
}

/* The limits are in Redis: say so, and have them loaded. */
static int
load_say_done(const struct tool *tool, struct redis_client *client,
    const struct limit_set *file)
{
	struct published published;

	text_line("%s: %zu limits", client->options.limits_key, file->count);
	if (tool->no_reload)
		return STATUS_FINE;
	if (publish_reload_message(tool, client, &published) == -1)
		return STATUS_ERROR;
	publish_print(&published);
	return STATUS_FINE;
}

/* The same, as one object. */
static int
load_write_done(const struct tool *tool, struct redis_client *client,
    const struct limit_set *file)
{
	struct json json = {.to = stdout};
	struct published published;

	if (!tool->no_reload &&
	    publish_reload_message(tool, client, &published) == -1)
		return STATUS_ERROR;
	json_open(&json, NULL, '{');
	json_text(&json, "key", client->options.limits_key);
	json_int(&json, "limits", (int64_t)file->count);
	if (tool->no_reload)
		json_raw(&json, "reload", "null");
	else
		publish_write(&json, "reload", &published);
	json_close(&json, '}');
	json_end(&json);
	return STATUS_FINE;
}

static int
load(struct tool *tool, struct redis_client *client,
    const struct limit_set *file)
{
	if (tool->dry_run)
		return load_dry_run(tool, client, file);
	if ((!tool->force && load_check_present(client) == -1) ||
	    load_key(client, file) == -1)
		return STATUS_ERROR;
	return tool->json ? load_write_done(tool, client, file)
			  : load_say_done(tool, client, file);
}

int
limits_load(struct tool *tool)
{
	struct redis_client client;
	struct limit_set file;
	int status = STATUS_ERROR;

	if (publish_check_options(tool) != STATUS_FINE ||
	    limit_set_read_file(&file, tool->words[0]) == -1)
		return STATUS_ERROR;
	if (load_check_bounds(&file) == STATUS_FINE &&
	    redis_client_open(&client, tool) == 0) {
		status = load(tool, &client, &file);
		redis_client_close(&client);
	}
	limit_set_free(&file);
	return status;
}
