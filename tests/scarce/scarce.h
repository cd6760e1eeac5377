/**
 * scarce: memory that runs out, once, at each place in its turn; and likewise
 * descriptors, threads, and room on the disk.
 *
 * Of all that is in src/, the calls that take some are counted, and one of them
 * fails: those of libraries, those that append to a buf, each of which might
 * have to grow, and those of net/ that tests/fake has.  Those of the tests
 * never fail.
 */
#ifndef SCARCE_SCARCE_H
#define SCARCE_SCARCE_H

#include <stdbool.h>
#include <stddef.h>

/** Do something; return whether it was done, as opposed to an error.  It checks
 * what is left behind by either. */
typedef bool scarce_scenario(const void *arg);

/** Call ${scenario} first with memory enough, when it must succeed; then as
 * often as it has calls to fail, each time with the next one failing.  At least
 * one of these must be told as an error. */
void scarce_each(scarce_scenario *scenario, const void *arg);

/** The same; each failure may be lived with. */
void scarce_survive(scarce_scenario *scenario, const void *arg);

/** Count the calls from here on, or no longer: what a scenario prepares, and
 * what it looks at in the end, is not to fail. */
void scarce_begin(void);
void scarce_end(void);

/** From here on no call is to fail, whatever begins again: what follows is to
 * show that what failed once does not fail for good. */
void scarce_stop(void);

/** Whether a call is to fail this time, or has failed. */
bool scarce_fails(void);

/** Whether the call that asks is to fail; then errno is ${error}. */
bool scarce_is_turn(int error);

/** What src/ calls in place of ${name}, which the Makefile lists. */
#define WRAP(type, name, parameters, arguments, error, failed)                 \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return scarce_is_turn(error) ? failed : name arguments;        \
	}

#endif
