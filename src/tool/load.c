/*
 * limits load: a file takes the place of the limits in Redis.
 */
#include "base/num.h"
#include "tool/commands.h"
#include "tool/limit_set.h"
#include "tool/limits.h"
#include "tool/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commands of load_key(): MULTI UNLINK ZADD EXEC. */
#define LOAD_COMMANDS 4

/* Between the scores of two members, so that one can be put between by hand. */
#define SCORE_STEP 10

#define SCORE_LEN 16

/* A file may say what a line may not: whether daemons could read the lines. */
static int
check_lines(const struct limit_set *set)
{
	struct rules_error error;
	struct rules *read;

	for (size_t i = 0; i < limit_set_count(set); i++)
		if (strchr(rules_at(set->rules, i)->match, ' '))
			return tool_complain("[%s]: match holds a blank, which "
					     "no key does, and no limit in "
					     "Redis may",
			    rules_at(set->rules, i)->name);
	read = rules_from_lines(
	    "in Redis", set->lines, limit_set_count(set), &error);
	if (!read)
		return tool_complain(
		    "daemons would refuse this %s", error.reason);
	rules_unref(read);
	return STATUS_FINE;
}

/* Whether daemons would take the set from Redis. */
static int
check_bounds(const struct limit_set *set)
{
	size_t count = limit_set_count(set);

	if (count > SUBSCRIBER_LIMITS_MAX)
		return tool_complain("%zu limits are more than %d", count,
		    SUBSCRIBER_LIMITS_MAX);
	if ((int64_t)buf_len(&set->text) > SUBSCRIBER_BYTES_MAX)
		return tool_complain("the limits are longer than %lld bytes",
		    (long long)SUBSCRIBER_BYTES_MAX);
	return check_lines(set);
}

/* Queue ZADD key 10 line 20 line ... */
static int
queue_lines(struct redis_client *client, const struct limit_set *set)
{
	size_t count = limit_set_count(set);
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
		tool_complain("out of memory");
	}
	free(argv);
	free(lens);
	free(scores);
	return status;
}

/* A command of ${count} plain words. */
static int
queue_words(struct redis_client *client, size_t count, const char **words)
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

	if (queue_words(client, 1, multi) == -1 ||
	    queue_words(client, 2, unlink) == -1 ||
	    queue_lines(client, set) == -1 ||
	    queue_words(client, 1, exec) == -1)
		return -1;
	for (int i = 0; i < LOAD_COMMANDS; i++) {
		reply = redis_client_answer(client);
		if (!reply)
			return -1; /* closing the connection undoes the rest */
		freeReplyObject(reply);
	}
	return 0;
}

/* Show what loading ${file} would change. */
static int
dry_run(struct tool *tool, struct redis_client *client,
    const struct limit_set *file)
{
	struct limit_set present = {0};
	int status;

	if (limit_set_read_key(&present, client, "") == -1)
		return STATUS_ERROR;
	status = limits_show_diff(tool, &present, file);
	limit_set_free(&present);
	return status == STATUS_ERROR ? STATUS_ERROR : STATUS_FINE;
}

/* Nobody's data is thrown away by mistake: a key of Turnstile's has the same
 * name. */
static int
check_present(struct redis_client *client)
{
	struct limit_set present;

	if (limit_set_read_key(&present, client, "; --force replaces it") == -1)
		return -1;
	limit_set_free(&present);
	return 0;
}

static int
load(struct tool *tool, struct redis_client *client,
    const struct limit_set *file)
{
	if (tool->dry_run)
		return dry_run(tool, client, file);
	if ((!tool->force && check_present(client) == -1) ||
	    load_key(client, file) == -1)
		return STATUS_ERROR;
	printf("%s: %zu limits\n", client->options.limits_key,
	    limit_set_count(file));
	return tool->no_reload ? STATUS_FINE : order_send_reload(tool, client);
}

int
limits_load(struct tool *tool)
{
	struct redis_client client;
	struct limit_set file;
	int status = STATUS_ERROR;

	if (order_check(tool) != STATUS_FINE ||
	    limit_set_read_file(&file, tool->words[0]) == -1)
		return STATUS_ERROR;
	if (check_bounds(&file) == STATUS_FINE &&
	    redis_client_open(&client, tool) == 0) {
		status = load(tool, &client, &file);
		redis_client_close(&client);
	}
	limit_set_free(&file);
	return status;
}
