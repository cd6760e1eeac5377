/**
 * resp_inline: commands of RESP that are lines: "HELLO 3\r\n".
 *
 * Redis takes any command in this form. dripgated takes only those with which
 * clients introduce themselves or check that the server is there: other lines
 * do not come from a client of Redis.  There is no quoting.
 */
#ifndef PROTOCOL_RESP_RESP_INLINE_H
#define PROTOCOL_RESP_RESP_INLINE_H

#include "protocol/resp/resp.h"

#include <stddef.h>

/** Longest line, with its end. */
#define RESP_INLINE_MAX 1024

/** Whether a client whose first ${len} bytes, at least one, are these speaks
 * RESP, by lines.  RESP_COMMAND: it does; RESP_BAD: it does not; RESP_MORE: its
 * next bytes will show it.  PING shows nothing: it is a verb of the line
 * protocol too.  AUTH is one as well, and of RESP if its line ends with CR LF,
 * as health checks of Redis send it. */
enum resp_result resp_inline_detect(const char *bytes, size_t len);

/** Read a line at the start of ${len} bytes, at least one, into ${reader}, as
 * if it were an array.  RESP_BAD: there is no such command. */
enum resp_result resp_inline_read(
    struct resp_reader *reader, const char *bytes, size_t len);

#endif
