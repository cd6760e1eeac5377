/*
 * acl: prints the users that the settings need in Redis, each in one line,
 * quoted so that redis-cli and a shell read the same.
 */
#include "cli/commands.h"
#include "cli/json.h"
#include "config/rights.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Whether a shell and redis-cli both read it in single quotes. */
static bool
acl_is_quotable(const char *text)
{
	for (; *text; text++)
		if (*text == '\'' || !isprint((unsigned char)*text))
			return false;
	return true;
}

static void
acl_print_word(const char *text)
{
	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789+_|-") == strlen(text)) {
		printf(" %s", text);
	} else if (acl_is_quotable(text)) {
		printf(" '%s'", text);
	} else {
		fputs(" \"", stdout);
		for (; *text; text++)
			printf(isalnum((unsigned char)*text) ? "%c" : "\\x%02x",
			    (unsigned char)*text);
		putchar('"');
	}
}

/* Channels, keys, and commands, in this order. */
static void
acl_print_user(const struct rights_user *user)
{
	static const char *const kinds[] = {"&", "~%", "+"};

	fputs("ACL SETUSER", stdout);
	acl_print_word(user->name);
	fputs(" reset on", stdout);
	acl_print_word(user->has_password ? ">PASSWORD" : "nopass");
	fputs(" resetchannels", stdout);
	for (size_t i = 0; i < COUNT(kinds); i++)
		for (size_t k = 0; k < user->count; k++)
			if (strchr(kinds[i], *user->rights[k]))
				acl_print_word(user->rights[k]);
	putchar('\n');
}

static void
acl_write_user(struct json *json, const struct rights_user *user)
{
	json_open(json, NULL, '{');
	json_text(json, "server", user->server);
	json_text(json, "user", user->name);
	json_raw(json, "password", user->has_password ? "true" : "false");
	json_open(json, "rights", '[');
	for (size_t i = 0; i < user->count; i++)
		json_text(json, NULL, user->rights[i]);
	json_close(json, ']');
	json_close(json, '}');
}

static void
acl_write(const struct rights *rights)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < rights->count; i++)
		acl_write_user(&json, &rights->users[i]);
	json_close(&json, ']');
	json_end(&json);
}

/* Only the lines go to standard output. */
static int
acl_print(const struct tool *tool, const struct rights *rights)
{
	if (rights->count == 0)
		return tool_error("these settings have nothing in Redis");
	if (tool->json) {
		acl_write(rights);
		return STATUS_FINE;
	}
	for (size_t i = 0; i < rights->count; i++) {
		fflush(stdout);
		fprintf(stderr, "; at %s:\n", rights->users[i].server);
		acl_print_user(&rights->users[i]);
	}
	return STATUS_FINE;
}

int
acl_show(struct tool *tool)
{
	const struct config *config = tool_config(tool);
	struct rights rights;
	int status;

	if (!config)
		return STATUS_ERROR;
	if (rights_open(&rights, config) == 0)
		status = acl_print(tool, &rights);
	else
		status = tool_error("out of memory");
	rights_close(&rights);
	return status;
}
