/**
 * wait: checks that wait until their drops fit.
 *
 * The drops of such a check are in its bucket already, behind those that came
 * before, and keep out what comes later: so all daemons serve first who came
 * first.  Only the decision is held back, until there is room.  Nothing polls:
 * one timer of the worker is set to the first that is due.
 */
#ifndef GATE_WAIT_H
#define GATE_WAIT_H

#include "base/attr.h"
#include "net/exact_timer.h"

#include <stdbool.h>
#include <stddef.h>

struct check;
struct counters;
struct query;
struct wait;

/** All of a gate. */
struct waits {
	struct exact_timer timer;
	struct wait **items; /* a heap: the first is due first */
	size_t count, room;
	size_t open; /* checks that wait, or may have to: there is room for all
		      * of them */
	bool closed; /* none waits any more */
	struct counters *counters;
};

/** Return 0, or -1 with errno. */
int waits_init(
    struct waits *waits, struct loop *loop, struct counters *counters) MUST_USE;

/** Free what it holds, as all zero does nothing; no check may be open. */
void waits_clear(struct waits *waits);

/** Have none wait any longer, as by check_stop_waiting(); from now on, OP_WAIT
 * is OP_CONSUME.  Those who came last leave first, so that each is the last in
 * its line, and gives its turn back. */
void waits_stop(struct waits *waits);

/** The loop turns no more: deny all that wait, whose turns are lost.  Calls
 * their done. */
void waits_abandon(struct waits *waits);

/*
 * For gate/check.c and gate/joint.c, of a check with OP_WAIT.
 */

/** The limit of its ${query}, with OP_WAIT, is found: say how long that may
 * wait.  Not at all: it becomes OP_CONSUME. */
void wait_prepare(struct check *check, struct query *query);

/** It is about to be asked: keep the key of its query, unless it is joint.
 * Return 0, or -1 (out of memory). */
int wait_open(struct check *check) MUST_USE;

/** It is allowed, in ${us}.  Return whether it is to wait: its done is called
 * later then. */
bool wait_begin(struct check *check, int64_t us);

/** Memory that it will hold beside itself. */
size_t wait_bytes(const struct check *check);

/** Free what wait_open() made. */
void wait_close(struct check *check);

#endif
