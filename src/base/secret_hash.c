#include "base/secret_hash.h"

#include "base/num.h"
#include "base/random.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "pbkdf2-sha256:"

static int
secret_hash_derive(const struct secret_hash *hash, const char *secret,
    size_t len, int rounds, unsigned char to[SECRET_HASH_LEN])
{
	return PKCS5_PBKDF2_HMAC(secret, (int)len, hash->salt,
		   SECRET_HASH_SALT_LEN, rounds, EVP_sha256(), SECRET_HASH_LEN,
		   to) == 1
		   ? 0
		   : -1;
}

int
secret_hash_make(struct secret_hash *hash, const char *secret, size_t len)
{
	hash->rounds = SECRET_HASH_ROUNDS;
	random_fill(hash->salt, sizeof(hash->salt));
	return secret_hash_derive(hash, secret, len, hash->rounds, hash->hash);
}

/* The rounds that the hash does not need are spent on nothing. */
bool
secret_hash_is(
    const struct secret_hash *hash, const char *secret, size_t len, int rounds)
{
	unsigned char derived[SECRET_HASH_LEN], spent[SECRET_HASH_LEN];
	bool is =
	    secret_hash_derive(hash, secret, len, hash->rounds, derived) == 0 &&
	    secret_digest_is(derived, hash->hash);

	if (rounds > hash->rounds && secret_hash_derive(hash, secret, len,
					 rounds - hash->rounds, spent) == -1)
		is = false;
	OPENSSL_cleanse(derived, sizeof(derived));
	return is;
}

/* Read ${len} bytes from twice as many digits.  Return 0 or -1. */
static int
secret_hash_read_hex(const char *text, unsigned char *to, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = num_hex(text[2 * i]);
		int low = high == -1 ? -1 : num_hex(text[2 * i + 1]);

		if (low == -1)
			return -1;
		to[i] = (unsigned char)(16 * high + low);
	}
	return 0;
}

int
secret_hash_read(struct secret_hash *hash, const char *text)
{
	const char *rounds = text + strlen(PREFIX), *salt, *end;
	int64_t number;

	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
		return -1;
	salt = strchr(rounds, ':');
	if (!salt || num_read_int(rounds, (size_t)(salt - rounds), 1,
			 SECRET_HASH_ROUNDS_MAX, &number) == -1)
		return -1;
	hash->rounds = (int)number;
	end = ++salt + 2 * SECRET_HASH_SALT_LEN;
	return strlen(salt) ==
			   2 * (SECRET_HASH_SALT_LEN + SECRET_HASH_LEN) + 1 &&
		       *end == ':' &&
		       secret_hash_read_hex(
			   salt, hash->salt, sizeof(hash->salt)) == 0 &&
		       secret_hash_read_hex(
			   end + 1, hash->hash, sizeof(hash->hash)) == 0
		   ? 0
		   : -1;
}

void
secret_write_hex(char *to, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(to + 2 * i, "%02x", bytes[i]);
}

void
secret_hash_write(
    const struct secret_hash *hash, char to[SECRET_HASH_TEXT_SIZE])
{
	char salt[2 * SECRET_HASH_SALT_LEN + 1];
	char text[2 * SECRET_HASH_LEN + 1];

	secret_write_hex(salt, hash->salt, sizeof(hash->salt));
	secret_write_hex(text, hash->hash, sizeof(hash->hash));
	snprintf(to, SECRET_HASH_TEXT_SIZE, PREFIX "%d:%s:%s", hash->rounds,
	    salt, text);
}

/* A digest of zeros, if OpenSSL fails, is that of no bytes. */
void
secret_digest(unsigned char to[SECRET_HASH_LEN], const char *bytes, size_t len)
{
	memset(to, 0, SECRET_HASH_LEN);
	(void)EVP_Digest(bytes, len, to, NULL, EVP_sha256(), NULL);
}

bool
secret_digest_is(const unsigned char a[SECRET_HASH_LEN],
    const unsigned char b[SECRET_HASH_LEN])
{
	return CRYPTO_memcmp(a, b, SECRET_HASH_LEN) == 0;
}
