/**
 * login_tries: how many wrong secrets came from where, of late.
 *
 * A place (an address, a user of this machine) may send LOGIN_TRIES_MAX wrong
 * secrets at once, and then one in each LOGIN_TRY_US: a leaky bucket, so that a
 * new connection is no new start.  Owns: a table of fixed size, which any
 * thread may use.  Where more places send wrong secrets than it has room for,
 * it forgets those with the fewest.
 */
#ifndef PROTOCOL_LOGIN_TRIES_H
#define PROTOCOL_LOGIN_TRIES_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

#define LOGIN_TRIES_MAX 10
#define LOGIN_TRY_US    INT64_C(1000000)

struct login_tries;

/** A table without any, for login_tries_free(); or NULL: out of memory. */
struct login_tries *login_tries_new(void) MUST_USE;

/** NULL: no-op. */
void login_tries_free(struct login_tries *tries);

/** Whether a secret from ${place} may be looked at now. */
bool login_tries_may(
    struct login_tries *tries, const char *place, int64_t now_us);

/** A wrong one came from there. */
void login_tries_note(
    struct login_tries *tries, const char *place, int64_t now_us);

#endif
