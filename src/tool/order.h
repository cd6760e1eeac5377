/**
 * order: what is said on the control channel.
 */
#ifndef TOOL_ORDER_H
#define TOOL_ORDER_H

#include "base/attr.h"
#include "tool/redis_client.h"
#include "tool/tool.h"

/** Whether the options for a reload go together.  Return the exit status. */
int order_check(const struct tool *tool);

/** Order the reload that the options ask for, and say so.  Return the exit
 * status. */
int order_send_reload(const struct tool *tool, struct redis_client *client);

#endif
