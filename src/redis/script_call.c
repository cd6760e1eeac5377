/*
 * Sends a call once more if the server says that it has no such script; then
 * the text goes along, or the library goes first.  Calls of one script keep
 * their order.  The heart is script_call_on_reply().
 */
#include "redis/script_call.h"

#include "base/clock.h"
#include "redis/reply.h"

#include <stdio.h>
#include <string.h>

/* Enough of the digest that no two versions share a name. */
#define LIBRARY "dripgate_%.16s"

#define LIBRARY_MAX sizeof("dripgate_0123456789abcdef")

void
script_calls_init(
    struct script_calls *calls, struct link *link, enum script_mode mode)
{
	*calls = (struct script_calls){.link = link, .mode = mode};
}

void
script_calls_free(struct script_calls *calls)
{
	command_free(&calls->command);
}

void
script_begin(
    struct command *command, const struct script_call *call, size_t arguments)
{
	static const char *const verbs[2][2] = {
	    {"EVALSHA", "EVALSHA_RO"}, {"EVAL", "EVAL_RO"}};
	static const char *const functions[2] = {"FCALL", "FCALL_RO"};
	const struct script *script = call->script;
	char name[LIBRARY_MAX];

	command_start(command, 2 + arguments);
	if (call->mode == SCRIPT_FUNCTION) {
		snprintf(name, sizeof(name), LIBRARY, script->sha);
		command_add_text(command, functions[script->read_only]);
		command_add_text(command, name);
		return;
	}
	command_add_text(command, verbs[call->refused][script->read_only]);
	command_add_text(command, call->refused ? script->text : script->sha);
}

/* Write the library: the script's text as the body of a function.  Each line
 * keeps its number, which errors tell. */
static void
script_write_library(struct command *command, const struct script *script)
{
	const char *body = strchr(script->text, '\n');
	char name[LIBRARY_MAX];
	struct buf text = {0};

	snprintf(name, sizeof(name), LIBRARY, script->sha);
	if (buf_printf(&text,
		"#!lua name=%s\nlocal function run(KEYS, ARGV) %s\nend\n"
		"redis.register_function{function_name='%s', callback=run, "
		"flags={%s}}\n",
		name, body ? body + 1 : script->text, name,
		script->read_only ? "'no-writes'" : "") == -1)
		command->failed = true;
	command_start(command, 3);
	command_add_text(command, "FUNCTION");
	command_add_text(command, "LOAD");
	command_add(command, buf_data(&text), buf_len(&text));
	buf_free(&text);
}

/* Put it in its place: refused calls are older than those not sent yet. */
static void
script_call_wait(struct script_calls *calls, struct script_call *call)
{
	struct script_call **place = &calls->head;

	while (*place && ((*place)->refused || !call->refused))
		place = &(*place)->next;
	call->next = *place;
	*place = call;
}

/* Give up calls of ${script} that were refused, or all for NULL. */
static void
script_call_give_up(struct script_calls *calls, const struct script *script)
{
	struct script_call *call = calls->head;

	calls->head = NULL;
	while (call) {
		struct script_call *next = call->next;

		if (!script || (call->refused && call->script == script))
			call->done(call, NULL);
		else
			script_call_wait(calls, call);
		call = next;
	}
}

/* Another daemon may have loaded it meanwhile.  After any other error, the
 * calls behind are refused again. */
static void
script_call_on_load(const redisReply *reply, void *arg)
{
	struct script_calls *calls = arg;
	char text[REPLY_EXPLAIN_MAX];

	if (reply && reply->type == REDIS_REPLY_ERROR &&
	    !strstr(reply->str, "already exists"))
		log_limited(&calls->limiter, LOG_LEVEL_WARNING,
		    "redis %s: cannot load a library: %s",
		    link_name(calls->link),
		    reply_explain(reply->str, reply->len, NULL, text));
}

