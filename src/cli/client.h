/**
 * client: a request to dripgated whose response has many lines.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/attr.h"
#include "cli/json.h"
#include "cli/tool.h"

/** Takes one line of a response. */
typedef void client_take_line(const char *line, void *arg);

/** Send ${request}, and call ${take} for each line of the response before END.
 * Return STATUS_FINE, or STATUS_ERROR: the error was printed. */
int client_lines(struct tool *tool, const char *request, client_take_line *take,
    void *arg) MUST_USE;

/** Show the line as it is: a client_take_line. */
void client_show_plain(const char *line, void *arg);

/** Writes the members of an object.  Returns STATUS_FINE, or STATUS_ERROR: the
 * error was printed. */
typedef int client_write_members(struct json *json, void *arg);

/** Show the object with these members, once it is whole.  Return as ${write}.
 */
int client_object(client_write_members *write, void *arg) MUST_USE;

/** Send ${request}, whose response is one line, which is copied to ${to}, of
 * ${size} bytes.  Return as above. */
int client_line(
    struct tool *tool, const char *request, char *to, size_t size) MUST_USE;

#endif
