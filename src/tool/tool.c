#include "tool/tool.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
tool_complain(const char *format, ...)
{
	char text[1024], shown[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* What was printed before stands before, also in one file. */
	fflush(stdout);
	fprintf(stderr, "dripgate: %s\n",
	    log_escape(shown, sizeof(shown), text, strlen(text)));
	return STATUS_ERROR;
}

const struct config *
tool_config(struct tool *tool)
{
	struct config_error error;

	if (tool->config)
		return tool->config;
	tool->config = config_load(tool->config_path, &error);
	if (!tool->config)
		tool_complain("%s", error.reason);
	return tool->config;
}

const char *
tool_address(struct tool *tool)
{
	const struct config *config;

	if (tool->socket)
		return tool->socket;
	config = tool_config(tool);
	if (!config)
		return NULL;
	if (*config->doors.unix_path)
		return config->doors.unix_path;
	if (*config->doors.line)
		return config->doors.line;
	tool_complain("[listen] has no address: say where dripgated listens, "
		      "--socket PATH|HOST:PORT");
	return NULL;
}

const char *
tool_colour(const struct tool *tool, enum colour colour)
{
	static const char *const codes[] = {
	    [COLOUR_GREEN] = "\033[32m",
	    [COLOUR_RED] = "\033[31m",
	    [COLOUR_YELLOW] = "\033[33m",
	    [COLOUR_BOLD] = "\033[1m",
	};

	return tool->colours ? codes[colour] : "";
}

const char *
tool_plain(const struct tool *tool)
{
	return tool->colours ? "\033[0m" : "";
}
