/*
 * Job: finds the row of a server, and counts links.
 * Invariant: rows are added, never moved or removed; ${down} is the number of
 * links that are not up, over all servers.
 * The heart: servers_attach(), servers_note_down() and servers_note_up().
 */
#include "stats/servers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const server_error_names[SERVER_ERROR_COUNT] = {
#define X(id, name) [SERVER_ERROR_##id] = #name,
    SERVER_ERRORS(X)
#undef X
};

struct servers {
	pthread_mutex_t lock; /* of all but the counts of a server */
	size_t count;
	unsigned down;
	bool outage; /* a link went down, or failed to come up, and since then
		      * not all were up */
	struct server rows[SERVERS_MAX];
};

struct servers *
servers_new(void)
{
	struct servers *servers = calloc(1, sizeof(*servers));

	if (servers)
		pthread_mutex_init(&servers->lock, NULL);
	return servers;
}

void
servers_free(struct servers *servers)
{
	if (!servers)
		return;
	pthread_mutex_destroy(&servers->lock);
	free(servers);
}

static struct server *
servers_find(struct servers *servers, const char *name, int64_t now_us)
{
	struct server *server;

	for (size_t i = 0; i < servers->count; i++)
		if (strncmp(servers->rows[i].name, name, SERVER_NAME_MAX - 1) ==
		    0)
			return &servers->rows[i];
	if (servers->count == SERVERS_MAX) {
		server = &servers->rows[SERVERS_MAX - 1];
		strcpy(server->name, "others");
		return server;
	}
	server = &servers->rows[servers->count++];
	snprintf(server->name, sizeof(server->name), "%s", name);
	server->since_us = now_us;
	return server;
}

struct server *
servers_attach(struct servers *servers, struct server *from, const char *name,
    int64_t now_us)
{
	struct server *server;

	pthread_mutex_lock(&servers->lock);
	server = servers_find(servers, name, now_us);
	if (server != from) {
		server->links++;
		if (from)
			from->links--;
		else
			servers->down++;
	}
	pthread_mutex_unlock(&servers->lock);
	return server;
}

void
servers_detach(struct servers *servers, struct server *server, bool was_up)
{
	pthread_mutex_lock(&servers->lock);
	server->links--;
	server->links_up -= was_up;
	servers->down -= !was_up;
	pthread_mutex_unlock(&servers->lock);
}

/* Under the lock: one link more or less is up. */
static void
servers_count_up(struct server *server, unsigned links_up, int64_t now_us)
{
	bool was_up = server->links_up == server->links;

	server->links_up = links_up;
	if (was_up != (links_up == server->links))
		server->since_us = now_us;
}

bool
servers_note_down(
    struct servers *servers, struct server *server, bool was_up, int64_t now_us)
{
	bool begins;

	pthread_mutex_lock(&servers->lock);
	if (was_up) {
		servers_count_up(server, server->links_up - 1, now_us);
		servers->down++;
	}
	server_count(
	    &server->errors[was_up ? SERVER_ERROR_LOST : SERVER_ERROR_CONNECT]);
	begins = !servers->outage;
	servers->outage = true;
	pthread_mutex_unlock(&servers->lock);
	return begins;
}

bool
servers_note_up(struct servers *servers, struct server *server, int64_t now_us)
{
	bool ends;

	pthread_mutex_lock(&servers->lock);
	servers_count_up(server, server->links_up + 1, now_us);
	servers->down--;
	ends = servers->outage && servers->down == 0;
	servers->outage &= !ends;
	pthread_mutex_unlock(&servers->lock);
	return ends;
}

bool
servers_at(struct servers *servers, size_t i, struct server_view *view)
{
	bool found;

	pthread_mutex_lock(&servers->lock);
	found = i < servers->count;
	if (found) {
		const struct server *server = &servers->rows[i];

		*view = (struct server_view){.server = server,
		    .links = server->links,
		    .up =
			server->links > 0 && server->links_up == server->links,
		    .since_us = server->since_us};
	}
	pthread_mutex_unlock(&servers->lock);
	return found;
}
