/*
 * hiredis as a client: asks over the Unix socket at argv[1], with and without
 * pipelining, and prints what it gets, a line a reply.
 */
#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>

static void
print(const redisReply *reply)
{
	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		printf(" %lld", reply->integer);
		break;
	case REDIS_REPLY_ARRAY:
		for (size_t i = 0; i < reply->elements; i++)
			print(reply->element[i]);
		break;
	default:
		printf(" %s", reply->str);
		break;
	}
}

static void
print_next(redisContext *context)
{
	void *reply = NULL;

	if (redisGetReply(context, &reply) == REDIS_ERR) {
		printf("error: %s\n", context->errstr);
		exit(EXIT_FAILURE);
	}
	print(reply);
	putchar('\n');
	freeReplyObject(reply);
}

int
main(int argc, char **argv)
{
	redisContext *context = redisConnectUnix(argc > 1 ? argv[1] : "");

	if (!context || context->err)
		return EXIT_FAILURE;
	for (int i = 0; i < 100; i++)
		redisAppendCommand(context, "CONSUME hot:%d 3", i % 10);
	for (int i = 0; i < 100; i++)
		print_next(context);
	redisAppendCommand(context, "CL.THROTTLE %s 4 1 3600", "hiredis");
	print_next(context);
	redisAppendCommand(context, "CONSUME %b", "hot:\0", (size_t)5);
	print_next(context);
	redisAppendCommand(context, "RESET hot:1");
	print_next(context);
	redisFree(context);
	return EXIT_SUCCESS;
}
