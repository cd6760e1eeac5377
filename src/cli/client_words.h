/**
 * client_words: what the words of a command must be, so that they make the
 * request that they seem to, and no other one.
 *
 * Each call returns 0, or -1: the error was printed.
 */
#ifndef CLI_CLIENT_WORDS_H
#define CLI_CLIENT_WORDS_H

#include "base/attr.h"
#include "cli/tool.h"

/** Keys, each with an amount behind it, or not; and the id of --id, if any. */
int client_words_check(const struct tool *tool) MUST_USE;

/** A key, the id of a lease, and perhaps an amount. */
int client_words_check_lease(const struct tool *tool) MUST_USE;

#endif
