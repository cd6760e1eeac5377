/**
 * publish: messages on the control channel.
 */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include "base/attr.h"
#include "cli/redis_client.h"
#include "cli/tool.h"

/** Whether the options for a reload go together.  Return the exit status. */
int publish_check_options(const struct tool *tool);

/** Publish the reload that the options ask for, and print it.  Return the exit
 * status. */
int publish_reload_message(
    const struct tool *tool, struct redis_client *client);

#endif
