/**
 * transfer: one request of libcurl.
 */
#ifndef UPSTREAM_TRANSFER_H
#define UPSTREAM_TRANSFER_H

#include "base/attr.h"
#include "upstream/ask.h"
#include "upstream/curl_loop.h"
#include "upstream/upstream_headers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Called from within libcurl: end nothing there. */
struct transfer_events {
	/** The head has come; ${length} of the body, -1: not known.  Return 0,
	 * or -1: end it. */
	int (*head)(void *arg, int64_t length);

	/** Some of the body: 1; 0: it is to come again after transfer_go_on();
	 * -1: end it. */
	int (*body)(void *arg, const char *bytes, size_t len);
};

/** What to send; borrowed while it is opened. */
struct transfer_order {
	const struct ask *ask;
	const char *target;                   /* "/PATH?QUERY" */
	const struct stored_response *stored; /* ask whether it has changed;
					       * or NULL */
	const struct transfer_events *events;
	void *arg; /* the private of its handle */
};

/** A field of its flight; all zero: closed. */
struct transfer {
	CURL *easy;
	struct curl_slist *fields;
	const struct upstream *upstream;
	const struct transfer_events *events;
	void *arg;
	struct upstream_head head;
	int64_t sent_us;   /* when it went out */
	bool is_forbidden; /* the name has an address that it may not have */
	bool is_out;       /* it was sent, or is about to be */
	bool is_again;     /* libcurl was about to send it once more */
	char error[CURL_ERROR_SIZE];
};

/** How one ended. */
enum transfer_end {
	TRANSFER_FINE,
	TRANSFER_LOST, /* nothing of a response came */
	TRANSFER_BAD,  /* the response is malformed, and the client has none */
	TRANSFER_LATE,
	TRANSFER_CUT, /* in the middle of the body */
};

/** Start it.  Return 0, or -1 (out of memory); close it in either case. */
int transfer_open(struct transfer *transfer, struct curl_loop *curl,
    const struct transfer_order *order) MUST_USE;

/** Call body again with what did not go. */
void transfer_go_on(struct transfer *transfer);

/** How it ended with ${result}, and close it, but for its head. */
enum transfer_end transfer_end(
    const struct transfer *transfer, CURLcode result);

/** Log that it failed, if it did. */
void transfer_say(const struct transfer *transfer,
    const struct upstream *upstream, CURLcode result);

/** Stop it, and make it all zero. */
void transfer_close(struct transfer *transfer, struct curl_loop *curl);

#endif
