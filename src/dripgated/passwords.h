/**
 * passwords: reads the files with passwords again once a server has refused
 * one, on a thread of its own, since a file system may hang.
 */
#ifndef DRIPGATED_PASSWORDS_H
#define DRIPGATED_PASSWORDS_H

#include "base/attr.h"
#include "config/config.h"
#include "net/loop.h"

#include <stdbool.h>

struct passwords;

/** ${config} is borrowed.  NULL with errno. */
struct passwords *passwords_new(
    struct loop *loop, const struct config *config) MUST_USE;

/** Look whether one was refused, and if so start reading. */
void passwords_tick(struct passwords *passwords);

/** Free it; NULL: no-op.  Return false if it still reads: then it stays, with
 * the config. */
bool passwords_free(struct passwords *passwords);

#endif
