/**
 * explain: what EXPLAIN says, as JSON.
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "base/attr.h"
#include "cli/json.h"
#include "cli/tool.h"

/** A client_write_members of a tool: ask about the key that is its first word.
 */
int explain_write_members(struct json *json, void *tool) MUST_USE;

#endif
