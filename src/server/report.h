/**
 * report: a response of many rows, written in pieces.
 *
 * However long a report is, little of it is in memory at a time: the worker
 * writes the next piece when the client has read enough of the earlier ones,
 * and takes no further request of the client before the last piece.  All pieces
 * are about the limits that were in force at the start, which the slot holds.
 *
 * To add one: a struct report, and a row in server/serve.c.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include "server/queue.h"

#include <stddef.h>

/** Rows are gathered up to about this many bytes, which make a piece. */
#define REPORT_PIECE_LEN 4096

/** The most that a report writes at once which has its rows as one text; one
 * more row may be above it. */
#define REPORT_TEXT_MAX 32768

/** What the rows are. */
struct report {
	/** Append all rows to ${out}: for reports that are short.  NULL: they
	 * are written in pieces, by the functions below. */
	int (*text)(struct slot *slot, struct buf *out);

	/** Number of rows, which is asked for once, before the first. */
	size_t (*count)(const struct slot *slot);

	/** Append row ${i} to ${text}: one line, with its end.  Called once for
	 * each, in order.  Return 0, or -1 (out of memory). */
	int (*row)(struct slot *slot, size_t i, struct buf *text);

	/** It goes on until slot->report.ends is set: ${text} appends what is
	 * new, and is called again and again. */
	bool is_feed;
};

/** Write the next piece; the last one sets slot->written. */
slot_write report_write;

/** Free what the slot of a report holds. */
void report_end(struct slot *slot);

#endif
