/**
 * daemon: the process while it runs: threads, doors, signals, readiness, drain.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "config.h"
#include "limit/rules.h"

/** Serve until told to stop, with ${rules} in force at the start; without, only
 * distribute limits.  Takes over both.  Return the exit status. */
int daemon_run(struct config *config, struct rules *rules);

#endif
