/*
 * Makes one call after the other and judges each reply.  Whatever happens, it
 * is done once: after the last step, or when the link goes down.  The heart is
 * the table of steps.
 */
#include "redis/server_check.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "redis/reply.h"
#include "redis/server_info.h"
#include "redis/topology_record.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time for a reply, however short socket_timeout is: that is judged by the
 * replies' times. */
#define REPLY_US INT64_C(5000000)

/* The most that the server's clock may differ from ours. */
#define CLOCK_US INT64_C(1000000)

/* A call may take up to this part of socket_timeout here, where the server has
 * nothing else to do for us. */
#define TIMEOUT_PARTS 4

/* How often it is measured; the quickest counts. */
#define PINGS 5

#define ACL "; dripgate acl prints the rights that are needed"

struct server_check {
	const struct server_check_options *options;
	server_check_done *done;
	void *arg;
	struct link *link;
	struct command command;

	size_t step, times; /* in the table, and how often it was done */
	int64_t called_us;  /* the last call was made */
	int64_t took_us;    /* the quickest call */
	bool is_done, is_wrong;
	size_t rights;   /* that it has */
	bool is_unasked; /* the script cannot ask for rights */
	char found[400];
	size_t found_len;
};

/* A thing that is wrong. */
static void PRINTF_LIKE(2, 3)
    server_check_blame(struct server_check *check, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("redis %s: %s", link_name(check->link), text);
	check->is_wrong = true;
}

/* A part of what was found. */
static void PRINTF_LIKE(2, 3)
    server_check_add(struct server_check *check, const char *format, ...)
{
	size_t room = sizeof(check->found) - check->found_len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(check->found + check->found_len, room, format, args);
	va_end(args);
	if (len > 0)
		check->found_len += (size_t)len < room ? (size_t)len : room - 1;
}

static void
server_check_end(struct server_check *check)
{
	if (check->is_done)
		return;
	check->is_done = true;
	if (check->options->link.tls_context)
		server_check_add(check, ", TLS");
	check->done(!check->is_wrong, check->found, check->arg);
}

/*
 * How long a call takes.
 */

static void
server_check_write_ping(struct server_check *check)
{
	command_start(&check->command, 1);
	command_add_text(&check->command, "PING");
}

/* It measures as well if it is refused. */
static void
server_check_take_ping(struct server_check *check, const redisReply *reply)
{
	int64_t took_us = clock_us() - check->called_us;
	int64_t timeout_us = check->options->link.socket_timeout_us;

	(void)reply;
	if (check->times == 1 || took_us < check->took_us)
		check->took_us = took_us;
	if (check->times < PINGS)
		return;
	server_check_add(
	    check, "a call takes %.1f ms", (double)check->took_us / 1000);
	if (check->took_us * TIMEOUT_PARTS > timeout_us)
		server_check_blame(check,
		    "a call takes %.1f ms, too much for socket_timeout = "
		    "%" PRId64 "ms: set %" PRId64 "ms or more",
		    (double)check->took_us / 1000, timeout_us / 1000,
		    check->took_us * TIMEOUT_PARTS / 1000 + 1);
}

/*
 * Its clock.
 */

static void
server_check_write_time(struct server_check *check)
{
	command_start(&check->command, 1);
	command_add_text(&check->command, "TIME");
}

/* The server read its clock between the call and now. */
static void
server_check_compare(struct server_check *check, int64_t server_us)
{
	int64_t now_us = clock_us();
	int64_t ahead_us = 0;

	if (server_us > now_us)
		ahead_us = server_us - now_us;
	else if (server_us < check->called_us)
		ahead_us = server_us - check->called_us;
	server_check_add(check, ", clocks differ by %.3f s",
	    (double)(ahead_us < 0 ? -ahead_us : ahead_us) / 1e6);
	if (ahead_us > CLOCK_US || ahead_us < -CLOCK_US)
		server_check_blame(check,
		    "its clock is %.1f s %s that of this machine: have both "
		    "set by NTP",
		    (double)(ahead_us < 0 ? -ahead_us : ahead_us) / 1e6,
		    ahead_us < 0 ? "behind" : "ahead of");
}

/* If TIME is refused, the rights say so. */
static void
server_check_take_time(struct server_check *check, const redisReply *reply)
{
	int64_t server_us = -1;

	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
		server_us =
		    reply_read_time(reply->element[0], reply->element[1]);
	if (server_us != -1)
		server_check_compare(check, server_us);
}

/*
 * The topology.
 */

static void
server_check_write_record(struct server_check *check)
{
	command_start(&check->command, 2);
	command_add_text(&check->command, "GET");
	command_add_text(&check->command, check->options->record->key);
}

