/*
 * login: the user of dripgated that a command is.  The secret comes from a
 * file, the environment or a credential: arguments are for all to see.
 */
#include "cli/login.h"

#include "base/attr.h"
#include "config/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE   "DRIPGATE_SECRET"
#define CREDENTIAL "dripgate.secret"

/* The secret in the file at ${path}; NULL: the error was printed. */
static char *
login_read(const char *path)
{
	struct reasons reasons;
	char *secret = password_read(path, &reasons);

	if (!secret)
		tool_error("%s", reasons_first(&reasons));
	return secret;
}

static char *
login_find_secret(const struct tool *tool)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const char *secret = getenv(VARIABLE);
	char path[4096];

	if (tool->secret_file)
		return login_read(tool->secret_file);
	if (secret)
		return strdup(secret);
	if (folder &&
	    (size_t)snprintf(path, sizeof(path), "%s/" CREDENTIAL, folder) <
		sizeof(path) &&
	    access(path, F_OK) == 0)
		return login_read(path);
	tool_error("--user needs a secret: --secret-file FILE, " VARIABLE
		   " or the credential " CREDENTIAL);
	return NULL;
}

bool
login_is_word(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return false;
	return len > 0;
}

int
login_make(const struct tool *tool, char **login)
{
	char *secret;
	int made = -1;

	*login = NULL;
	if (!tool->user)
		return 0;
	secret = login_find_secret(tool);
	if (!secret)
		return -1;
	if (login_is_word(tool->user, strlen(tool->user)) &&
	    login_is_word(secret, strlen(secret)))
		made = asprintf(login, "AUTH %s %s", tool->user, secret);
	else
		tool_error("a user and a secret are printable ASCII without "
			   "blanks");
	explicit_bzero(secret, strlen(secret));
	free(secret);
	if (made == -1)
		*login = NULL;
	return made == -1 ? -1 : 0;
}

void
login_free(char *login)
{
	if (login)
		explicit_bzero(login, strlen(login));
	free(login);
}
