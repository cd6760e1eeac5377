/**
 * hello: what clients of Redis say before they come to the point, and between.
 *
 * They greet, name themselves, ask what server this is, and choose a database.
 * There are no databases, no passwords and no settings here: as much is
 * answered as real clients need to go on.
 */
#ifndef WIRE_HELLO_H
#define WIRE_HELLO_H

#include "base/attr.h"
#include "wire/resp.h"

#include <stdint.h>

/** What is known of a client. */
struct resp_session {
	int version; /* of the protocol: 2, or 3 after HELLO 3 */
	uint64_t id; /* tells it from all others of this process */
};

/** Append the answer to ${command}, whose first word says which one it is, and
 * which has as many words as its row in wire/resp_request.c says.  Return 0, or
 * -1 (out of memory). */
typedef int hello_answer(const struct resp_command *command,
    struct resp_session *session, struct buf *out);

hello_answer hello_hello, hello_auth, hello_select, hello_client, hello_info,
    hello_config, hello_echo, hello_reset, hello_quit;

/** Whether ${word} is ${text}, in any case. */
bool resp_word_is(const struct resp_word *word, const char *text);

/** Append the error for a subcommand that there is not. */
int hello_unknown(struct buf *out, const struct resp_command *command) MUST_USE;

#endif
