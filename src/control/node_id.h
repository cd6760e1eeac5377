/**
 * node_id: the name of a node, and what tells apart daemons that have the same.
 *
 * Short, and stable: the same daemon has the same id after a restart, unless
 * its machine or container was started again.
 */
#ifndef CONTROL_NODE_ID_H
#define CONTROL_NODE_ID_H

#include <stddef.h>

/** Longest name of a node. */
#define NODE_NAME_MAX 100

/** Write the name that ${set} says or, if it is empty, the host's; "": that is
 * not known. */
void node_name_make(char to[NODE_NAME_MAX + 1], const char *set);

/** Length of an id: hexadecimal digits. */
#define NODE_ID_LEN 4

/** Write the id of the daemon of this machine that listens on ${count}
 * ${addresses}, and a NUL. */
void node_id_make(
    char to[NODE_ID_LEN + 1], const char *const *addresses, size_t count);

#endif
