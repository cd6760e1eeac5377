#include "arithmetic.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char leaky_bucket_text[] =
#include "lua/leaky_bucket.inc"
    ;
static const char fixed_window_text[] =
#include "lua/fixed_window.inc"
    ;

static redisContext *redis;
static char *shas[2]; /* of the scripts, by algorithm */

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
args_add_script(struct args *args, enum algorithm algorithm, unsigned hashes)
{
	args_add(args, "EVALSHA");
	args_add(args, "%s", shas[algorithm]);
	args_add(args, "%u", hashes);
}

void
args_add_limit(struct args *args, const struct limit *limit, unsigned buckets,
    const char *ops)
{
	args_add(args, "%" PRId64, limit->capacity);
	args_add(args, "%" PRId64,
	    is_window(limit) ? limit->window_us : limit->recharge_us);
	args_add(args, "%" PRId64, limit->block_us);
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
redis_receive(int type)
{
	void *any = NULL;
	redisReply *reply;

	if (redisGetReply(redis, &any) != REDIS_OK)
		die("%s", redis->errstr);
	reply = any;
	if (reply->type == REDIS_REPLY_ERROR)
		die("%s", reply->str);
	if (reply->type != type)
		die("a reply of type %d, not %d", reply->type, type);
	return reply;
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
	shas[ALGORITHM_LEAKY_BUCKET] = load_script(leaky_bucket_text);
	shas[ALGORITHM_FIXED_WINDOW] = load_script(fixed_window_text);
}

void
redis_close(void)
{
	redisFree(redis);
	free(shas[ALGORITHM_LEAKY_BUCKET]);
	free(shas[ALGORITHM_FIXED_WINDOW]);
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
