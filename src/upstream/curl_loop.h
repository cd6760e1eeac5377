/**
 * curl_loop: transfers of libcurl on a loop, many at a time.
 *
 * Owns: the multi handle, with its connections; a watch for each socket.
 */
#ifndef UPSTREAM_CURL_LOOP_H
#define UPSTREAM_CURL_LOOP_H

#include "base/attr.h"
#include "net/loop.h"

#include <curl/curl.h>

struct curl_loop;

/** A transfer has ended; ${transfer} is the CURLOPT_PRIVATE of its handle,
 * which is removed already. */
typedef void curl_loop_done(void *transfer, CURLcode result, void *arg);

/** NULL: out of memory. */
struct curl_loop *curl_loop_new(
    struct loop *loop, curl_loop_done *done, void *arg) MUST_USE;

/** Free it; NULL: no-op.  No transfer may be left. */
void curl_loop_free(struct curl_loop *curl);

/** Start the transfer of ${easy}, which stays the caller's.  Its callbacks come
 * later.  Return 0, or -1. */
int curl_loop_add(struct curl_loop *curl, CURL *easy) MUST_USE;

/** Have libcurl do now what it would in the next turn: at the end of each. */
void curl_loop_run(struct curl_loop *curl);

/** Stop it, without a word; not in a callback of a transfer. */
void curl_loop_remove(struct curl_loop *curl, CURL *easy);

#endif
