/**
 * load: puts a set of limits in Redis in the place of what is there.
 */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "cli/limit_set.h"
#include "cli/redis_client.h"
#include "cli/tool.h"

/** Longest name of an author. */
#define LOAD_AUTHOR_MAX 200

/** Write who the user is: USER@HOST, or what --author says. */
void load_write_author(
    const struct tool *tool, char author[LOAD_AUTHOR_MAX + 1]);

/** Load ${set} with ${message} for the history, as the options say, and have
 * the daemons reload.  Return the exit status. */
int load_set(struct tool *tool, struct redis_client *client,
    const struct limit_set *set, const char *message);

/** Whether the options go together, and the texts for the history are texts.
 * Return the exit status. */
int load_check_options(const struct tool *tool);

#endif
