/**
 * login: the user of dripgated that a command is (--user).
 */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include "base/attr.h"
#include "cli/tool.h"

#include <stdbool.h>
#include <stddef.h>

/** Make the line that logs in, to be freed with login_free(); NULL if there is
 * no --user.  Return 0, or -1: the error was printed. */
int login_make(const struct tool *tool, char **login) MUST_USE;

/** Whether a line can carry it behind AUTH: printable ASCII without blanks. */
bool login_is_word(const char *bytes, size_t len);

/** Wipe and free it; NULL: no-op. */
void login_free(char *login);

#endif
