#include "redis/script_call.h"

#include "base/clock.h"
#include "redis/reply.h"

void
script_calls_init(struct script_calls *calls, struct link *link)
{
	*calls = (struct script_calls){.link = link};
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
	const struct script *script = call->script;

	command_start(command, 2 + arguments);
	command_add_text(command, verbs[call->refused][script->read_only]);
	command_add_text(command, call->refused ? script->text : script->sha);
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

static void script_call_on_reply(const redisReply *reply, void *arg);

static int
script_call_send(struct script_calls *calls, struct script_call *call)
{
	if (!call->write(call, &calls->command) ||
	    link_call(calls->link, &calls->command,
		clock_us() + call->timeout_us, script_call_on_reply,
		call) == -1)
		return -1;
	calls->sent++;
	return 0;
}

/* Every sent call has its reply, so that none overtakes those sent now. */
static void
script_call_send_waiting(struct script_calls *calls)
{
	struct script_call *call = calls->head;

	calls->head = NULL;
	while (call) {
		struct script_call *next = call->next;

		if (script_call_send(calls, call) == -1)
			call->done(call, NULL);
		call = next;
	}
	link_flush(calls->link);
}

static void
script_call_on_reply(const redisReply *reply, void *arg)
{
	struct script_call *call = arg;
	struct script_calls *calls = call->calls;

	calls->sent--;
	if (reply && reply_is_error(reply, "NOSCRIPT") && !call->refused) {
		call->refused = true;
		script_call_wait(calls, call);
	} else {
		if (!reply)
			script_call_give_up(calls, NULL);
		else if (reply->type != REDIS_REPLY_ERROR)
			script_call_give_up(calls, call->script);
		call->done(call, reply);
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
