/**
 * daemon: the process while it runs: threads, listeners, signals, readiness,
 * drain.
 */
#ifndef DRIPGATED_DAEMON_H
#define DRIPGATED_DAEMON_H

#include "config/config.h"
#include "server/keeper.h"
#include "limit/rules.h"
#include "protocol/users.h"

/** Run until a signal says to stop, with ${rules} in force at the start; if
 * NULL, only distribute limits. ${users}, or NULL, say who may ask
 * what; ${keeper}, or NULL, keeps buckets.  Takes over all.  Return the exit
 * status. */
int daemon_run(struct config *config, struct rules *rules, struct users *users,
    struct keeper *keeper);

#endif
