/*
 * Recognises errors of Redis, and explains them to an operator.  An explanation
 * quotes little of what a server sent.  The heart is the table of meanings.
 */
#include "redis/reply.h"

#include "base/attr.h"
#include "base/log.h"
#include "base/num.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most of the error itself that is shown beside what it means. */
#define QUOTE_MAX 120

/* Longest name of a command that is shown. */
#define WORD_MAX 40

bool
reply_is_error(const redisReply *reply, const char *word)
{
	size_t len = strlen(word);

	return reply->type == REDIS_REPLY_ERROR && reply->len >= len &&
	       memcmp(reply->str, word, len) == 0 &&
	       (reply->len == len || reply->str[len] == ' ');
}

bool
reply_is_no_script(const redisReply *reply)
{
	return reply_is_error(reply, "NOSCRIPT") ||
	       reply_is_error(reply, "ERR Function not found");
}

bool
reply_is_unknown_command(const redisReply *reply, const char *command)
{
	const char *at;

	if (!reply_is_error(reply, "ERR unknown command"))
		return false;
	at = strpbrk(reply->str, "'`");
	return at && strncasecmp(at + 1, command, strlen(command)) == 0;
}

bool
reply_is_wrong_server(const redisReply *reply)
{
	static const char *const words[] = {"READONLY", "LOADING", "MASTERDOWN",
	    "NOREPLICAS", "MOVED", "CLUSTERDOWN", "NOAUTH"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (reply_is_error(reply, words[i]))
			return true;
	return false;
}

/* A word of some text. */
struct reply_word {
	const char *bytes;
	size_t len;
};

/* The word at the start of ${text}. */
static struct reply_word
reply_word_at(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz_|-");

	return (struct reply_word){text, len < WORD_MAX ? len : WORD_MAX};
}

/* The word after the first quote, ' or `: "ERR unknown command 'EVAL',
 * with". */
static struct reply_word
reply_quoted_command(const char *error, const struct script *script)
{
	const char *quote = error + strcspn(error, "'`\"");

	(void)script;
	return reply_word_at(*quote ? quote + 1 : quote);
}

/* Where line ${number} of the script starts, or NULL. */
static const char *
reply_find_line(const struct script *script, unsigned number)
{
	const char *line = script->text;

	while (line && number-- > 1) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line;
}

/* The command that the script called: the one in the line that the error names,
 * "on @user_script:48." or "on @user_function:48."; if it names none, the one
 * in the script's only try(), which is Redis's pcall(). */
static struct reply_word
reply_scripted_command(const char *error, const struct script *script)
{
	static const char place[] = "@user_", call[] = "('";
	const char *at = strstr(error, place), *line = NULL;
	unsigned number = 0;

	if (!script)
		return (struct reply_word){0};
	if (at && sscanf(at, "@user_%*[a-z]:%u", &number) == 1)
		line = reply_find_line(script, number);
	else if (!at)
		line = strstr(script->text, "try('");
	at = line ? strstr(line, call) : NULL;
	return at ? reply_word_at(at + strlen(call)) : (struct reply_word){0};
}

/* What an error says about a server, if it starts with ${text}, or has it
 * anywhere.  If it is about a command, the command comes between ${says} and
 * ${rest}; otherwise the error follows. */
struct meaning {
	const char *text;
	bool anywhere;
	const char *says;
	const char *rest;
	struct reply_word (*command)(
	    const char *error, const struct script *script);
};

#define ACL     "; dripgate acl prints the rights that are needed"
#define CLUSTER "is a node of a cluster, which has not this slot now"

/* Rows for errors that start with a text, and for those that have it anywhere
 * and are about a command. */
#define STARTS(text, says)                                                     \
	{                                                                      \
		text, false, says, "", NULL                                    \
	}
#define HAS(text, says, rest, by)                                              \
	{                                                                      \
		text, true, says, rest, by                                     \
	}

static const struct meaning meanings[] = {
    HAS("can't run this command", "does not let this user call ",
	" from a script" ACL, reply_scripted_command),
    HAS("ACL failure in script", "does not let this user call ",
	" from a script" ACL, reply_quoted_command), /* from 7.2 on */
    HAS("command called from script", "does not know ",
	", which a script calls: it is renamed there", reply_scripted_command),
    HAS("ERR unknown command", "does not know ",
	": it is renamed there, or this is no Redis of version 7 or later",
	reply_quoted_command),
    STARTS("ERR Function not found", "does not keep the library of a script"),
    STARTS("NOAUTH", "wants a password: set it, and username if need be"),
    STARTS("WRONGPASS", "takes another username or password than is set"),
    STARTS("ERR invalid password", "takes another password than is set"),
    STARTS("ERR AUTH <password> called without",
	"has no password for the default user, but one is set"),
    STARTS("ERR Client sent AUTH, but no password",
	"has no password, but one is set"),
    STARTS("NOPERM", "does not let this user do that" ACL),
    STARTS("READONLY", "is a read-only replica: set its master"),
    STARTS("MASTERDOWN", "is a replica without its master: set the master"),
    STARTS("MOVED", CLUSTER),
    STARTS("ASK", CLUSTER),
    STARTS("TRYAGAIN", CLUSTER),
    STARTS("CROSSSLOT", CLUSTER),
    STARTS("CLUSTERDOWN", CLUSTER),
    STARTS("LOADING", "is still loading its data"),
    STARTS("BUSY", "is busy with a script of another client"),
    STARTS("OOM", "is full: raise its maxmemory"),
    STARTS("MISCONF", "takes no writes, since it cannot save them to disk"),
    STARTS("NOREPLICAS", "takes no writes: it has too few replicas"),
    STARTS("DENIED", "is in protected mode: give it a password, or bind it"),
    STARTS("ERR max number of clients", "is full: raise its maxclients"),
    STARTS("ERR DB index", "has no such database: set db"),
};

static bool
reply_has(const char *error, const struct meaning *meaning)
{
	size_t len = strlen(meaning->text);

	if (meaning->anywhere)
		return strstr(error, meaning->text) != NULL;
	return strncmp(error, meaning->text, len) == 0 &&
	       (error[len] == ' ' || error[len] == '\0');
}

static const struct meaning *
reply_find_meaning(const char *error)
{
	for (size_t i = 0; i < COUNT(meanings); i++)
		if (reply_has(error, &meanings[i]))
			return &meanings[i];
	return NULL;
}

/* Explain an error that is about a command. */
static void
reply_explain_command(const char *error, const struct meaning *meaning,
    const struct script *script, char to[REPLY_EXPLAIN_MAX])
{
	struct reply_word command = meaning->command(error, script);
	char name[WORD_MAX + 1] = "a command";
	size_t i;

	for (i = 0; i < command.len; i++)
		name[i] = (char)toupper((unsigned char)command.bytes[i]);
	if (i > 0)
		name[i] = '\0';
	snprintf(to, REPLY_EXPLAIN_MAX, "%s%s%s", meaning->says, name,
	    meaning->rest);
}

char *
reply_explain(const char *error, size_t len, const struct script *script,
    char to[REPLY_EXPLAIN_MAX])
{
	const struct meaning *meaning = reply_find_meaning(error);
	char quote[QUOTE_MAX];

	if (!meaning)
		return log_escape(to, REPLY_EXPLAIN_MAX / 2, error, len);
	if (meaning->command)
		reply_explain_command(error, meaning, script, to);
	else
		snprintf(to, REPLY_EXPLAIN_MAX, "%s (%s)", meaning->says,
		    log_escape(quote, sizeof(quote), error, len));
	return to;
}

int64_t
reply_read_time(const redisReply *seconds, const redisReply *micros)
{
	int64_t s, us;

	if (seconds->type != REDIS_REPLY_STRING ||
	    micros->type != REDIS_REPLY_STRING ||
	    num_read_int(seconds->str, seconds->len, 0, INT64_C(1) << 32, &s) ==
		-1 ||
	    num_read_int(micros->str, micros->len, 0, 999999, &us) == -1)
		return -1;
	return s * 1000000 + us;
}

static int
reply_copy_elements(redisReply *copy, const redisReply *reply)
{
	copy->element = calloc(reply->elements + 1, sizeof(*copy->element));
	if (!copy->element)
		return -1;
	while (copy->elements < reply->elements) {
		redisReply *element =
		    reply_copy(reply->element[copy->elements]);

		if (!element)
			return -1;
		copy->element[copy->elements++] = element;
	}
	return 0;
}

static int
reply_copy_text(redisReply *copy, const redisReply *reply)
{
	copy->str = malloc(reply->len + 1);
	if (!copy->str)
		return -1;
	memcpy(copy->str, reply->str, reply->len + 1);
	copy->len = reply->len;
	return 0;
}

redisReply *
reply_copy(const redisReply *reply)
{
	redisReply *copy = calloc(1, sizeof(*copy));
	int result = 0;

	if (!copy)
		return NULL;
	copy->type = reply->type;
	copy->integer = reply->integer;
	if (reply->type == REDIS_REPLY_ARRAY)
		result = reply_copy_elements(copy, reply);
	else if (reply->str)
		result = reply_copy_text(copy, reply);
	if (result == 0)
		return copy;
	freeReplyObject(copy);
	return NULL;
}
