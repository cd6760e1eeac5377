/**
 * explain: what EXPLAIN says, as JSON.
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "base/attr.h"
#include "cli/json.h"
#include "cli/tool.h"

/** Ask about the key that is the tool's first word, and write the members of
 * the explanation.  Return STATUS_FINE, or STATUS_ERROR: the error was printed.
 */
int explain_write_members(struct json *json, struct tool *tool) MUST_USE;

#endif
