/*
 * Job: hands over what asks have noted for the other thread, all at once:
 * orders of a worker at the end of its turn, news as it looks at them.
 * Invariant: a list that two threads share is touched only under its lock.
 * The heart: port_send(), port_take().
 */
#include "upstream/ask.h"

/*
 * The port: news from the upstream thread, and the worker's orders to it.
 */

void
port_init(struct port *port, struct loop *loop)
{
	port->loop = loop;
	pthread_mutex_init(&port->lock, NULL);
	TAILQ_INIT(&port->news);
	TAILQ_INIT(&port->out);
}

static struct ask *
port_next(struct port *port)
{
	struct ask *ask;

	pthread_mutex_lock(&port->lock);
	ask = TAILQ_FIRST(&port->news);
	if (ask) {
		TAILQ_REMOVE(&port->news, ask, new);
		ask->is_new = false;
	}
	pthread_mutex_unlock(&port->lock);
	return ask;
}

void
port_take(struct port *port)
{
	struct ask *ask;

	while ((ask = port_next(port)))
		ask->news(ask, ask->arg);
}

/* Under the inbox's lock: put all orders in it.  Return whether its thread is
 * to be woken.  That costs a turn of the thread, and a core for it: only an
 * urgent order, or many others, are worth that. */
static bool
port_put(struct port *port, struct inbox *inbox)
{
	struct ask *ask;
	bool wakes;

	while ((ask = TAILQ_FIRST(&port->out))) {
		TAILQ_REMOVE(&port->out, ask, out);
		if (ask->orders == 0)
			TAILQ_INSERT_TAIL(&inbox->asks, ask, ordered);
		ask->orders |= ask->wanted;
		ask->wanted = 0;
	}
	inbox->over += port->over;
	wakes = !inbox->is_woken &&
		(port->is_urgent || inbox->over >= INBOX_OVER_MAX);
	inbox->is_woken |= wakes;
	port->over = 0;
	port->is_urgent = false;
	return wakes;
}

void
port_send(struct port *port)
{
	struct inbox *inbox;
	bool wakes;

	if (TAILQ_EMPTY(&port->out))
		return;
	inbox = TAILQ_FIRST(&port->out)->inbox; /* that of all */
	pthread_mutex_lock(&inbox->lock);
	wakes = port_put(port, inbox);
	pthread_mutex_unlock(&inbox->lock);
	if (wakes)
		loop_wake(inbox->loop);
}

void
port_clear(struct port *port)
{
	if (!port->loop)
		return;
	port_send(port);
	pthread_mutex_destroy(&port->lock);
}

/*
 * The inbox: from workers to the upstream thread.
 */

void
inbox_init(struct inbox *inbox, struct loop *loop)
{
	inbox->loop = loop;
	pthread_mutex_init(&inbox->lock, NULL);
	TAILQ_INIT(&inbox->asks);
	TAILQ_INIT(&inbox->due);
}

struct ask *
inbox_take(struct inbox *inbox, unsigned *orders)
{
	struct ask *ask;

	pthread_mutex_lock(&inbox->lock);
	ask = TAILQ_FIRST(&inbox->asks);
	if (ask) {
		TAILQ_REMOVE(&inbox->asks, ask, ordered);
		*orders = ask->orders;
		ask->orders = 0;
	} else {
		inbox->is_woken = false;
		inbox->over = 0;
	}
	pthread_mutex_unlock(&inbox->lock);
	return ask;
}

void
inbox_clear(struct inbox *inbox)
{
	pthread_mutex_destroy(&inbox->lock);
}
