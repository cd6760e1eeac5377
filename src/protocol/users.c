/*
 * A set of users: look-ups, and what each may ask.
 * Invariant: who does not log in costs as much as who does.
 * The heart: users_log_in() and user_may_ask().
 */
#include "protocol/users.h"

#include "limit/glob.h"

#include <stdlib.h>
#include <string.h>

struct users *
users_ref(struct users *users)
{
	users->refs++;
	return users;
}

void
users_unref(struct users *users)
{
	if (!users || --users->refs > 0)
		return;
	for (size_t i = 0; i < users->count; i++)
		free(users->items[i].keys);
	free(users->items);
	free(users);
}

const struct user *
users_find(const struct users *users, const char *name, size_t len)
{
	for (size_t i = 0; i < users->count; i++)
		if (strlen(users->items[i].name) == len &&
		    memcmp(users->items[i].name, name, len) == 0)
			return &users->items[i];
	return NULL;
}

const struct user *
users_find_cert(const struct users *users, const char *cert)
{
	for (size_t i = 0; i < users->count && *cert; i++)
		if (strcmp(users->items[i].cert, cert) == 0)
			return &users->items[i];
	return NULL;
}

const struct user *
users_find_uid(const struct users *users, uid_t uid)
{
	for (size_t i = 0; i < users->count; i++)
		if (users->items[i].has_uid && users->items[i].uid == uid)
			return &users->items[i];
	return NULL;
}

const struct user *
users_anonymous(const struct users *users)
{
	const struct user *user =
	    users_find(users, USER_DEFAULT, strlen(USER_DEFAULT));

	return user && user->nopass ? user : NULL;
}

const struct user *
users_log_in(const struct users *users, const char *name, size_t name_len,
    const char *secret, size_t secret_len)
{
	static const struct secret_hash none = {.rounds = 1};
	const struct user *user = users_find(users, name, name_len);
	bool has_secret = user && user->has_secret;
	bool is = secret_hash_is(has_secret ? &user->secret : &none, secret,
	    secret_len, users->rounds);

	return user && (user->nopass || (has_secret && is)) ? user : NULL;
}

const struct user *
users_renew(const struct users *users, const struct user *user)
{
	const struct user *renewed =
	    user ? users_find(users, user->name, strlen(user->name)) : NULL;

	if (!renewed || renewed->nopass)
		return renewed;
	return renewed->has_secret && user->has_secret &&
		       renewed->secret.rounds == user->secret.rounds &&
		       memcmp(renewed->secret.salt, user->secret.salt,
			   sizeof(user->secret.salt)) == 0 &&
		       secret_digest_is(renewed->secret.hash, user->secret.hash)
		   ? renewed
		   : NULL;
}

bool
users_is_open(enum verb verb)
{
	return verb == VERB_PING || verb == VERB_HELP || verb == VERB_QUIT ||
	       verb == VERB_AUTH;
}

bool
user_may_ask(const struct user *user, enum verb verb)
{
	return (user->verbs >> verb & 1) != 0;
}

bool
user_may_key(const struct user *user, const char *key, size_t len)
{
	const char *glob = user->keys;

	for (size_t i = 0; i < user->key_count; i++) {
		if (glob_matches(glob, key, len))
			return true;
		glob += strlen(glob) + 1;
	}
	return false;
}
