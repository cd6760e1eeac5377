/**
 * key_secrets: names of fields in Redis that do not tell their keys, and names
 * of hashes that do not tell their limits.
 *
 * A field is named by HMAC-SHA256 of the limit's name, a zero byte, and the
 * key: the first 128 bits, in base64url.  The first secret makes the name that
 * a bucket is written under; the others make its older names, under which it is
 * still found.  If limits are hidden, their names are made the same way, with
 * no key; each name of a field is in the hash of the same secret.
 *
 * Owns: the secrets, which it wipes.  A set of them is shared: any thread may
 * use it, while another one changes it.  Each thread has makers of names of its
 * own, with the keys prepared.
 */
#ifndef STORE_REDIS_KEY_SECRETS_H
#define STORE_REDIS_KEY_SECRETS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/reasons.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>

/** Fewest and most bytes of a secret, and most secrets. */
#define KEY_SECRET_MIN  32
#define KEY_SECRET_MAX  1024
#define KEY_SECRETS_MAX 8

/** Characters of a name. */
#define KEY_NAME_LEN 22

/** Most bytes that are named. */
#define KEY_NAMED_MAX (KEY_MAX + 1 + ID_MAX)

struct key_secrets;

/** Read a file of secrets, one a line, which hide keys and, if ${hides_limits},
 * limits.  NULL: add to ${reasons} why. */
struct key_secrets *key_secrets_read(
    const char *path, bool hides_limits, struct reasons *reasons) MUST_USE;

/** Free them; NULL: no-op.  No maker of names is left. */
void key_secrets_free(struct key_secrets *secrets);

/** Change ${secrets} to those of ${from}. */
void key_secrets_take(struct key_secrets *secrets, struct key_secrets *from);

/** A number that is another one after a change; from any thread. */
unsigned key_secrets_version(const struct key_secrets *secrets);

/** A key for something else that is to be hidden, made of a secret. */
struct key_derived {
	unsigned char bytes[64];
};

/** Derive one of each secret for ${purpose}, and set ${version}.  Return how
 * many there are; 0: OpenSSL failed. */
unsigned key_secrets_derive(struct key_secrets *secrets, const char *purpose,
    struct key_derived to[KEY_SECRETS_MAX], unsigned *version) MUST_USE;

/** One thread's maker of names. */
struct key_names;

/** NULL: out of memory. */
struct key_names *key_names_new(struct key_secrets *secrets) MUST_USE;

/** Free it; NULL: no-op. */
void key_names_free(struct key_names *names);

/** Use the secrets as they are now, if they changed.  Return a number that is
 * another one after a change. */
unsigned key_names_renew(struct key_names *names);

/** That number, without a look at the secrets. */
unsigned key_names_version(const struct key_names *names);

/** How many names a field has: 1 or more. */
unsigned key_names_count(const struct key_names *names);

/** Whether limits have such names, too: as many. */
bool key_names_hide_limits(const struct key_names *names);

/** Append all names of a field, the one to write under first, KEY_NAME_LEN
 * characters each: those of a key in the buckets of the limit named ${limit};
 * without a key (${len} 0), those of the limit; without a limit (""), those of
 * KEY_NAMED_MAX bytes at most that are no key.  Return 0, or -1: out of memory.
 */
int key_names_add(struct key_names *names, const char *limit, const char *key,
    size_t len, struct buf *to) MUST_USE;

/** Write the first name to ${to}, as text, from any thread; or "?": out of
 * memory. */
void key_secrets_show(struct key_secrets *secrets, const struct limit *limit,
    const struct key *key, char to[KEY_NAME_LEN + 1]);

/** What the limit is called in Redis, from any thread: its own name, or, if
 * ${secrets}, which may be NULL, hide it, the first of the others, or "?": out
 * of memory.  That is written to ${to}. */
const char *key_secrets_limit_name(struct key_secrets *secrets,
    const struct limit *limit, char to[KEY_NAME_LEN + 1]);

#endif
