/**
 * connect_check: tries out the servers that the settings name, as the daemon
 * would use them (redis/server_check.h).
 */
#ifndef DRIPGATED_CONNECT_CHECK_H
#define DRIPGATED_CONNECT_CHECK_H

#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>

/** Log each thing that is wrong in a line of its own; print what was found of
 * each server where nothing is.  Return whether nothing is. */
bool connect_check(const struct config *config) MUST_USE;

#endif
