/**
 * suites: the unit tests, one suite a file: test_NAME.c defines NAME_suite().
 * A new file gets a line here, and nothing else; a protocol that the Makefile
 * may leave out has its suite by its line there.
 */
#ifndef UNIT_SUITES_H
#define UNIT_SUITES_H

#include <check.h>

#define SUITES(X)                                                              \
	PROTOCOLS_CHOSEN(X)                                                    \
	X(also)                                                                \
	X(arrivals)                                                            \
	X(balance)                                                             \
	X(batch)                                                               \
	X(bucket_file)                                                         \
	X(buf)                                                                 \
	X(cache)                                                               \
	X(cache_seal)                                                          \
	X(calendar)                                                            \
	X(choice)                                                              \
	X(check)                                                               \
	X(cluster_map)                                                         \
	X(command)                                                             \
	X(config)                                                              \
	X(deny_cache)                                                          \
	X(deny_log)                                                            \
	X(dial)                                                                \
	X(diff)                                                                \
	X(exposition)                                                          \
	X(file)                                                                \
	X(fixed_window)                                                        \
	X(freshness)                                                           \
	X(host_port)                                                           \
	X(http)                                                                \
	X(http_client)                                                         \
	X(glob)                                                                \
	X(history_text)                                                        \
	X(ids)                                                                 \
	X(index)                                                               \
	X(ini)                                                                 \
	X(inline_limits)                                                       \
	X(json)                                                                \
	X(key)                                                                 \
	X(key_secrets)                                                         \
	X(last_good)                                                           \
	X(leaky_bucket)                                                        \
	X(leases)                                                              \
	X(limit)                                                               \
	X(line)                                                                \
	X(list)                                                                \
	X(listen)                                                              \
	X(log)                                                                 \
	X(loop)                                                                \
	X(mates)                                                               \
	X(members)                                                             \
	X(memo)                                                                \
	X(memory)                                                              \
	X(memory_logs)                                                         \
	X(message)                                                             \
	X(msgpack)                                                             \
	X(normalize)                                                           \
	X(notice)                                                              \
	X(network)                                                             \
	X(num)                                                                 \
	X(override)                                                            \
	X(overload)                                                            \
	X(random)                                                              \
	X(partition)                                                           \
	X(pipeline)                                                            \
	X(process)                                                             \
	X(rates)                                                               \
	X(recent)                                                              \
	X(reasons)                                                             \
	X(reload)                                                              \
	X(redirect)                                                            \
	X(reply)                                                               \
	X(reply_arena)                                                         \
	X(reply_guard)                                                         \
	X(response_value)                                                      \
	X(resp)                                                                \
	X(resp_request)                                                        \
	X(route)                                                               \
	X(rules)                                                               \
	X(rules_changes)                                                       \
	X(rules_losses)                                                        \
	X(serve)                                                               \
	X(session)                                                             \
	X(sample)                                                              \
	X(scheduler)                                                           \
	X(server_clock)                                                        \
	X(servers)                                                             \
	X(siphash)                                                             \
	X(rooms)                                                               \
	X(spares)                                                              \
	X(suggest)                                                             \
	X(limit_stats)                                                         \
	X(text)                                                                \
	X(throttle)                                                            \
	X(top)                                                                 \
	X(topology)                                                            \
	X(topology_record)                                                     \
	X(turnstile)                                                           \
	X(upstream)                                                            \
	X(upstream_headers)                                                    \
	X(url)                                                                 \
	X(users)                                                               \
	X(verbs)                                                               \
	X(zone)

#define SUITE(name) Suite *name##_suite(void);
SUITES(SUITE)
#undef SUITE

#endif
