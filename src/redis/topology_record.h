/**
 * topology_record: what stands in Redis about the topology, so that all daemons
 * have the same.
 *
 * A text of words, "partitions=16 hosts=a.example:6379,b.example:6379": the
 * hosts only where they share the keys.  Ours is always written in one way: the
 * hosts by host_port_name(), and sorted, since their order does not matter.
 */
#ifndef REDIS_TOPOLOGY_RECORD_H
#define REDIS_TOPOLOGY_RECORD_H

#include "base/attr.h"
#include "base/host_port.h"
#include "redis/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Behind the prefix, the name of its key. */
#define TOPOLOGY_RECORD_KEY "topology"

/** Longest text that is read. */
#define TOPOLOGY_RECORD_MAX 65536

struct topology_record {
	int64_t partitions;
	char *hosts; /* with blanks between; "": the server itself is all */
	char reason[200]; /* room for what is wrong */
};

/** Take a text of ${len} bytes apart.  Return NULL, and
 * topology_record_close() is due; or what is wrong with it, valid as long as
 * ${record}. */
const char *topology_record_read(
    struct topology_record *record, const char *text, size_t len) MUST_USE;

void topology_record_close(struct topology_record *record);

/** Whether a record that stands at ${server} counts though ${first}, which
 * comes before it, has another one: it leaves out ${first}, which was not there
 * then and still has what stood there before.  A change is written to the first
 * host that remains after all others, so half of one counts nowhere.  All are
 * called by their host_port_name(); ${tells}: whether anything stands at one.
 */
bool topology_record_leaves_out(const struct topology_record *record,
    const char *first, const char *server,
    bool (*tells)(const char *name, const void *arg), const void *arg);

/** The text of a topology, the caller's to free.  NULL: out of memory. */
char *topology_record_write(const struct topology_options *options) MUST_USE;

/** What the record makes of ${own}: its partitions and its hosts or, if it has
 * none, where ${own} shares the keys among hosts, the first of these alone.
 * The strings are the record's and ${own}'s; ${first} is room for that one. */
struct topology_options topology_record_apply(
    const struct topology_record *record, const struct topology_options *own,
    struct host_port *first);

/** Whether ${len} bytes say the same as ${own}, which
 * topology_record_write() has written, or are no record. */
bool topology_record_agrees(const char *own, const char *text, size_t len);

#endif
