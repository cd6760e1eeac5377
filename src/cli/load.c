/*
 * load: replaces the limits in Redis by other ones, by lines that daemons can
 * read.  One call of a script (lua/load.lua) changes the key and its history,
 * if the key still has what the guard looked at.  The heart is load_set().
 */
#include "cli/load.h"

#include "base/script.h"
#include "cli/commands.h"
#include "cli/guard.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/limits.h"
#include "cli/limits_key.h"
#include "cli/publish.h"
#include "cli/text.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The words of EVAL before the members. */
#define WORDS_MAX 10

/* Room for the texts of the history. */
#define MESSAGE_MAX 1000

/* Room for a number of the history. */
#define NUMBER_SIZE 24

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

/* The name of the user; with sudo, of the one who called it. */
static const char *
load_user_name(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *user = getpwuid(geteuid());

	if (geteuid() == 0 && sudo && *sudo)
		return sudo;
	return user ? user->pw_name : "unknown";
}

void
load_write_author(const struct tool *tool, char author[LOAD_AUTHOR_MAX + 1])
{
	char host[65] = "";

	if (tool->author) {
		snprintf(author, LOAD_AUTHOR_MAX + 1, "%s", tool->author);
		return;
	}
	if (gethostname(host, sizeof(host) - 1) == -1)
		host[0] = '\0';
	snprintf(
	    author, LOAD_AUTHOR_MAX + 1, "%.100s@%s", load_user_name(), host);
	for (char *at = author; *at; at++)
		if ((unsigned char)*at < ' ' || *at == '\x7f')
			*at = '?';
}

static int
load_check_text(const char *option, const char *text, size_t max)
{
	if (!text)
		return STATUS_FINE;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == '\x7f')
			return tool_error("--%s: not one line of text", option);
	if (strlen(text) > max)
		return tool_error("--%s: longer than %zu bytes", option, max);
	return STATUS_FINE;
}

int
load_check_options(const struct tool *tool)
{
	int status = publish_check_options(tool);

	if (status == STATUS_FINE)
		status =
		    load_check_text("author", tool->author, LOAD_AUTHOR_MAX);
	if (status == STATUS_FINE)
		status = load_check_text("message", tool->message, MESSAGE_MAX);
	return status;
}

/* Call the script.  NULL: the error was printed. */
static redisReply *
load_call(struct redis_client *client, const struct limit_set *set,
    const char *const head[WORDS_MAX])
{
	const char **words = calloc(WORDS_MAX + set->count, sizeof(*words));
	size_t *lens = calloc(WORDS_MAX + set->count, sizeof(*lens));
	redisReply *reply = NULL;

	if (!words || !lens) {
		tool_error("out of memory");
	} else {
		for (size_t i = 0; i < WORDS_MAX; i++) {
			words[i] = head[i];
			lens[i] = strlen(head[i]);
		}
		for (size_t i = 0; i < set->count; i++) {
			words[WORDS_MAX + i] = set->lines[i].bytes;
			lens[WORDS_MAX + i] = set->lines[i].len;
		}
		if (redis_client_queue(
			client, WORDS_MAX + set->count, words, lens) == 0)
			reply = redis_client_reply(client);
	}
	free(words);
	free(lens);
	return reply;
}

/* Why the script changed nothing, by its first word. */
static const struct {
	const char *word, *of, *reason, *follows;
} load_refusals[] = {
    {"changed", "", "was changed meanwhile", ": compare, and load again"},
    {"large", "", "has more than a set of limits may", "; --force replaces it"},
    {"foreign", HISTORY_SUFFIX, "is no history of limits",
	"; --force begins a new one"},
    {"newer", HISTORY_SUFFIX, "was written by a newer dripgate",
	"; --force begins a new one"},
    {"torn", HISTORY_SUFFIX, "its last number is missing",
	"; --force begins a new one"},
};

static int
load_refuse(
    const struct redis_client *client, const char *word, const char *detail)
{
	for (size_t i = 0; i < COUNT(load_refusals); i++)
		if (strcmp(load_refusals[i].word, word) == 0)
			return tool_error("%s%s: %s%s%.40s%s%s",
			    client->options.limits_key, load_refusals[i].of,
			    load_refusals[i].reason, *detail ? " (" : "",
			    detail, *detail ? ")" : "",
			    load_refusals[i].follows);
	return tool_error("Redis at %s: sent a reply that is not one to a load",
	    client->name);
}

/* Set the number that the history gives the set. */
static int
load_take_reply(const struct redis_client *client, const redisReply *reply,
    char number[NUMBER_SIZE])
{
	const char *word = "", *detail = "";

	if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 &&
	    reply->element[0]->type == REDIS_REPLY_STRING &&
	    reply->element[1]->type == REDIS_REPLY_STRING) {
		word = reply->element[0]->str;
		detail = reply->element[1]->str;
	}
	if (strcmp(word, "loaded") != 0)
		return load_refuse(client, word, detail);
	if (!json_is_number(detail, strlen(detail)))
		return load_refuse(client, "", "");
	snprintf(number, NUMBER_SIZE, "%s", detail);
	return STATUS_FINE;
}

/* Put the set in the key's place, if that still has the digest ${seen}, "":
 * whatever it has. */
