/**
 * move: clients that a worker hands to another one of this process.
 *
 * A client moves when every request that was handled has its response, sent, so
 * that none is under way.  Bytes that were read beyond move with it.
 */
#ifndef SERVER_MOVE_H
#define SERVER_MOVE_H

#include "server/conn.h"

/** Make clients leave that together took about ${part_us} of the time since
 * move_start_period(): conns->hand is called for each. */
void move_begin(struct conns *conns, int64_t part_us);

/** Make those stay that have not left yet. */
void move_end(struct conns *conns);

/** Start to measure how long clients are served (conns->served_us). */
void move_start_period(struct conns *conns);

/** The client was served for this long. */
void move_note_served(struct conn *conn, int64_t served_us);

/** Whether it must leave, and can now. */
bool move_is_due(const struct conn *conn);

/** Take it from its conns, on their thread, and append it to ${moved}.
 */
void move_take(struct conn *conn, struct conn_list *moved);

/** Move all of ${moved} into ${conns}, on the thread of ${conns}.
 */
void move_give(struct conn_list *moved, struct conns *conns);

/** Close all in ${moved}: no worker is left for them. */
void move_drop(struct conn_list *moved);

#endif
