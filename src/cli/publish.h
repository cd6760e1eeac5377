/**
 * publish: messages on the control channel.
 */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include "base/attr.h"
#include "cli/json.h"
#include "cli/redis_client.h"
#include "cli/tool.h"
#include "control/notice.h"

/** Whether the options for a reload go together.  Return the exit status. */
int publish_check_options(const struct tool *tool);

/** A reload that was published. */
struct published {
	struct notice notice;
	const char *channel; /* of the client */
	long long listeners;
};

/** Publish the reload that the options ask for.  Return 0, or -1: the error was
 * printed. */
int publish_reload_message(const struct tool *tool, struct redis_client *client,
    struct published *published) MUST_USE;

/** Print it, or write it as an object. */
void publish_print(const struct published *published);
void publish_write(
    struct json *json, const char *name, const struct published *published);

#endif
