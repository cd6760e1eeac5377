/**
 * cache_seal: hides what is stored of upstreams in Redis, with key_secrets:
 * AES-256-SIV (RFC 5297), by a key that is derived from a secret.  What is
 * sealed can be opened again, by that secret only; the same text is always
 * sealed the same, so that it can be a name.
 *
 * The first secret seals; what any of them sealed is opened.
 * Lives on one thread.
 */
#ifndef UPSTREAM_CACHE_SEAL_H
#define UPSTREAM_CACHE_SEAL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/secret_hash.h"
#include "store/redis/key_secrets.h"
#include "upstream/headers.h"

/** Bytes that a text gets longer by. */
#define CACHE_SEAL_LEN 16

struct cache_seal;

/** ${secrets} are borrowed, and may change.  NULL: out of memory. */
struct cache_seal *cache_seal_new(struct key_secrets *secrets) MUST_USE;

/** Free it; NULL: no-op. */
void cache_seal_free(struct cache_seal *seal);

/** Append ${text}, which is not empty, to ${to}, sealed; with ${seal} NULL as
 * it is.  What is sealed ${about} something, which is not empty, is opened only
 * with the same.  What is sealed or opened is far below 2 GiB, as are responses
 * and replies.  Return 0, or -1: out of memory, or there is no AES. */
int cache_seal_add(struct cache_seal *seal, struct part about, struct part text,
    struct buf *to) MUST_USE;

/** Append what ${sealed} is to ${to}.  Return 0, or -1: no secret opens it, or
 * out of memory. */
int cache_seal_open(struct cache_seal *seal, struct part about,
    struct part sealed, struct buf *to) MUST_USE;

/** Write a digest of ${text}, which is not empty, to ${to}: only who has the
 * secret can tell it; with ${seal} NULL, anyone who guesses the text.  Return
 * 0, or -1: out of memory, or there is no AES. */
#define CACHE_SEAL_NAME_SIZE (2 * SECRET_HASH_LEN + 1)
int cache_seal_name(struct cache_seal *seal, struct part text,
    char to[CACHE_SEAL_NAME_SIZE]) MUST_USE;

#endif
