/**
 * suites: the tests of state machines, in virtual time (tests/fake), one suite
 * a file: test_NAME.c defines NAME_suite().  A new file gets a line here, and
 * nothing else.
 */
#ifndef STATES_SUITES_H
#define STATES_SUITES_H

#include <check.h>

#define SUITES(X)                                                              \
	X(balance)                                                             \
	X(cache_redis)                                                         \
	X(cluster)                                                             \
	X(daemon)                                                              \
	X(distributor)                                                         \
	X(failovers)                                                           \
	X(link)                                                                \
	X(listener)                                                            \
	X(refuser)                                                             \
	X(replicas)                                                            \
	X(saturation)                                                          \
	X(script_call)                                                         \
	X(sentinel)                                                            \
	X(shard)                                                               \
	X(subscriber)                                                          \
	X(sweep)                                                               \
	X(topology_follower)                                                   \
	X(waits)                                                               \
	X(worker)                                                              \
	X(worker_http)                                                         \
	X(worker_redis)                                                        \
	X(worker_cluster)                                                      \
	X(worker_sharded)

#define SUITE(name) Suite *name##_suite(void);
SUITES(SUITE)
#undef SUITE

#endif
