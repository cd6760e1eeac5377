/**
 * suites: the unit tests, one suite a file: test_NAME.c defines NAME_suite().
 * A new file gets a line here, and nothing else.
 */
#ifndef UNIT_SUITES_H
#define UNIT_SUITES_H

#include <check.h>

#define SUITES(X)                                                              \
	X(batch)                                                               \
	X(bucket)                                                              \
	X(buf)                                                                 \
	X(command)                                                             \
	X(config)                                                              \
	X(deny_cache)                                                          \
	X(diff)                                                                \
	X(index)                                                               \
	X(ini)                                                                 \
	X(inline)                                                              \
	X(json)                                                                \
	X(key)                                                                 \
	X(last_good)                                                           \
	X(limit)                                                               \
	X(line)                                                                \
	X(log)                                                                 \
	X(members)                                                             \
	X(memory)                                                              \
	X(message)                                                             \
	X(num)                                                                 \
	X(random)                                                              \
	X(rates)                                                               \
	X(reload)                                                              \
	X(reply_arena)                                                         \
	X(reply_guard)                                                         \
	X(resp)                                                                \
	X(resp_request)                                                        \
	X(rules)                                                               \
	X(siphash)                                                             \
	X(suggest)                                                             \
	X(tally)                                                               \
	X(throttle)                                                            \
	X(window)

#define SUITE(name) Suite *name##_suite(void);
SUITES(SUITE)
#undef SUITE

#endif
