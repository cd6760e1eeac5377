#include "redis/reply.h"

#include "base/attr.h"

#include <string.h>

bool
reply_is_error(const redisReply *reply, const char *word)
{
	size_t len = strlen(word);

	return reply->type == REDIS_REPLY_ERROR && reply->len >= len &&
	       memcmp(reply->str, word, len) == 0 &&
	       (reply->len == len || reply->str[len] == ' ');
}

bool
reply_is_wrong_server(const redisReply *reply)
{
	static const char *const words[] = {"READONLY", "LOADING", "MASTERDOWN",
	    "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "NOAUTH"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (reply_is_error(reply, words[i]))
			return true;
	return false;
}
