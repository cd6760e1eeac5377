/**
 * command: a Redis command as bytes (RESP2, an array of bulk strings).
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Written straight into a buffer: a batch has hundreds of arguments, which
 * redisFormatCommandArgv() would want gathered in arrays first.  ${failed}
 * remembers that memory ran out, so that one check at the end is enough.
 */
#ifndef REDIS_COMMAND_H
#define REDIS_COMMAND_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command {
	struct buf bytes;
	bool failed;
};

/** Start a command of ${count} arguments, its name included.  Its former
 * content is discarded, its memory used again. */
void command_start(struct command *command, size_t count);

/** Append one argument. */
void command_add(struct command *command, const void *bytes, size_t len);
void command_add_text(struct command *command, const char *text);
void command_add_int(struct command *command, int64_t value);

/** Free the room. */
void command_free(struct command *command);

#endif
