/**
 * turn: what the fakes of loop, timer and io share.  For them only.
 */
#ifndef FAKE_TURN_H
#define FAKE_TURN_H

#include "base/list.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

/** What a loop calls: a timer that is set, or an io that was started. */
struct due {
	TAILQ_ENTRY(due) all; /* in the order in which they were set */
	TAILQ_ENTRY(due) now; /* to be called in this turn */
	const void *owner;    /* the timer or io */
	void (*call)(const void *owner);
	int64_t at_us; /* a timer */
	int fd;        /* an io; -1: a timer */
	short events;  /* of poll(2) */
	bool hurries;  /* an io that is called before timers */
	bool is_now;
	bool is_ready; /* an io, when the turn began */
};

/** Have ${loop} call ${due}, of which it keeps a copy, instead of what it was
 * to call for the same owner. */
void turn_add(struct loop *loop, const struct due *due);

/** Have it call nothing for ${owner}. */
void turn_remove(struct loop *loop, const void *owner);

/** Whether it is to call something for ${owner}. */
bool turn_has(const struct loop *loop, const void *owner);

/** The time by the fake clock, which does not move by that. */
int64_t fake_now_us(void);

/** Set the fake clock. */
void fake_set_now_us(int64_t us);

/** Whether this thread is that of fake_spawn(). */
bool fake_is_spawned(void);

/** Have the test go on, until it calls fake_finish(). */
void fake_hand_back(void);

/** Whether a dial is open. */
bool fake_dials_left(void);

/** Forget all dials, and how chance was set. */
void fake_reset_dials(void);
void fake_reset_chance(void);

#endif
