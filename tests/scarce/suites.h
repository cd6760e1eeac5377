/**
 * suites: what becomes of memory that runs out (scarce.h), one suite a file:
 * test_NAME.c defines NAME_suite().  A new file gets a line here, and nothing
 * else; a protocol that the Makefile may leave out has its suite by its line
 * there.
 */
#ifndef SCARCE_SUITES_H
#define SCARCE_SUITES_H

#include <check.h>

#define SUITES(X)                                                              \
	PROTOCOLS_CHOSEN(X)                                                    \
	X(commands)                                                            \
	X(daemon)                                                              \
	X(pool)                                                                \
	X(redis)                                                               \
	X(requests)                                                            \
	X(settings)                                                            \
	X(upstreams)

#define SUITE(name) Suite *name##_suite(void);
SUITES(SUITE)
#undef SUITE

#endif
