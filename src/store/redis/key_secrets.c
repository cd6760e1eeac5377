/*
 * Reads secrets, and makes names from keys.  A maker holds one MAC for each
 * secret, which keeps the prepared key from one name to the next.
 * The heart is key_names_add().
 */
#include "store/redis/key_secrets.h"

#include "base/file.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_SIZE 32 /* of SHA-256 */

struct key_secret {
	size_t len;
	char bytes[KEY_SECRET_MAX];
};

struct key_secrets {
	pthread_mutex_t lock;
	unsigned count;
	struct key_secret all[KEY_SECRETS_MAX];
	_Atomic unsigned version; /* another one after each change */
	bool hides_limits;        /* never changes */
};

struct key_names {
	struct key_secrets *secrets;
	unsigned version, count;
	EVP_MAC_CTX *macs[KEY_SECRETS_MAX];
};

/*
 * Reading.
 */

/* Why a line is no secret, or NULL. */
static const char *
key_secrets_judge(
    const struct key_secrets *secrets, const char *line, size_t len)
{
	if (len < KEY_SECRET_MIN)
		return "a secret has at least 32 bytes";
	if (len > KEY_SECRET_MAX)
		return "a secret has at most 1024 bytes";
	if (secrets->count == KEY_SECRETS_MAX)
		return "there are at most 8 secrets";
	for (unsigned i = 0; i < secrets->count; i++)
		if (secrets->all[i].len == len &&
		    memcmp(secrets->all[i].bytes, line, len) == 0)
			return "this secret is there twice";
	return NULL;
}

static void
key_secrets_parse(struct key_secrets *secrets, const char *path,
    const char *text, size_t size, struct reasons *reasons)
{
	const char *end = text + size;

	for (unsigned number = 1; text < end; number++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((stop ? stop : end) - text);
		size_t shown = len > 0 && text[len - 1] == '\r' ? len - 1 : len;
		const char *why = key_secrets_judge(secrets, text, shown);

		if (why) {
			reasons_add(reasons, "%s:%u: %s", path, number, why);
		} else {
			struct key_secret *one = &secrets->all[secrets->count];

			memcpy(one->bytes, text, shown);
			one->len = shown;
			secrets->count++;
		}
		text += len + 1;
	}
	if (size == 0)
		reasons_add(reasons, "%s:1: has no secret", path);
}

struct key_secrets *
key_secrets_read(const char *path, bool hides_limits, struct reasons *reasons)
{
	struct key_secrets *secrets = calloc(1, sizeof(*secrets));
	size_t size, before = reasons->count;
	char *text = file_read(path, &size);

	if (!text)
		reasons_add(reasons, "%s: %s", path, file_error(errno));
	else if (!secrets)
		reasons_add(reasons, "out of memory");
	else
		key_secrets_parse(secrets, path, text, size, reasons);
	if (text)
		explicit_bzero(text, size);
	free(text);
	if (secrets) {
		pthread_mutex_init(&secrets->lock, NULL);
		secrets->hides_limits = hides_limits;
	}
	if (reasons->count == before)
		return secrets;
	key_secrets_free(secrets);
	return NULL;
}

void
key_secrets_free(struct key_secrets *secrets)
{
	if (!secrets)
		return;
	pthread_mutex_destroy(&secrets->lock);
	explicit_bzero(secrets->all, sizeof(secrets->all));
	free(secrets);
}

void
key_secrets_take(struct key_secrets *secrets, struct key_secrets *from)
{
	pthread_mutex_lock(&secrets->lock);
	if (secrets->count != from->count ||
	    memcmp(secrets->all, from->all, sizeof(from->all)) != 0) {
		secrets->count = from->count;
		memcpy(secrets->all, from->all, sizeof(from->all));
		secrets->version++;
	}
	pthread_mutex_unlock(&secrets->lock);
}

/*
 * Other keys.
 */

unsigned
key_secrets_version(const struct key_secrets *secrets)
{
	return atomic_load_explicit(&secrets->version, memory_order_relaxed);
}

/* HMAC-SHA256 of the purpose with a NUL, and of a byte that is another one for
 * each half: no name of a field or limit begins like that, as no limit is named
 * with a blank. */
static bool
key_secrets_derive_one(const struct key_secret *secret, const char *purpose,
    struct key_derived *to)
{
	unsigned char text[64];
	unsigned len;
	int size =
	    snprintf((char *)text, sizeof(text) - 1, "key of %s", purpose);

	for (unsigned half = 0; half < 2; half++) {
		text[size + 1] = (unsigned char)half;
		if (!HMAC(EVP_sha256(), secret->bytes, (int)secret->len, text,
			(size_t)size + 2, to->bytes + half * HASH_SIZE, &len))
			return false;
	}
	return true;
}

unsigned
key_secrets_derive(struct key_secrets *secrets, const char *purpose,
    struct key_derived to[KEY_SECRETS_MAX], unsigned *version)
{
	unsigned count = 0;

