/**
 * clients: what the workers share about their clients.
 *
 * The pool has it; any thread may look at it.
 */
#ifndef SERVER_CLIENTS_H
#define SERVER_CLIENTS_H

#include "protocol/protocol.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct balance;
struct upstreams;
struct users;
struct worker;

struct clients {
	size_t worker_count;
	struct balance *balance;               /* of the workers' loads */
	struct worker *const *_Atomic workers; /* all of them; NULL: not all
						* have started yet */

	/* what each user may ask; NULL: every client may ask anything */
	pthread_mutex_t users_lock;
	struct users *users;               /* a reference */
	_Atomic unsigned users_generation; /* counts the sets in force */
	struct login_tries *tries;         /* that failed */

	struct upstreams *_Atomic upstreams; /* their thread; NULL: there were
					      * none so far */

	_Atomic size_t count; /* connected, or on the way to a worker */
	_Atomic size_t by_protocol[PROTOCOL_COUNT]; /* of them, once their first
						     * bytes have shown it */
	_Atomic uint64_t last_id;                   /* given to the last one */
	_Atomic bool draining;                      /* all must go */
	_Atomic bool handover; /* leave those open that can be handed over to a
				  successor of this process */
};

#endif
