/*
 * hiredis; see clients.py for what it does.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(EXIT_FAILURE);
}

static redisReply *
reply_of(redisContext *context)
{
	void *reply;

	if (redisGetReply(context, &reply) != REDIS_OK)
		fail(context->errstr);
	if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
		fail(((redisReply *)reply)->str);
	return reply;
}

/* The values of an array: all, or the second of each array in it. */
static void
print(const char *name, const redisReply *reply)
{
	printf("\"%s\": [", name);
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *value = reply->element[i];

		if (value->type == REDIS_REPLY_ARRAY)
			value = value->element[1];
		printf("%s", i > 0 ? ", " : "");
		if (value->type == REDIS_REPLY_INTEGER)
			printf("%lld", value->integer);
		else
			printf("\"%s\"", value->str);
	}
	printf("]");
}

int
main(int argc, char **argv)
{
	redisContext *context =
	    redisConnect("127.0.0.1", argc == 4 ? atoi(argv[2]) : 0);

	if (argc != 4 || !context || context->err)
		fail("cannot connect");
	redisAppendCommand(context, "CONSUME %s 3", argv[3]);
	printf("{");
	print("consume", reply_of(context));
	for (int i = 0; i < 10; i++)
		redisAppendCommand(context, "CONSUME %s", argv[3]);
	printf(", \"pipeline\": [");
	for (int i = 0; i < 10; i++)
		printf("%s%lld", i > 0 ? ", " : "",
		    reply_of(context)->element[1]->integer);
	printf("], ");
	redisAppendCommand(context, "MULTI");
	for (int i = 0; i < 3; i++)
		redisAppendCommand(context, "CONSUME %s", argv[3]);
	redisAppendCommand(context, "EXEC");
	for (int i = 0; i < 4; i++)
		reply_of(context);
	print("transaction", reply_of(context));
	printf(", ");
	redisAppendCommand(context, "CL.THROTTLE %s 4 1 3600", argv[3]);
	print("throttle", reply_of(context));
	printf("}\n");
	return EXIT_SUCCESS;
}
