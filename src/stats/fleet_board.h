/**
 * fleet_board: what the control thread knows of the fleet, in lines for the
 * status page.
 *
 * One thread puts them there, and only while someone asks for them.
 */
#ifndef STATS_FLEET_BOARD_H
#define STATS_FLEET_BOARD_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/** How long lines are wanted after they were asked for. */
#define FLEET_BOARD_WANTED_US INT64_C(5000000)

struct fleet_board;

/** NULL: out of memory. */
struct fleet_board *fleet_board_new(void) MUST_USE;
void fleet_board_free(struct fleet_board *board);

/** Append the lines to ${out}; none before the first were put there, or when
 * they are old.  Want the next ones.  Return 0, or -1 (out of memory). */
int fleet_board_write(
    struct fleet_board *board, int64_t now_us, struct buf *out) MUST_USE;

bool fleet_board_is_wanted(const struct fleet_board *board, int64_t now_us);

/** Take ${lines} over, in exchange for those before. */
void fleet_board_put(
    struct fleet_board *board, int64_t now_us, struct buf *lines);

#endif
