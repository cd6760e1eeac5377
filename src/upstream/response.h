/**
 * response: a response that is stored.  It never changes, and is counted: any
 * thread may use one that it holds.
 */
#ifndef UPSTREAM_RESPONSE_H
#define UPSTREAM_RESPONSE_H

#include "base/attr.h"
#include "base/buf.h"
#include "upstream/freshness.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** One block of memory: the struct, then the fields, the body, and what selects
 * it. */
struct stored_response {
	_Atomic unsigned refs;
	int status; /* 200... */
	struct freshness freshness;

	/* those that may be stored, to be sent as they are; without
	 * Content-Length and Age, which the sender adds */
	struct headers fields;
	struct part body;
	struct part selecting; /* vary_select(); none: for every request */
	size_t bytes;          /* of memory, all of it */
};

/** Hold it. */
struct stored_response *response_ref(struct stored_response *response);

/** Release it; NULL: no-op. */
void response_unref(struct stored_response *response);

/** Bytes of all responses that are in no cache, but still in use. */
int64_t responses_loose(void);

/** A cache counts it from now on; and no longer. */
void response_enter(const struct stored_response *response);
void response_leave(const struct stored_response *response);

/** One that is being received; all zero at first. */
struct response_builder {
	struct buf head, selecting, body;
	size_t most; /* bytes of all of them */
	int status;
	struct freshness freshness;
	bool failed; /* too long, or out of memory: it is not stored */
};

/** Start it, if freshness_of() says that it may be stored.  It holds at most
 * ${most} bytes.  ${request} are the client's fields. */
void response_begin(struct response_builder *builder,
    const struct freshness *freshness, const struct received *received,
    struct headers request, size_t most);

/** Append bytes of the body; does nothing once it failed. */
void response_add(
    struct response_builder *builder, const char *bytes, size_t len);

/** The body is whole: make the response, and free the builder.  NULL: it
 * failed.  The caller holds it. */
struct stored_response *response_finish(
    struct response_builder *builder) MUST_USE;

/** Forget it; also if all zero. */
void response_abandon(struct response_builder *builder);

/** The upstream says 304: append to ${fields} those of ${stored}, with the ones
 * of ${update} in place of those of the same name (RFC 9111, section 3.2).
 * Return 0, or -1 (out of memory). */
int response_merge(struct buf *fields, const struct stored_response *stored,
    struct headers update) MUST_USE;

/** A copy of ${stored} with the merged ${fields}, and what freshness_of() makes
 * of them; NULL: out of memory.  The caller holds it. */
struct stored_response *response_updated(const struct stored_response *stored,
    struct headers fields, const struct freshness *freshness) MUST_USE;

/** The same, of given parts. */
struct stored_response *response_new(int status,
    const struct freshness *freshness, struct headers fields,
    struct part selecting, struct part body) MUST_USE;

#endif