/* It is not wrong to have another one in the settings; but people want to know.
 */
static void
server_check_take_record(struct server_check *check, const redisReply *reply)
{
	const struct link_record *record = check->options->record;
	char text[200];

	if (reply->type != REDIS_REPLY_STRING ||
	    topology_record_agrees(record->text, reply->str, reply->len))
		return;
	log_warning("redis %s: the topology that stands there counts: %s, not "
		    "%s as in the settings",
	    link_name(check->link),
	    log_escape(text, sizeof(text), reply->str, reply->len),
	    record->text);
}

/*
 * The rights.
 */

static void
server_check_write_right(struct server_check *check)
{
	/* Redis 8 counts the arguments, which are not all there. */
	static const char script[] =
	    "local why for _ = 1, 5 do "
	    "local fine, may = pcall(redis.acl_check_cmd, unpack(ARGV)) "
	    "if fine then return may and 1 or 0 end "
	    "why = may ARGV[#ARGV + 1] = '0' end "
	    "return type(why) == 'table' and why or redis.error_reply(why)";
	const struct server_call *call =
	    &check->options->calls[check->times - 1];
	size_t count = 0;

	while (call->words[count])
		count++;
	command_start(&check->command, 3 + count);
	command_add_text(&check->command, check->options->eval);
	command_add_text(&check->command, script);
	command_add_int(&check->command, 0);
	for (size_t i = 0; i < count; i++)
		command_add_text(&check->command, call->words[i]);
}

/* "HSET of drip:check", "FUNCTION LOAD" */
static void
server_check_name_call(const struct server_call *call, char *to, size_t size)
{
	const char *of = call->words[2] ? NULL : call->words[1];
	char name[120] = "";
	size_t i;

	if (of)
		log_escape(name, sizeof(name), of, strlen(of));
	if (call->words[2] && isalpha((unsigned char)*call->words[1]))
		snprintf(name, sizeof(name), " %s", call->words[1]);
	snprintf(to, size, "%s%s%s", call->words[0], of ? " of " : "", name);
	for (i = 0; to[i] && (!of || i < strlen(call->words[0])); i++)
		to[i] = (char)toupper((unsigned char)to[i]);
}

/* The script itself failed. */
static void
server_check_take_failure(
    struct server_check *check, const redisReply *reply, const char *call)
{
	char text[REPLY_EXPLAIN_MAX];

	if (strstr(reply->str, "Invalid command")) {
		server_check_blame(check,
		    "does not know %s: it is renamed there, or this is no "
		    "Redis of version 7 or later",
		    call);
		return;
	}
	check->is_unasked = true;
	if (strstr(reply->str, "acl_check_cmd"))
		log_warning("redis %s: cannot say which rights this user has",
		    link_name(check->link));
	else if (reply_is_error(reply, "NOPERM"))
		server_check_blame(check,
		    "does not let this user call %s, so that its other rights "
		    "are not known" ACL,
		    check->options->eval);
	else
		server_check_blame(check, "%s",
		    reply_explain(reply->str, reply->len, NULL, text));
}

static void
server_check_take_right(struct server_check *check, const redisReply *reply)
{
	char call[200];

	if (check->is_unasked)
		return;
	server_check_name_call(
	    &check->options->calls[check->times - 1], call, sizeof(call));
	if (reply->type == REDIS_REPLY_ERROR)
		server_check_take_failure(check, reply, call);
	else if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
		check->rights++;
	else
		server_check_blame(
		    check, "does not let this user call %s" ACL, call);
	if (check->times == check->options->call_count)
		server_check_add(check, ", %zu rights", check->rights);
}

/*
 * What it is.
 */

static void
server_check_write_info(struct server_check *check)
{
	command_start(&check->command, 1);
	command_add_text(&check->command, "INFO");
}

static void
server_check_look_at_kind(struct server_check *check, const char *text)
{
	char value[40];

	if (check->options->link.kind != LINK_TO_MASTER)
		return;
	if (!check->options->link.sentinel.cluster_key &&
	    server_info_is_of_cluster(text))
		server_check_blame(check,
		    "is a node of a cluster: set topology = cluster, and "
		    "hosts");
	if (server_info_read(text, "role", value, sizeof(value)) &&
	    strcmp(value, "slave") == 0)
		server_check_blame(check,
		    "is a replica: set its master, or topology = sentinel");
}