/* It may be behind WAIT. */
static int64_t
script_call_deadline_us(const struct script_call *call)
{
	return clock_us() + call->timeout_us +
	       (call->replicas > 0 ? REPLICAS_GRACE_US : 0);
}

/* Have the server load the library of a call, before the call. */
static void
script_call_load(struct script_calls *calls, const struct script_call *call)
{
	script_write_library(&calls->command, call->script);
	if (link_call(calls->link, &calls->command,
		script_call_deadline_us(call), script_call_on_load,
		calls) == -1)
		log_limited(&calls->limiter, LOG_LEVEL_WARNING,
		    "redis %s: out of memory for a library",
		    link_name(calls->link));
}

static void script_call_on_reply(const redisReply *reply, void *arg);

/* If it is refused, so is the call behind it. */
static void
script_call_on_asking(const redisReply *reply, void *arg)
{
	(void)reply;
	(void)arg;
}

static int
script_call_send_asking(struct script_calls *calls, int64_t deadline_us)
{
	command_start(&calls->command, 1);
	command_add_text(&calls->command, "ASKING");
	return link_call(calls->link, &calls->command, deadline_us,
	    script_call_on_asking, NULL);
}

static int
script_call_send(struct script_calls *calls, struct script_call *call)
{
	int64_t deadline_us = script_call_deadline_us(call);

	call->mode = calls->mode;
	if (calls->asking && script_call_send_asking(calls, deadline_us) == -1)
		return -1;
	if (!call->write(call, &calls->command) ||
	    link_call(calls->link, &calls->command, deadline_us,
		script_call_on_reply, call) == -1)
		return -1;
	calls->sent++;
	return 0;
}

/* Every sent call has its reply, so that none overtakes those sent now. */
static void
script_call_send_waiting(struct script_calls *calls)
{
	struct script_call *call = calls->head;
	const struct script *loaded = NULL;

	calls->head = NULL;
	while (call) {
		struct script_call *next = call->next;

		if (calls->mode == SCRIPT_FUNCTION && call->refused &&
		    call->script != loaded) {
			script_call_load(calls, call);
			loaded = call->script;
		}
		if (script_call_send(calls, call) == -1)
			call->done(call, NULL);
		call = next;
	}
	link_flush(calls->link);
}

/* Whether the reply proves that the call did not run, and another way to send
 * it remains. */
static bool
script_call_is_refused(struct script_call *call, const redisReply *reply)
{
	struct script_calls *calls = call->calls;

	if (!reply)
		return false;
	if (call->mode == SCRIPT_FUNCTION &&
	    reply_is_unknown_command(reply, "FCALL")) {
		if (calls->mode == SCRIPT_FUNCTION)
			log_warning("redis %s: does not know FCALL: scripts "
				    "are called by EVALSHA instead",
			    link_name(calls->link));
		calls->mode = SCRIPT_EVALSHA;
		return true;
	}
	return reply_is_no_script(reply) && !call->refused;
}

static void
script_call_end(struct script_call *call, const redisReply *reply)
{
	if (call->replicas > 0 && reply && reply->type != REDIS_REPLY_ERROR)
		replicas_hold(call->calls, call, reply);
	else
		call->done(call, reply);
}

static void
script_call_on_reply(const redisReply *reply, void *arg)
{
	struct script_call *call = arg;
	struct script_calls *calls = call->calls;

	calls->sent--;
	if (script_call_is_refused(call, reply)) {
		call->refused = true;
		script_call_wait(calls, call);
	} else {
		if (!reply)
			script_call_give_up(calls, NULL);
		else if (reply->type != REDIS_REPLY_ERROR)
			script_call_give_up(calls, call->script);
		script_call_end(call, reply);
	}
	if (calls->sent == 0 && calls->head)
		script_call_send_waiting(calls);
}

int
script_call(struct script_calls *calls, struct script_call *call)
{
	call->calls = calls;
	call->refused = false;
	if (!calls->head)
		return script_call_send(calls, call);
	script_call_wait(calls, call);
	return 0;
}
