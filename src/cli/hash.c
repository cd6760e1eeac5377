/*
 * hash: makes what the file of users has of a secret, read from standard input:
 * arguments are for all to see.
 */
#include "base/secret_hash.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/login.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Most characters: with AUTH and a name, it fits in a line. */
#define TOKEN_MAX 512

/* Whether to show what is typed; no-op unless at a terminal. */
static void
hash_echo(bool shows)
{
	struct termios terminal;

	if (tcgetattr(STDIN_FILENO, &terminal) == -1)
		return;
	if (shows)
		terminal.c_lflag |= ECHO;
	else
		terminal.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
}

/* Read a line.  Return its length, 0 if there is none. */
static size_t
hash_read(char *to, int size)
{
	bool asks = isatty(STDIN_FILENO);
	const char *line;

	if (asks) {
		fputs("Secret: ", stderr);
		hash_echo(false);
	}
	line = fgets(to, size, stdin);
	if (asks) {
		hash_echo(true);
		fputs("\n", stderr);
	}
	return line ? strcspn(to, "\r\n") : 0;
}

static void
hash_show(const struct tool *tool, const char *text)
{
	struct json json = {.to = stdout};

	if (!tool->json) {
		printf("secret=%s\n", text);
		return;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "secret", text);
	json_close(&json, '}');
	json_end(&json);
}

int
hash_print(struct tool *tool)
{
	char secret[TOKEN_MAX + 2], text[SECRET_HASH_TEXT_SIZE];
	struct secret_hash hash;
	size_t len = hash_read(secret, sizeof(secret));
	int status = -1;

	if (len == 0)
		return tool_error("standard input has no secret");
	if (len <= TOKEN_MAX && login_is_word(secret, len))
		status = secret_hash_make(&hash, secret, len);
	explicit_bzero(secret, sizeof(secret));
	if (status == -1)
		return tool_error("a secret is at most %d characters of "
				  "printable ASCII, no blanks",
		    TOKEN_MAX);
	secret_hash_write(&hash, text);
	hash_show(tool, text);
	return STATUS_FINE;
}