static void
server_check_look_at_version(struct server_check *check, const char *text)
{
	char redis[40] = "", valkey[40];

	server_info_read(text, "redis_version", redis, sizeof(redis));
	if (server_info_read(text, "valkey_version", valkey, sizeof(valkey)))
		server_check_add(check, ", Valkey %s", valkey);
	else
		server_check_add(check, ", Redis %s", redis);
	if (atoi(redis) < 7)
		server_check_blame(check,
		    "is version %s: version 7 or later is needed", redis);
}

static void
server_check_look_at_memory(struct server_check *check, const char *text)
{
	char policy[40];

	if (!check->options->has_buckets ||
	    !server_info_read(text, "maxmemory_policy", policy, sizeof(policy)))
		return;
	server_check_add(check, ", %s", policy);
	if (strcmp(policy, "noeviction") != 0)
		server_check_blame(check,
		    "its maxmemory-policy is %s, which may evict buckets: set "
		    "noeviction",
		    policy);
}

static void
server_check_look_at_replicas(struct server_check *check, const char *text)
{
	int least = (int)check->options->replicas;
	char count[40];

	if (server_info_read(text, "connected_slaves", count, sizeof(count)) &&
	    atoi(count) < least)
		server_check_blame(check,
		    "has %s replicas: wait_replicas is %d", count, least);
}

static void
server_check_take_info(struct server_check *check, const redisReply *reply)
{
	char text[REPLY_EXPLAIN_MAX];

	if (reply->type == REDIS_REPLY_STRING) {
		server_check_look_at_version(check, reply->str);
		server_check_look_at_kind(check, reply->str);
		server_check_look_at_memory(check, reply->str);
		server_check_look_at_replicas(check, reply->str);
		return;
	}
	log_warning(
	    "redis %s: its version and maxmemory-policy are not known: %s",
	    link_name(check->link),
	    reply->type == REDIS_REPLY_ERROR
		? reply_explain(reply->str, reply->len, NULL, text)
		: "a strange reply to INFO");
}

/* INFO comes last: a proxy may close the connection at it. */
static const struct {
	void (*write)(struct server_check *);
	void (*take)(struct server_check *, const redisReply *);
	size_t times; /* 0: once for each right */
	bool of_buckets;
} steps[] = {
    {server_check_write_ping, server_check_take_ping, PINGS, false},
    {server_check_write_time, server_check_take_time, 1, true},
    {server_check_write_record, server_check_take_record, 1, true},
    {server_check_write_right, server_check_take_right, 0, false},
    {server_check_write_info, server_check_take_info, 1, false},
};

static size_t
server_check_times(const struct server_check *check, size_t step)
{
	const struct server_check_options *options = check->options;

	if (steps[step].times == 0)
		return options->eval ? options->call_count : 0;
	return options->has_buckets || !steps[step].of_buckets
		   ? steps[step].times
		   : 0;
}

static void server_check_on_reply(const redisReply *reply, void *arg);

static void
server_check_go_on(struct server_check *check)
{
	while (check->step < COUNT(steps) &&
	       check->times >= server_check_times(check, check->step)) {
		check->step++;
		check->times = 0;
	}
	if (check->step == COUNT(steps)) {
		server_check_end(check);
		return;
	}
	check->times++;
	steps[check->step].write(check);
	check->called_us = clock_us();
	if (link_call(check->link, &check->command, clock_us() + REPLY_US,
		server_check_on_reply, check) == 0) {
		link_flush(check->link);
		return;
	}
	server_check_blame(check, "out of memory");
	server_check_end(check);
}

static void
server_check_on_reply(const redisReply *reply, void *arg)
{
	struct server_check *check = arg;

	if (!reply || check->is_done)
		return; /* server_check_on_down() follows */
	steps[check->step].take(check, reply);
	server_check_go_on(check);
}

static void
server_check_on_up(void *arg)
{
	struct server_check *check = arg;

	if (!check->is_done)
		server_check_go_on(check);
}

/* The link has logged why. */
static void
server_check_on_down(void *arg)
{
	struct server_check *check = arg;

	check->is_wrong = true;
	server_check_end(check);
}

struct server_check *
server_check_new(struct loop *loop, struct dialer *dialer,
    const struct server_check_options *options, server_check_done *done,
    void *arg)
{
	static const struct link_events events = {
	    .up = server_check_on_up, .down = server_check_on_down};
	struct server_check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->options = options;
	check->done = done;
	check->arg = arg;
	check->link = link_new(loop, dialer, &options->link, &events, check);
	if (check->link)
		return check;
	free(check);
	return NULL;
}

void
server_check_free(struct server_check *check)
{
	if (!check)
		return;
	check->is_done = true;
	link_free(check->link);
	command_free(&check->command);
	free(check);
}
