/**
 * users: the file that [listen] users names: users, and what each may ask.
 *
 *   # name   ways to log in                 what it may ask
 *   web      secret=pbkdf2-sha256:2000:...  verbs=decide keys=ip:*,login:*
 *   ops      uid=1000 cert=ops.example      verbs=all keys=*
 *   default  nopass                         verbs=peek keys=public:*
 *
 * A set of users never changes, and is counted: any thread may use it.  The
 * user "default" with nopass is that of clients that have not logged in.  Knows
 * no sockets.
 */
#ifndef PROTOCOL_USERS_H
#define PROTOCOL_USERS_H

#include "base/attr.h"
#include "base/reasons.h"
#include "base/secret_hash.h"
#include "protocol/verbs.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define USER_NAME_MAX 64
#define USER_CERT_MAX 64 /* characters of a common name (RFC 5280) */

/** Who logs in without a name. */
#define USER_DEFAULT "default"

struct user {
	char name[USER_NAME_MAX + 1];
	unsigned line; /* where it was written */

	/* how to log in */
	bool has_secret;
	struct secret_hash secret;
	bool nopass;                  /* with any secret */
	char cert[USER_CERT_MAX + 1]; /* name in the certificate; "": none */
	bool has_uid;
	uid_t uid; /* of the peer, on a Unix socket */

	/* what it may ask */
	uint64_t verbs; /* 1 << enum verb, or'ed */
	char *keys;     /* globs, each with its NUL; NULL: none */
	size_t key_count;
};

struct users {
	_Atomic unsigned refs;
	unsigned generation; /* counts those that were in force */
	int rounds;          /* most of any secret; all cost as much */
	size_t count;
	struct user *items;
};

/** Read ${len} bytes of text; ${name} is the file's, for the reasons.  A
 * reference is the caller's; NULL with each mistake in ${reasons}. */
struct users *users_read(const char *name, const char *text, size_t len,
    struct reasons *reasons) MUST_USE;

/** The same of the file at ${path}. */
struct users *users_read_file(
    const char *path, struct reasons *reasons) MUST_USE;

/** Return it, with one more reference. */
struct users *users_ref(struct users *users);

/** Release a reference; NULL: no-op. */
void users_unref(struct users *users);

/** The user of that name, of the certificate, of the uid; NULL: there is
 * none. */
const struct user *users_find(
    const struct users *users, const char *name, size_t len);
const struct user *users_find_cert(const struct users *users, const char *cert);
const struct user *users_find_uid(const struct users *users, uid_t uid);

/** The user of clients that have not logged in; NULL: they have none. */
const struct user *users_anonymous(const struct users *users);

/** The user that this name and secret are of, or NULL.  Takes as long for
 * each, known or not. */
const struct user *users_log_in(const struct users *users, const char *name,
    size_t name_len, const char *secret, size_t secret_len);

/** The same user in a newer set, whose secret is the same; or NULL. */
const struct user *users_renew(
    const struct users *users, const struct user *user);

/** Whether anyone may ask it, user or not. */
bool users_is_open(enum verb verb);

/** Whether the user may ask it, with some key if it has one. */
bool user_may_ask(const struct user *user, enum verb verb);

/** Whether it may ask about the key. */
bool user_may_key(const struct user *user, const char *key, size_t len);

#endif
