/**
 * key_commands: Redis's commands on keys: DEL, EXISTS, TTL, PTTL.
 *
 * A key may have two buckets: that of the limit that it matches, and that of
 * CL.THROTTLE.  Each command looks at both, one check after the other.
 */
#ifndef SERVER_KEY_COMMANDS_H
#define SERVER_KEY_COMMANDS_H

#include "server/queue.h"

/** As handler->begin. */
int key_commands_look(struct slot *slot, const struct request *request);
int key_commands_delete(struct slot *slot, const struct request *request);

/** As handler->next. */
bool key_commands_next(struct slot *slot);

/** As handler->write: 1 if there was a bucket, else 0. */
slot_write key_commands_write_count;

/** The time until the key's buckets are empty and not blocked, rounded up; -2:
 * it has none. */
slot_write key_commands_write_seconds, key_commands_write_ms;

#endif
