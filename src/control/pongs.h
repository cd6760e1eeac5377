/**
 * pongs: responds to pings: publishes "pong:NODE:DATA" on the channel that a
 * ping names.
 *
 * Turnstile's own tool subscribes to that channel after it has published the
 * ping.  So a pong that no client received is published once more, after
 * PONG_REPEAT_US.
 */
#ifndef CONTROL_PONGS_H
#define CONTROL_PONGS_H

#include "base/attr.h"
#include "control/message.h"
#include "net/loop.h"
#include "redis/link.h"

#include <stdint.h>

#define PONG_REPEAT_US INT64_C(100000)

/** At most so many pongs wait to be repeated, of at most so many bytes each.
 * Any other is published once. */
#define PONGS_MAX      16
#define PONG_MAX_BYTES 65536

struct pongs;

/** ${node}: the name of this node; "": none.  All is borrowed; ${link} is freed
 * before the pongs.  NULL: out of memory. */
struct pongs *pongs_new(struct loop *loop, struct link *link, const char *node,
    int64_t timeout_us) MUST_USE;

/** Free them, or NULL: none is repeated any more. */
void pongs_free(struct pongs *pongs);

/** Respond to a ping that is not bad. */
void pongs_answer(struct pongs *pongs, const struct message *ping);

#endif
