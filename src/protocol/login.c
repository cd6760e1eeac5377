/*
 * Logs clients in, and checks what they ask.  Invariant: login->user is of
 * login->users, which the session holds a reference to.  The heart:
 * login_renew() and login_check().
 */
#include "protocol/login.h"

#include "base/clock.h"
#include "gate/gate.h"
#include "limit/routes.h"
#include "protocol/login_tries.h"

#include <stdio.h>

#include <string.h>
#include <strings.h>

/* Looks at time-outs, a second apart, after a wrong secret. */
#define LOGIN_PAUSE 2

/* Most bytes of "NAME:SECRET" in Basic. */
#define BASIC_MAX 1024

static const struct user *
login_find_initial(const struct login *login)
{
	const struct user *user = users_find_cert(login->users, login->cert);

	if (!user && login->has_uid)
		user = users_find_uid(login->users, login->uid);
	return user ? user : users_anonymous(login->users);
}

/* Use the worker's users from now on.  A client that came from a worker that
 * had newer ones keeps those. */
static void
login_renew(struct session *session)
{
	struct login *login = &session->login;
	struct users *old = login->users, *new = session->common->users;
	const struct user *user = login->user;
	bool is_initial = user == login->initial;

	if (old == new || (old && old->generation > new->generation))
		return;
	login->users = users_ref(new);
	login->initial = login_find_initial(login);
	login->remembered = users_renew(new, login->remembered);
	login->user = is_initial ? login->initial : users_renew(new, user);
	users_unref(old);
}

void
login_introduce(struct session *session, const uid_t *uid, const char *cert)
{
	struct login *login = &session->login;

	login->has_uid = uid != NULL;
	login->uid = uid ? *uid : 0;
	strncpy(login->cert, cert, USER_CERT_MAX);
	login_renew(session);
}

void
login_forget(struct session *session)
{
	struct login *login = &session->login;

	if (!session->common->users)
		return;
	login_renew(session);
	login->user = login->initial;
	login->by_secret = false;
}

/* Where a client is: its address, of IPv6 its network; or who it is here. */
static void
login_place(const struct session *session, char to[ADDRESS_TEXT_MAX])
{
	if (session->peer.kind == ADDRESS_IP)
		address_write_64(to, &session->peer);
	else if (session->login.has_uid)
		snprintf(to, ADDRESS_TEXT_MAX, "a Unix socket (uid %lu)",
		    (unsigned long)session->login.uid);
	else
		snprintf(to, ADDRESS_TEXT_MAX, "an unknown address");
}

/* Whether its secret may be looked at; if not, it is slowed down. */
static bool
login_may_try(struct session *session)
{
	struct session_common *common = session->common;
	char from[ADDRESS_TEXT_MAX];

	login_place(session, from);
	if (!common->tries || login_tries_may(common->tries, from, clock_us()))
		return true;
	session->login.pause = LOGIN_PAUSE;
	if (common->gate)
		counter_add(&common->gate->counters->refused_logins, 1);
	log_limited(&common->login_limiter, LOG_LEVEL_WARNING,
	    "logins from %s are refused: too many wrong secrets came from "
	    "there",
	    from);
	return false;
}

/* A wrong secret: count it, say so now and then, and slow the client down. */
static void
login_note_wrong(struct session *session, const char *name, size_t len)
{
	struct session_common *common = session->common;
	char shown[80], from[ADDRESS_TEXT_MAX];

	session->login.pause = LOGIN_PAUSE;
	login_place(session, from);
	if (common->gate)
		counter_add(&common->gate->counters->wrong_secrets, 1);
	if (common->tries)
		login_tries_note(common->tries, from, clock_us());
	log_limited(&common->login_limiter, LOG_LEVEL_WARNING,
	    "a client at %s could not log in as %s: no such user, or a wrong "
	    "secret",
	    from, log_escape(shown, sizeof(shown), name, len));
}

/* Find the user that the name, NULL for the default user's, and the secret are
 * of. */
static enum protocol_error
login_find(struct session *session, const struct request_word *name,
    const struct request_word *secret, const struct user **user)
{
	static const struct request_word nameless = {
	    USER_DEFAULT, sizeof(USER_DEFAULT) - 1};

	*user = NULL;
	if (!login_may_try(session))
		return ERROR_SLOWDOWN;
	if (!name)
		name = &nameless;
	*user = users_log_in(session->login.users, name->bytes, name->len,
	    secret->bytes, secret->len);
	if (*user)
		return ERROR_NONE;
	login_note_wrong(session, name->bytes, name->len);
	return ERROR_WRONGPASS;
}

enum protocol_error
login_with_secret(struct session *session, const struct request_word *name,
    const struct request_word *secret)
{
	struct login *login = &session->login;
	const struct user *user;
	enum protocol_error error;

	if (!session->common->users)
		return ERROR_NOUSERS;
	login_renew(session);
	error = login_find(session, name, secret, &user);
	if (error)
		return error;
	login->user = user;
	login->by_secret = true;
	return ERROR_NONE;
}