	pthread_mutex_lock(&secrets->lock);
	*version = secrets->version;
	while (
	    count < secrets->count &&
	    key_secrets_derive_one(&secrets->all[count], purpose, &to[count]))
		count++;
	if (count < secrets->count)
		count = 0;
	pthread_mutex_unlock(&secrets->lock);
	return count;
}

/*
 * Names.
 */

static EVP_MAC_CTX *
key_names_prepare(const struct key_secret *secret)
{
	OSSL_PARAM hash[] = {OSSL_PARAM_construct_utf8_string(
				 OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

	EVP_MAC_free(hmac); /* the context keeps it */
	if (mac && EVP_MAC_init(mac, (const unsigned char *)secret->bytes,
		       secret->len, hash) == 1)
		return mac;
	EVP_MAC_CTX_free(mac);
	return NULL;
}

static void
key_names_clear(struct key_names *names)
{
	for (unsigned i = 0; i < names->count; i++)
		EVP_MAC_CTX_free(names->macs[i]);
	names->count = 0;
}

/* Prepare all secrets.  The caller has locked them. */
static int
key_names_open(struct key_names *names)
{
	const struct key_secrets *secrets = names->secrets;

	names->version = secrets->version;
	while (names->count < secrets->count) {
		EVP_MAC_CTX *mac =
		    key_names_prepare(&secrets->all[names->count]);

		if (!mac)
			return -1;
		names->macs[names->count++] = mac;
	}
	return 0;
}

struct key_names *
key_names_new(struct key_secrets *secrets)
{
	struct key_names *names = calloc(1, sizeof(*names));
	int result;

	if (!names)
		return NULL;
	names->secrets = secrets;
	pthread_mutex_lock(&secrets->lock);
	result = key_names_open(names);
	pthread_mutex_unlock(&secrets->lock);
	if (result == 0)
		return names;
	key_names_free(names);
	return NULL;
}

void
key_names_free(struct key_names *names)
{
	if (!names)
		return;
	key_names_clear(names);
	free(names);
}

unsigned
key_names_renew(struct key_names *names)
{
	struct key_names *renewed;

	if (key_secrets_version(names->secrets) == names->version)
		return names->version;
	renewed = key_names_new(names->secrets);
	if (renewed) { /* else out of memory: the former ones, for now */
		key_names_clear(names);
		*names = *renewed;
		free(renewed);
	}
	return names->version;
}

unsigned
key_names_version(const struct key_names *names)
{
	return names->version;
}

unsigned
key_names_count(const struct key_names *names)
{
	return names->count;
}

bool
key_names_hide_limits(const struct key_names *names)
{
	return names->secrets->hides_limits;
}

/* 16 bytes as 22 characters of base64url, without padding. */
static void
key_names_encode(const unsigned char *hash, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < 16; i++) {
		bits = bits << 8 | hash[i];
		for (held += 8; held >= 6; held -= 6)
			*to++ = digits[bits >> (held - 6) & 63];
	}
	*to = digits[bits << (6 - held) & 63];
}

int
key_names_add(struct key_names *names, const char *limit, const char *key,
    size_t len, struct buf *to)
{
	unsigned char text[LIMIT_NAME_MAX + 1 + KEY_NAMED_MAX], hash[HASH_SIZE];
	size_t head = strlen(limit) + 1, size = 0;
	char *room = buf_reserve(to, (size_t)names->count * KEY_NAME_LEN);

	if (!room || head + len > sizeof(text))
		return -1;
	memcpy(text, limit, head);
	memcpy(text + head, key, len);
	for (unsigned i = 0; i < names->count; i++) {
		EVP_MAC_CTX *mac = names->macs[i];

		if (EVP_MAC_init(mac, NULL, 0, NULL) != 1 ||
		    EVP_MAC_update(mac, text, head + len) != 1 ||
		    EVP_MAC_final(mac, hash, &size, sizeof(hash)) != 1)
			return -1;
		key_names_encode(hash, room + (size_t)i * KEY_NAME_LEN);
	}
	buf_commit(to, (size_t)names->count * KEY_NAME_LEN);
	return 0;
}

/* The first of all names. */
static void
key_secrets_name(struct key_secrets *secrets, const struct limit *limit,
    const char *key, size_t len, char to[KEY_NAME_LEN + 1])
{
	struct key_names *names = key_names_new(secrets);
	struct buf all = {0};

	if (names && key_names_add(names, limit->name, key, len, &all) == 0) {
		memcpy(to, buf_data(&all), KEY_NAME_LEN);
		to[KEY_NAME_LEN] = '\0';
	} else {
		strcpy(to, "?");
	}
	buf_free(&all);
	key_names_free(names);
}

void
key_secrets_show(struct key_secrets *secrets, const struct limit *limit,
    const struct key *key, char to[KEY_NAME_LEN + 1])
{
	key_secrets_name(secrets, limit, key->bytes, key->len, to);
}

const char *
key_secrets_limit_name(struct key_secrets *secrets, const struct limit *limit,
    char to[KEY_NAME_LEN + 1])
{
	if (!secrets || !secrets->hides_limits)
		return limit->name;
	key_secrets_name(secrets, limit, "", 0, to);
	return to;
}
