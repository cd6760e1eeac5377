/**
 * block: has an upstream be left alone for a while, by all daemons.
 *
 * Each key of its limit_key has a bucket that is full while the key is blocked,
 * "blocked:KEY", under a limit that comes along: a drop is a microsecond of the
 * block or more, and what fills it says until when.  So two blocks are the
 * longer one, whichever daemon was told what, and whatever the limit of the key
 * is.  Requests to upstreams look there before they go out.
 *
 * So that others who ask about the key are denied as well, its own bucket is
 * filled, and then as many drops are charged as leak in that time: as far as
 * the debt of its limit goes.  A limit without debt stays as it is.
 */
#ifndef UPSTREAM_BLOCK_H
#define UPSTREAM_BLOCK_H

#include "gate/check.h"

#include <stdint.h>

struct flights;
struct upstream;

/** How the key of such a bucket begins. */
#define BLOCK_PREFIX "blocked:"

/** OP_PEEK of this, with that key, is allowed when the block is over. */
extern const struct check_key block_question;

/** What OP_TAKE fills such a bucket with, whatever it held, so that the block
 * lasts at least ${block_us}, and a millionth and two drops more at most.  One
 * that is longer stays. */
struct check_key block_filling(int64_t block_us);

/** Block the keys of ${upstream} for ${block_us}, a day at most. */
void block_start(
    struct flights *flights, struct upstream *upstream, int64_t block_us);

#endif