/*
 * The header Authorization.
 */

static int
login_base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decode Base64.  Return the length, or -1: it is none, or too long. */
static int
login_decode(const struct request_word *from, char to[BASIC_MAX])
{
	size_t len = from->len;
	unsigned bits = 0, count = 0;
	int out = 0;

	while (len > 0 && from->len - len < 2 && from->bytes[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int digit = login_base64_digit(from->bytes[i]);

		if (digit == -1 || out == BASIC_MAX)
			return -1;
		bits = bits << 6 | (unsigned)digit;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		to[out++] = (char)(bits >> count & 0xFF);
	}
	return out;
}

/* Divide ${from} at the first ${sign}.  Return whether there is one. */
static bool
login_divide(const struct request_word *from, char sign,
    struct request_word *name, struct request_word *secret)
{
	const char *at = memchr(from->bytes, sign, from->len);

	*secret = *from;
	if (!at)
		return false;
	*name = (struct request_word){from->bytes, (size_t)(at - from->bytes)};
	*secret = (struct request_word){
	    at + 1, from->len - (size_t)(at + 1 - from->bytes)};
	return true;
}

/* What follows a scheme, "Basic" or "Bearer"; its bytes are NULL: another. */
static struct request_word
login_credentials(const char *value, size_t len, const char *scheme)
{
	size_t at = strlen(scheme);
	struct request_word none = {0};

	if (len <= at || value[at] != ' ' ||
	    strncasecmp(value, scheme, at) != 0)
		return none;
	while (at < len && value[at] == ' ')
		at++;
	return (struct request_word){value + at, len - at};
}

static enum protocol_error
login_find_header(struct session *session, const char *value, size_t len)
{
	struct request_word basic = login_credentials(value, len, "Basic");
	struct request_word bearer = login_credentials(value, len, "Bearer");
	struct request_word name = {"", 0}, secret = {"", 0};
	enum protocol_error error;
	char room[BASIC_MAX];
	int decoded;
	bool has_name = true;

	if (basic.bytes) {
		decoded = login_decode(&basic, room);
		basic = (struct request_word){
		    room, decoded > 0 ? (size_t)decoded : 0};
		(void)login_divide(&basic, ':', &name, &secret);
	} else if (bearer.bytes) {
		has_name = login_divide(&bearer, '.', &name, &secret);
	}
	error = login_find(
	    session, has_name ? &name : NULL, &secret, &session->login.user);
	explicit_bzero(room, sizeof(room));
	return error;
}

enum protocol_error
login_with_header(struct session *session, const char *value, size_t len)
{
	struct login *login = &session->login;
	unsigned char digest[SECRET_HASH_LEN];
	enum protocol_error error;

	login_renew(session);
	login->by_secret = false;
	secret_digest(digest, value, len);
	if (login->remembered && secret_digest_is(digest, login->digest)) {
		login->user = login->remembered;
		return ERROR_NONE;
	}
	error = login_find_header(session, value, len);
	if (error)
		return error;
	login->remembered = login->user;
	memcpy(login->digest, digest, sizeof(digest));
	return ERROR_NONE;
}

/*
 * Checks.
 */

static enum protocol_error
login_refuse(struct session *session)
{
	if (session->common->gate)
		counter_add(&session->common->gate->counters->forbidden, 1);
	return session->login.user ? ERROR_NOPERM : ERROR_NOAUTH;
}

enum protocol_error
login_check_verb(struct session *session, enum verb verb)
{
	if (users_is_open(verb))
		return ERROR_NONE;
	return session->login.user && user_may_ask(session->login.user, verb)
		   ? ERROR_NONE
		   : login_refuse(session);
}

bool
login_may_go_on(struct session *session, enum verb verb)
{
	if (!session->common->users)
		return true;
	login_renew(session);
	return session->login.user && user_may_ask(session->login.user, verb);
}

static bool
login_may_keys(const struct user *user, const struct request *request)
{
	const struct verb_row *row = &verb_rows[request->verb];

	if (verb_has_key(row))
		return user_may_key(user, request->key, request->key_len);
	for (unsigned i = 0; i < request->key_count; i++)
		if (!user_may_key(
			user, request->keys[i].bytes, request->keys[i].len))
			return false;
	return true;
}

static bool
login_may_route(const struct user *user, const struct routed_request *routed)
{
	for (unsigned i = 0; i < routed->count; i++)
		if (!user_may_key(
			user, routed->keys[i].bytes, routed->keys[i].len))
			return false;
	return true;
}

enum protocol_error
login_check(struct session *session, const struct request *request)
{
	const struct login *login = &session->login;
	enum protocol_error error;

	login_renew(session);
	error = login_check_verb(session, request->verb);
	if (error || users_is_open(request->verb))
		return error;
	if (!login_may_keys(login->user, request))
		return login_refuse(session);
	if (request->routed && !login_may_route(login->user, request->routed))
		return login_refuse(session);
	return ERROR_NONE;
}
