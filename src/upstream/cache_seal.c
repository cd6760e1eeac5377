/*
 * Job: seals texts, and opens them.
 * Invariant: a text that was changed, or is sealed about something else, is not
 * opened; without a key nothing is written as it is.
 * The heart: cache_seal_run().
 */
#include "upstream/cache_seal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct cache_seal {
	struct key_secrets *secrets;
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *context;
	unsigned version, count;
	struct key_derived keys[KEY_SECRETS_MAX];
};

void
cache_seal_free(struct cache_seal *seal)
{
	if (!seal)
		return;
	EVP_CIPHER_CTX_free(seal->context);
	EVP_CIPHER_free(seal->cipher);
	explicit_bzero(seal->keys, sizeof(seal->keys));
	free(seal);
}

struct cache_seal *
cache_seal_new(struct key_secrets *secrets)
{
	struct cache_seal *seal = calloc(1, sizeof(*seal));

	if (!seal)
		return NULL;
	seal->secrets = secrets;
	seal->cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
	seal->context = EVP_CIPHER_CTX_new();
	if (seal->cipher && seal->context)
		return seal;
	cache_seal_free(seal);
	return NULL;
}

/* Use the secrets as they are now. */
static void
cache_seal_renew(struct cache_seal *seal)
{
	if (seal->count == 0 ||
	    key_secrets_version(seal->secrets) != seal->version)
		seal->count = key_secrets_derive(
		    seal->secrets, "cache", seal->keys, &seal->version);
}

/* One text to be sealed, or opened. */
struct cache_seal_job {
	bool seals;
	struct part about, from;
	char *to, *tag;
};

/* Return whether it worked. */
static bool
cache_seal_run(struct cache_seal *seal, const struct key_derived *key,
    const struct cache_seal_job *job)
{
	EVP_CIPHER_CTX *context = seal->context;
	const bool seals = job->seals;
	int len;

	if (EVP_CIPHER_CTX_reset(context) != 1 ||
	    EVP_CipherInit_ex2(
		context, seal->cipher, key->bytes, NULL, seals, NULL) != 1)
		return false;
	if (!seals && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG,
			  CACHE_SEAL_LEN, job->tag) != 1)
		return false;
	return EVP_CipherUpdate(context, NULL, &len,
		   (const unsigned char *)job->about.bytes,
		   (int)job->about.len) == 1 &&
	       EVP_CipherUpdate(context, (unsigned char *)job->to, &len,
		   (const unsigned char *)job->from.bytes,
		   (int)job->from.len) == 1 &&
	       (size_t)len == job->from.len &&
	       (!seals || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG,
			      CACHE_SEAL_LEN, job->tag) == 1);
}

int
cache_seal_add(struct cache_seal *seal, struct part about, struct part text,
    struct buf *to)
{
	char *room;

	if (!seal)
		return buf_add(to, text.bytes, text.len);
	cache_seal_renew(seal);
	room = buf_reserve(to, text.len + CACHE_SEAL_LEN);
	if (!room || seal->count == 0 ||
	    !cache_seal_run(seal, &seal->keys[0],
		&(struct cache_seal_job){
		    true, about, text, room + CACHE_SEAL_LEN, room}))
		return -1;
	buf_commit(to, text.len + CACHE_SEAL_LEN);
	return 0;
}

int
cache_seal_open(struct cache_seal *seal, struct part about, struct part sealed,
    struct buf *to)
{
	char tag[CACHE_SEAL_LEN];
	struct cache_seal_job job;
	struct part text;
	char *room;

	if (!seal)
		return buf_add(to, sealed.bytes, sealed.len);
	if (sealed.len <= CACHE_SEAL_LEN)
		return -1;
	cache_seal_renew(seal);
	memcpy(tag, sealed.bytes, CACHE_SEAL_LEN);
	text = (struct part){
	    sealed.bytes + CACHE_SEAL_LEN, sealed.len - CACHE_SEAL_LEN};
	room = buf_reserve(to, text.len);
	job = (struct cache_seal_job){false, about, text, room, tag};
	for (unsigned i = 0; room && i < seal->count; i++)
		if (cache_seal_run(seal, &seal->keys[i], &job)) {
			buf_commit(to, text.len);
			return 0;
		}
	return -1;
}

int
cache_seal_name(
    struct cache_seal *seal, struct part text, char to[CACHE_SEAL_NAME_SIZE])
{
	unsigned char digest[SECRET_HASH_LEN];
	struct buf sealed = {0};
	int result =
	    cache_seal_add(seal, (struct part){"name", 4}, text, &sealed);

	if (result == 0) {
		secret_digest(digest, buf_data(&sealed), buf_len(&sealed));
		secret_write_hex(to, digest, sizeof(digest));
	}
	buf_free(&sealed);
	return result;
}
