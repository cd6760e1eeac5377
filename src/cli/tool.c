/*
 * What every command of dripgate needs.  Invariant: the settings and the
 * password are read at most once, and only if the command needs them.  The
 * heart: tool_config(), tool_password() and tool_address().
 */
#include "cli/tool.h"

#include "base/log.h"

#include "cli/login.h"
#include "config/password.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_US INT64_C(5000000)

int
tool_error(const char *format, ...)
{
	char text[1024], shown[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Write earlier output first, in case both streams go to one file.
	 */
	fflush(stdout);
	fprintf(stderr, "dripgate: %s\n",
	    log_escape(shown, sizeof(shown), text, strlen(text)));
	return STATUS_ERROR;
}

static void
tool_print_reason(const char *reason, void *arg)
{
	(void)arg;
	tool_error("%s", reason);
}

const struct config *
tool_config(struct tool *tool)
{
	struct reasons reasons;

	if (tool->config)
		return tool->config;
	tool->config = config_load(tool->config_path, NULL, &reasons);
	if (!tool->config)
		reasons_each(&reasons, tool_print_reason, NULL);
	return tool->config;
}

/* Look for the service's credential where systemd keeps it.  A credential that
 * is missing, or that this user may not read, is no error until Redis wants a
 * password. */
static void
tool_find_credential(struct tool *tool)
{
	struct reasons reasons;
	const char *path;

	for (unsigned i = 0; !tool->password && (path = password_place(i));
	     i++) {
		if (access(path, R_OK) == 0)
			tool->password = password_read(path, &reasons);
		else if (errno == EACCES && !tool->unreadable_password)
			tool->unreadable_password = path;
	}
}

const char *
tool_password(struct tool *tool)
{
	struct reasons reasons;

	if (!tool->password && tool->password_file) {
		tool->password = password_read(tool->password_file, &reasons);
		if (!tool->password) {
			tool_error("%s", reasons_first(&reasons));
			return NULL;
		}
	}
	if (!tool->password)
		tool_find_credential(tool);
	return tool->password ? tool->password : "";
}

const char *
tool_password_hint(const struct tool *tool)
{
	if (tool->unreadable_password)
		return "the password is a credential of systemd that root may "
		       "read: use sudo, or --password-file FILE";
	return "[redis] password in the settings gives it, or --password-file "
	       "FILE";
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
	if (*config->listeners.unix_path)
		return config->listeners.unix_path;
	if (*config->listeners.line)
		return config->listeners.line;
	tool_error("[listen] has no address: say where dripgated listens, "
		   "--socket PATH|HOST:PORT");
	return NULL;
}

const char *
tool_certificate(struct tool *tool)
{
	const struct config *config = tool->config;
	const struct tls_options *tls;

	if (tool->socket || !config || *config->listeners.unix_path)
		return NULL;
	tls = &config->tls[LISTENER_LINE];
	return tls->on ? tls->cert_file : NULL;
}

int
tool_find_gate(struct tool *tool, struct gate_address *address)
{
	*address = (struct gate_address){.text = tool_address(tool)};
	if (!address->text ||
	    (!tool->login && login_make(tool, &tool->login) == -1))
		return -1;
	address->certificate = tool_certificate(tool);
	address->login = tool->login;
	return 0;
}

int64_t
tool_timeout_us(const struct tool *tool)
{
	return tool->timeout_us ? tool->timeout_us : TIMEOUT_US;
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
