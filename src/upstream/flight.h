/**
 * flight: one request on its way to an upstream and back.
 *
 * Owns: its transfer, its check, its timer.  Lives on the upstream thread.
 */
#ifndef UPSTREAM_FLIGHT_H
#define UPSTREAM_FLIGHT_H

#include "base/attr.h"
#include "base/list.h"
#include "gate/gate.h"
#include "upstream/ask.h"
#include "upstream/curl_loop.h"

/** What all flights share. */
struct flights {
	struct loop *loop;
	struct gate *gate;
	struct curl_loop *curl;
	struct flight_list all;
	bool ending; /* no more may start */
};

/** Start one for ${ask}, which may fail at once. */
void flight_start(struct flights *flights, struct ask *ask);

/** There is room for the ask again. */
void flight_go_on(struct flight *flight);

/** Its client is gone. */
void flight_leave(struct flight *flight);

/** As curl_loop_done. */
void flight_on_transferred(void *flight, CURLcode result, void *arg);

/** End all: none may start any more, and the store has decided all checks. */
void flights_clear(struct flights *flights);

#endif
