#include "arithmetic.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext *redis;
static char *shas[ALGORITHM_COUNT + 1]; /* of the scripts; last, the plan's */
static unsigned shortened;

void
die(const char *format, ...)
{
	va_list args;

	fputs("arithmetic: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void
args_add_bytes(struct args *args, const char *bytes, size_t len)
{
	if (args->n == ARGS_MAX || args->used + len > sizeof(args->text))
		die("a command is too long");
	memcpy(args->text + args->used, bytes, len);
	args->argv[args->n] = args->text + args->used;
	args->len[args->n++] = len;
	args->used += len;
}

void
args_add(struct args *args, const char *format, ...)
{
	char text[300];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	args_add_bytes(args, text, strlen(text));
}

void
args_add_script(
    struct args *args, const struct algorithm *algorithm, unsigned hashes)
{
	args_add(args, "EVALSHA");
	args_add(args, "%s", shas[algorithm->place]);
	args_add(args, "%u", hashes);
}

void
args_add_plan(struct args *args, unsigned keys)
{
	args_add(args, "EVALSHA");
	args_add(args, "%s", shas[ALGORITHM_COUNT]);
	args_add(args, "%u", keys);
}

void
args_add_parameters(
    struct args *args, const struct limit *limit, int64_t now_us)
{
	struct algorithm_parameters parameters = {0};

	limit->algorithm->add_parameters(limit, now_us, &parameters);
	for (size_t i = 0; i < parameters.count; i++)
		args_add_bytes(args, parameters.text[i], parameters.len[i]);
}

void
args_add_limit(struct args *args, const struct limit *limit, int64_t now_us,
    unsigned buckets, const char *ops)
{
	args_add_parameters(args, limit, now_us);
	args_add(args, "3600000"); /* the hash's time to live */
	args_add(args, "%u", buckets);
	args_add(args, "%s", ops);
}

void
args_add_time(struct args *args, int64_t now_us)
{
	args_add(args, "%" PRId64, now_us / 1000000);
	args_add(args, "%" PRId64, now_us % 1000000);
}

void
redis_send(struct args *args)
{
	if (redisAppendCommandArgv(redis, args->n, args->argv, args->len))
		die("%s", redis->errstr);
	args->n = 0;
	args->used = 0;
}

redisReply *
redis_receive_any(void)
{
	void *any = NULL;
	redisReply *reply;

	if (redisGetReply(redis, &any) != REDIS_OK)
		die("%s", redis->errstr);
	reply = any;
	if (reply->type == REDIS_REPLY_ERROR)
		die("%s", reply->str);
	return reply;
}

redisReply *
redis_receive(int type)
{
	redisReply *reply = redis_receive_any();

	if (reply->type != type)
		die("a reply of type %d, not %d", reply->type, type);
	return reply;
}

/* Have logs of two leases be told as long ones are.  Return whether the script
 * tells any shorter. */
static bool
shorten_logs(char *script)
{
	static const char was[] = "local BRIEF = 400\n",
			  is[] = "local BRIEF =  15\n";
	char *at = strstr(script, was);

	if (at)
		memcpy(at, is, strlen(is));
	return at != NULL;
}

/* Have the server load a script whose clock is the last two arguments. */
static char *
load_script(const char *text)
{
	static const char clock[] = "local time = call('TIME')\n";
	const char *at = strstr(text, clock);
	struct args args = {0};
	redisReply *reply;
	char *injected, *sha;

	if (!at || strstr(at + 1, clock))
		die("the script does not read the clock just once");
	if (asprintf(&injected,
		"%.*slocal time = {ARGV[#ARGV - 1], ARGV[#ARGV]}\n%s",
		(int)(at - text), text, at + strlen(clock)) < 0)
		die("out of memory");
	args_add(&args, "SCRIPT");
	args_add(&args, "LOAD");
	shortened += shorten_logs(injected);
	args_add_bytes(&args, injected, strlen(injected));
	free(injected);
	redis_send(&args);
	reply = redis_receive(REDIS_REPLY_STRING);
	sha = strdup(reply->str);
	freeReplyObject(reply);
	return sha;
}

void
redis_open(const char *path)
{
	redis = redisConnectUnix(path);
	if (!redis || redis->err)
		die("%s", redis ? redis->errstr : "out of memory");
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		shas[i] = load_script(algorithm_at(i)->batch->text);
	if (shortened == 0)
		die("no script tells a log shorter");
	shas[ALGORITHM_COUNT] = load_script(script_plan.text);
}

void
redis_close(void)
{
	redisFree(redis);
	for (size_t i = 0; i <= ALGORITHM_COUNT; i++)
		free(shas[i]);
}

void
redis_forget(const char *name)
{
	struct args args = {0};

	args_add(&args, "UNLINK");
	args_add(&args, "%s", name);
	redis_send(&args);
	freeReplyObject(redis_receive(REDIS_REPLY_INTEGER));
}

void
redis_put(const char *name, unsigned key, const char *text)
{
	struct args args = {0};

	args_add(&args, "HSET");
	args_add(&args, "%s", name);
	args_add(&args, "k%u", key);
	args_add(&args, "%s", text);
	redis_send(&args);
	freeReplyObject(redis_receive(REDIS_REPLY_INTEGER));
}
