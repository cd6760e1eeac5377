/**
 * login: who a client is, and whether it may ask what it asks.
 *
 * Nothing here is of use without users (session->common->users).  A client is
 * who its certificate or its uid says, or else the user default with nopass,
 * until it logs in.  After a wrong secret, nothing is read from it for a
 * second or two; after many from its address (login_tries.h), its secrets are
 * not looked at.  When users are reloaded, a client stays who it is if its
 * secret did not change.
 */
#ifndef PROTOCOL_LOGIN_H
#define PROTOCOL_LOGIN_H

#include "base/attr.h"
#include "protocol/errors.h"
#include "protocol/request.h"
#include "protocol/session.h"

#include <stdbool.h>

/** Whether login_introduce() is due. */
static inline bool
login_is_new(const struct session *session)
{
	return session->common->users && !session->login.users;
}

/** Before the first request: ${uid}, or NULL, is the peer's on a Unix socket;
 * ${cert}, or "", the name in its certificate. */
void login_introduce(
    struct session *session, const uid_t *uid, const char *cert);

/** Log in; ${name} NULL: as the default user.  ERROR_NONE; or
 * ERROR_NOUSERS, ERROR_WRONGPASS, ERROR_SLOWDOWN, and the client stays who it
 * was. */
enum protocol_error login_with_secret(struct session *session,
    const struct request_word *name,
    const struct request_word *secret) MUST_USE;

/** The same for one request, by the value of its header Authorization: Basic,
 * or Bearer with NAME.SECRET or the default user's secret. */
enum protocol_error login_with_header(
    struct session *session, const char *value, size_t len) MUST_USE;

/** The client is who it was at first. */
void login_forget(struct session *session);

/** Whether the client may ask ${verb} at all: ERROR_NONE, ERROR_NOAUTH or
 * ERROR_NOPERM, which is counted. */
enum protocol_error login_check_verb(
    struct session *session, enum verb verb) MUST_USE;

/** Whether it may still have more of what it was allowed to ask: its user may
 * have lost that right.  For verbs that are not open to everyone. */
bool login_may_go_on(struct session *session, enum verb verb);

/** Whether it may make the request. */
enum protocol_error login_check(
    struct session *session, const struct request *request) MUST_USE;

#endif
