#include "server/arrivals.h"

#include "server/conn_internal.h"
#include "server/move.h"

#include <stdlib.h>
#include <unistd.h>

void
arrivals_init(struct arrivals *arrivals)
{
	*arrivals = (struct arrivals){0};
	pthread_mutex_init(&arrivals->lock, NULL);
	TAILQ_INIT(&arrivals->moved);
}

void
arrivals_clear(struct arrivals *arrivals)
{
	for (size_t i = 0; i < arrivals->count; i++)
		close(arrivals->sockets[i].fd);
	free(arrivals->sockets);
	move_drop(&arrivals->moved);
	pthread_mutex_destroy(&arrivals->lock);
}

static int
arrivals_append(struct arrivals *arrivals, int fd, enum offer offer)
{
	if (arrivals->count == arrivals->cap) {
		size_t cap = arrivals->cap ? 2 * arrivals->cap : 16;
		struct arrival *sockets =
		    reallocarray(arrivals->sockets, cap, sizeof(*sockets));

		if (!sockets)
			return -1;
		arrivals->sockets = sockets;
		arrivals->cap = cap;
	}
	arrivals->sockets[arrivals->count++] = (struct arrival){fd, offer};
	return 0;
}

int
arrivals_add(struct arrivals *arrivals, int fd, enum offer offer)
{
	int result;

	pthread_mutex_lock(&arrivals->lock);
	result = arrivals_append(arrivals, fd, offer);
	pthread_mutex_unlock(&arrivals->lock);
	return result;
}

bool
arrivals_add_moved(struct arrivals *arrivals, struct conn *conn)
{
	bool takes;

	pthread_mutex_lock(&arrivals->lock);
	takes = !arrivals->closed;
	if (takes)
		move_take(conn, &arrivals->moved);
	pthread_mutex_unlock(&arrivals->lock);
	return takes;
}

void
arrivals_take(struct arrivals *arrivals, struct conns *conns)
{
	struct conn_list moved = TAILQ_HEAD_INITIALIZER(moved);
	struct arrival *sockets;
	size_t count;

	pthread_mutex_lock(&arrivals->lock);
	sockets = arrivals->sockets;
	count = arrivals->count;
	arrivals->sockets = NULL;
	arrivals->count = arrivals->cap = 0;
	TAILQ_CONCAT(&moved, &arrivals->moved, all);
	pthread_mutex_unlock(&arrivals->lock);
	for (size_t i = 0; i < count; i++)
		conn_open(conns, sockets[i].fd, sockets[i].offer);
	free(sockets);
	move_give(&moved, conns);
}

bool
arrivals_end(struct arrivals *arrivals)
{
	pthread_mutex_lock(&arrivals->lock);
	arrivals->closed =
	    arrivals->count == 0 && TAILQ_EMPTY(&arrivals->moved);
	pthread_mutex_unlock(&arrivals->lock);
	return arrivals->closed;
}
