/**
 * reply: what an error that Redis replied means.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

/** Whether the reply is an error whose first word is ${word}. */
bool reply_is_error(const redisReply *reply, const char *word);

/** Whether the reply is an error after which this server is not the one to talk
 * to: link_drop(), and its name is looked up again. */
bool reply_is_wrong_server(const redisReply *reply);

#endif
