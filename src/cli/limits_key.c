#include "cli/limits_key.h"

#include "base/script.h"
#include "control/subscriber.h"

/* Whether it is a digest, maybe a number, and texts. */
static bool
limits_key_is_reply(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING &&
		    (i != 1 || reply->element[i]->type != REDIS_REPLY_INTEGER))
			return false;
	return true;
}

int
limits_key_read(
    struct limits_key *key, struct redis_client *client, const char *known)
{
	size_t head = 1;
	redisReply *last;

	*key = (struct limits_key){0};
	key->reply = redis_client_call(client, "EVAL %s 1 %s %s %d %lld",
	    script_limits.text, client->options.limits_key, known,
	    SUBSCRIBER_LIMITS_MAX, (long long)SUBSCRIBER_BYTES_MAX);
	if (!key->reply)
		return -1;
	/* Of the overrides, which are not the limits'. */
	last = key->reply->type == REDIS_REPLY_ARRAY && key->reply->elements > 1
		   ? key->reply->element[key->reply->elements - 1]
		   : NULL;
	if (last && last->type == REDIS_REPLY_ARRAY) {
		freeReplyObject(last);
		key->reply->elements--;
	}
	if (!limits_key_is_reply(key->reply)) {
		tool_error("Redis at %s: sent a reply that is not a list of "
			   "limits",
		    client->name);
		limits_key_free(key);
		return -1;
	}
	key->digest = key->reply->element[0]->str;
	if (key->reply->elements > 1 &&
	    key->reply->element[1]->type == REDIS_REPLY_INTEGER) {
		key->number = key->reply->element[1]->integer;
		head = 2;
	}
	key->members = key->reply->element + head;
	key->count = key->reply->elements - head;
	return 0;
}

void
limits_key_free(struct limits_key *key)
{
	freeReplyObject(key->reply);
	*key = (struct limits_key){0};
}