static int
load_replace(struct tool *tool, struct redis_client *client,
    const struct limit_set *set, const char *seen, const char *message,
    char number[NUMBER_SIZE])
{
	char author[LOAD_AUTHOR_MAX + 1], history[300], keep[12];
	const char *const head[WORDS_MAX] = {"EVAL", script_load.text, "2",
	    client->options.limits_key, history, seen,
	    tool->force ? "force" : "", keep, author, message};
	redisReply *reply;
	int status;

	load_write_author(tool, author);
	snprintf(history, sizeof(history), "%s" HISTORY_SUFFIX,
	    client->options.limits_key);
	snprintf(keep, sizeof(keep), "%d", HISTORY_MAX);
	reply = load_call(client, set, head);
	if (!reply)
		return STATUS_ERROR;
	status = load_take_reply(client, reply, number);
	freeReplyObject(reply);
	return status;
}

/* Refuse what loses buckets, without --yes; with --dry-run, only say so. */
static int
load_guard(const struct tool *tool, const char *key,
    const struct limit_set *present, const struct limit_set *set)
{
	struct buf losses = {0};
	int status = STATUS_FINE;

	if (tool->yes)
		return STATUS_FINE;
	if (guard_describe(&losses, present, set) == -1)
		status = STATUS_ERROR;
	else if (*buf_data(&losses) && tool->dry_run)
		text_line("needs --yes: %s", buf_data(&losses));
	else if (*buf_data(&losses))
		status = tool_error(
		    "%s: not loaded: %s; --yes loads it all the same", key,
		    buf_data(&losses));
	buf_free(&losses);
	return status;
}

/* Show what loading ${set} would change. */
static int
load_dry_run(struct tool *tool, const struct limit_set *present,
    const struct limit_set *set)
{
	int status = limits_show_diff(tool, present, set);

	if (!tool->force &&
	    limit_set_check(present, FORCE_HINT) == STATUS_ERROR)
		return STATUS_ERROR;
	if (status != STATUS_ERROR)
		status = load_guard(tool, present->name, present, set);
	return status;
}

/* Do not replace other data by mistake: Turnstile uses a key of the same
 * name. */
static int
load_over(struct tool *tool, struct redis_client *client,
    const struct limit_set *set, const char *message, char number[NUMBER_SIZE])
{
	char seen[LIMIT_SET_DIGEST_SIZE];
	struct limit_set present;
	int status;

	if (limit_set_read_with_digest(&present, client, seen) == -1)
		return STATUS_ERROR;
	if (tool->dry_run)
		status = load_dry_run(tool, &present, set);
	else if (!tool->force &&
		 limit_set_check(&present, FORCE_HINT) == STATUS_ERROR)
		status = STATUS_ERROR;
	else
		status = load_guard(tool, present.name, &present, set);
	limit_set_free(&present);
	if (status != STATUS_FINE || tool->dry_run)
		return status;
	return load_replace(
	    tool, client, set, tool->force ? "" : seen, message, number);
}

/* The limits are in Redis: say so, and have them loaded. */
static int
load_say_done(const struct tool *tool, struct redis_client *client,
    size_t count, const char *number)
{
	struct published published;

	text_line("%s: %zu limits, number %s", client->options.limits_key,
	    count, number);
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
    size_t count, const char *number)
{
	struct json json = {.to = stdout};
	struct published published;

	if (!tool->no_reload &&
	    publish_reload_message(tool, client, &published) == -1)
		return STATUS_ERROR;
	json_open(&json, NULL, '{');
	json_text(&json, "key", client->options.limits_key);
	json_int(&json, "limits", (int64_t)count);
	json_raw(&json, "number", number);
	if (tool->no_reload)
		json_raw(&json, "reload", "null");
	else
		publish_write(&json, "reload", &published);
	json_close(&json, '}');
	json_end(&json);
	return STATUS_FINE;
}

/* Whether the key has what can be read as limits, or nothing. */
static bool
load_is_readable(struct redis_client *client)
{
	struct limits_key key;
	bool is_readable;

	client->is_quiet = true;
	is_readable = limits_key_read(&key, client, "") == 0;
	client->is_quiet = false;
	if (is_readable)
		limits_key_free(&key);
	return is_readable;
}

int
load_set(struct tool *tool, struct redis_client *client,
    const struct limit_set *set, const char *message)
{
	char number[NUMBER_SIZE];
	int status;

	if (load_check_bounds(set) != STATUS_FINE)
		return STATUS_ERROR;
	if (tool->force && !tool->dry_run && !load_is_readable(client))
		status = load_replace(tool, client, set, "", message, number);
	else
		status = load_over(tool, client, set, message, number);
	if (status != STATUS_FINE || tool->dry_run)
		return status;
	return (tool->json ? load_write_done : load_say_done)(
	    tool, client, set->count, number);
}

int
limits_load(struct tool *tool)
{
	struct redis_client client;
	struct limit_set file;
	int status = STATUS_ERROR;

	if (load_check_options(tool) != STATUS_FINE ||
	    limit_set_read_file(&file, tool->words[0]) == -1)
		return STATUS_ERROR;
	if (load_check_bounds(&file) == STATUS_FINE &&
	    redis_client_open(&client, tool) == 0) {
		status = load_set(
		    tool, &client, &file, tool->message ? tool->message : "");
		redis_client_close(&client);
	}
	limit_set_free(&file);
	return status;
}
