/**
 * secret_hash: a secret that can be verified, but not read: PBKDF2 with
 * HMAC-SHA256 (RFC 8018), by OpenSSL.
 *
 *   pbkdf2-sha256:2000:<32 hex digits of salt>:<64 hex digits of hash>
 *
 * A worker serves no other client while it verifies a secret: 2,000 rounds take
 * about a millisecond.  No number of rounds helps a secret that can be guessed,
 * and a token of 128 random bits needs none.
 */
#ifndef BASE_SECRET_HASH_H
#define BASE_SECRET_HASH_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

#define SECRET_HASH_ROUNDS     2000 /* of new ones */
#define SECRET_HASH_ROUNDS_MAX 20000
#define SECRET_HASH_SALT_LEN   16
#define SECRET_HASH_LEN        32

/** Longest text of one, with its NUL. */
#define SECRET_HASH_TEXT_SIZE 128

struct secret_hash {
	int rounds;
	unsigned char salt[SECRET_HASH_SALT_LEN];
	unsigned char hash[SECRET_HASH_LEN];
};

/** Hash a secret, with a new random salt.  Return 0, or -1 (OpenSSL failed). */
int secret_hash_make(
    struct secret_hash *hash, const char *secret, size_t len) MUST_USE;

/** Whether it is that secret, in a time that depends on ${rounds} alone, which
 * is at least the hash's own. */
bool secret_hash_is(
    const struct secret_hash *hash, const char *secret, size_t len, int rounds);

/** Read its text.  Return 0, or -1: it is none. */
int secret_hash_read(struct secret_hash *hash, const char *text) MUST_USE;

/** Write its text. */
void secret_hash_write(
    const struct secret_hash *hash, char to[SECRET_HASH_TEXT_SIZE]);

/** Write two hex digits for each of ${len} bytes, and a NUL. */
void secret_write_hex(char *to, const unsigned char *bytes, size_t len);

/** SHA-256 of ${len} bytes, to know them again. */
void secret_digest(
    unsigned char to[SECRET_HASH_LEN], const char *bytes, size_t len);

/** Whether two of these are the same, in a time that does not depend on it. */
bool secret_digest_is(const unsigned char a[SECRET_HASH_LEN],
    const unsigned char b[SECRET_HASH_LEN]);

#endif
