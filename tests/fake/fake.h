/**
 * fake: time, descriptors, connections and chance, in the hands of a test.
 *
 * The files beside this one take the place of net/loop, timer, io, dial and
 * systemd, and of base/clock, heap, random and log_sink, when build/states is
 * linked; everything above them is the real thing.  Nothing happens by itself:
 * the test moves time, says what becomes of a dial, and turns the loops, all on
 * one thread.
 *
 * A turn of a loop is libevent's: descriptors that are ready and hurry first,
 * then timers that are due, then other descriptors; each only if no callback
 * before it has stopped it; what is set meanwhile waits for the next turn.
 */
#ifndef FAKE_FAKE_H
#define FAKE_FAKE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/** Start again, before each test: the clock at FAKE_START_US, or an hour after
 * the test before in the same process; chance in the middle, no dials. */
void fake_start(void);

#define FAKE_START_US INT64_C(1000000000000000)

/** After each test: the process ends if a loop, timer, io or dial is left. */
void fake_end(void);

/** End the process because a test asks for what cannot be. */
void fake_die(const char *format, ...) PRINTF_LIKE(1, 2)
    __attribute__((noreturn));

/** What was logged since the last look, valid until the next: lines, each with
 * its level before it, "<4>".  Standard error gets it as well, if FAKE_LOG is
 * in the environment. */
const char *fake_log(void);

/*
 * Time.
 */

/** Turn all loops until nothing is ready or due now.  A stopped loop stays as
 * it is. */
void fake_run(void);

/** One turn of each loop that has something to call.  Return whether there
 * was. */
bool fake_turn(void);

/** Let ${us} pass: each timer on the way fires at its time. */
void fake_pass(int64_t us);

/** Let time pass until the next timer is due, and run.  Return how long that
 * took; -1, and nothing happens, if no timer is set. */
int64_t fake_pass_to_next(void);

/** Let ${us} pass while the loops do not turn: the machine was busy. */
void fake_stall(int64_t us);

/** Each look at the clock takes ${us} from now on; 0, as at the start, no time
 * at all. */
void fake_look_takes(int64_t us);

/** Have fake_run() and fake_pass() call ${call} once, ${us} from now. */
void fake_at(int64_t us, void (*call)(void *arg), void *arg);

/*
 * Loops.
 */

/** The loop that was made ${index}th (from 0) of those that there are. */
struct loop *fake_loop(size_t index);

/** Call ${call} on a thread of its own, up to where it calls loop_run(): then
 * the test goes on, and turns that loop like all others.  Never do both run at
 * a time.  Return false if it never called loop_run(). */
bool fake_spawn(int (*call)(void *arg), void *arg);

/** Have it go on with what follows loop_run(), which returns once its loop was
 * stopped, to its end.  Return what it returned. */
int fake_finish(void);

/** Have it turn no more, as if a callback never returned. */
void fake_loop_hang(struct loop *loop);

/** Have it turn again. */
void fake_loop_go_on(struct loop *loop);

/** Whether it was stopped. */
bool fake_loop_is_stopped(const struct loop *loop);

/** Have the loop that catches ${number} get that signal in its next turn. */
void fake_signal(int number);

/*
 * systemd.  What is said to it is noted (note.h): "ready", "reloading",
 * "stopping", "pat", "keep:2" for two clients.
 */

/** Have it keep clients over a restart. */
void fake_systemd_keeps(bool keeps);

/** Have its watchdog want to be patted within ${us}; 0: it does not. */
void fake_systemd_watchdog(int64_t us);

/** The status line. */
const char *fake_systemd_status(void);

/*
 * Memory.
 */

/** Bytes that were freed since the last look because they were not needed. */
size_t fake_given_back(void);

/*
 * Chance.
 */

/** Have random_below() return this share (0 to 1) of its bound, rounded down;
 * always less than the bound.  At the start 0.5. */
void fake_chance(double share);

/** The last bound that random_below() was given. */
int64_t fake_chance_bound(void);

/*
 * Dials.  One hangs until the test says what becomes of it.  ${name} is that of
 * endpoint_name(); NULL: any.
 */

/** Have the next one find no memory. */
void fake_dial_without_memory(void);

/** How many are open. */
size_t fake_dials(const char *name);

/** The oldest one connects, in the next turn.  Return the server's end, a
 * non-blocking socket, the caller's. */
int fake_dial_connect(const char *name);

/** The oldest one fails, in the next turn.  ${reason} is borrowed. */
void fake_dial_fail(const char *name, const char *reason);

/** The same, and what fails is the look-up of the name. */
void fake_dial_fail_lookup(const char *name, const char *reason);

/** The same, for want of something on this machine. */
void fake_dial_fail_here(const char *name, const char *reason);

/** Call ${call} once, right after the ${nth} time from now on that a mutex is
 * unlocked. */
void fake_at_unlock(unsigned nth, void (*call)(void));

/*
 * Work in the background.  It is done at once, in the next turn.
 */

/** Whether what is started from now on waits; no: what waited is done. */
void fake_background_holds(bool yes);

#endif
