/*
 * Each name has an entry for the life of the process.  A thread fills it and
 * wakes every loop; the loops then look which of their look-ups are over.
 * Holds: an entry is touched under the lock only, a resolver's list of look-ups
 * by its loop only.
 * The heart is lookup_start(), name_run() and resolver_on_woken().
 */
#include "net/resolver.h"

#include "base/clock.h"
#include "net/thread.h"
#include "net/wake.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A result serves all look-ups that start within this time. */
#define FRESH_US INT64_C(500000)

/* One that is a failure serves twice as long as the one before it, up to this:
 * while no name is found, many links would ask about them all the time. */
#define FAILED_MAX_US INT64_C(2000000)

/* A result that no look-up has used yet serves the first that starts within
 * this time. */
#define UNCLAIMED_US INT64_C(10000000)

struct name {
	struct name *next;
	char *host;
	int family;
	bool running;     /* a thread looks it up */
	bool claimed;     /* a look-up has used the result */
	int64_t found_us; /* when; 0: never */
	int64_t fresh_us; /* how long it serves, once it is claimed */
	struct found found;
};

struct lookup {
	struct lookup *next;
	struct resolver *resolver;
	struct name *name;
	lookup_done *done;
	void *arg;
};

struct resolver {
	struct resolver *next;
	struct wake wake;
	struct lookup *lookups;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name *names;
static struct resolver *resolvers;

/* Store in an entry what its thread found, or why there was no thread. */
static void
name_set_found(struct name *name, const struct found *found)
{
	pthread_mutex_lock(&lock);
	if (found->count > 0 || !name->found_us)
		name->fresh_us = FRESH_US;
	else if (name->fresh_us < FAILED_MAX_US)
		name->fresh_us *= 2;
	name->found = *found;
	name->found_us = clock_us();
	name->running = name->claimed = false;
	for (struct resolver *each = resolvers; each; each = each->next)
		wake_up(&each->wake);
	pthread_mutex_unlock(&lock);
}

static void
name_look_up(const char *host, int family, struct found *found)
{
	const struct addrinfo hints = {
	    .ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int error = getaddrinfo(host, NULL, &hints, &list);

	*found = (struct found){0};
	if (error) {
		found->is_ours = error == EAI_SYSTEM || error == EAI_MEMORY;
		found->reason =
		    error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
		return;
	}
	for (struct addrinfo *each = list;
	     each && found->count < RESOLVER_ADDRESSES_MAX;
	     each = each->ai_next) {
		struct address *address = &found->addresses[found->count++];

		memcpy(&address->storage, each->ai_addr, each->ai_addrlen);
		address->len = each->ai_addrlen;
	}
	freeaddrinfo(list);
}

/* Runs on a thread that no other waits for. */
static void *
name_run(void *arg)
{
	struct name *name = arg;
	struct found found;

	name_look_up(name->host, name->family, &found);
	name_set_found(name, &found);
	return NULL;
}

static void
name_start(struct name *name)
{
	struct found none = {.is_ours = true};

	if (thread_start(NULL, name_run, name) == 0)
		return;
	none.reason = strerror(errno);
	name_set_found(name, &none);
}

static struct name *
name_find(const char *host, int family)
{
	for (struct name *name = names; name; name = name->next)
		if (name->family == family && strcmp(name->host, host) == 0)
			return name;
	return NULL;
}

static struct name *
name_add(const char *host, int family)
{
	struct name *name = calloc(1, sizeof(*name));

	if (!name)
		return NULL;
	name->host = strdup(host);
	if (!name->host) {
		free(name);
		return NULL;
	}
	name->family = family;
	name->next = names;
	names = name;
	return name;
}

/* Whether the last result may still be used. */
static bool
name_is_fresh(const struct name *name)
{
	int64_t age_us = clock_us() - name->found_us;

	return name->found_us &&
	       age_us < (name->claimed ? name->fresh_us : UNCLAIMED_US);
}

/* The entry of a name, or NULL (out of memory).  ${start}: the caller must look
 * it up. */
static struct name *
name_ask(const char *host, int family, bool *start)
{
	struct name *name;

	pthread_mutex_lock(&lock);
	name = name_find(host, family);
	if (!name)
		name = name_add(host, family);
	*start = name && !name->running && !name_is_fresh(name);
	if (*start)
		name->running = true;
	pthread_mutex_unlock(&lock);
	return name;
}

/* Copy the result, unless a thread still looks it up.  Return whether it
 * did. */
static bool
name_claim(struct name *name, struct found *found)
{
	bool is_found;

	pthread_mutex_lock(&lock);
	is_found = !name->running;
	if (is_found) {
		*found = name->found;
		name->claimed = true;
	}
	pthread_mutex_unlock(&lock);
	return is_found;
}

static void
lookup_remove(struct lookup *lookup)
{
	struct lookup **at = &lookup->resolver->lookups;

	while (*at != lookup)
		at = &(*at)->next;
	*at = lookup->next;
	free(lookup);
}

static struct lookup *
resolver_next_found(struct resolver *resolver, struct found *found)
{
	for (struct lookup *each = resolver->lookups; each; each = each->next)
		if (name_claim(each->name, found))
			return each;
	return NULL;
}

/* A callback may cancel look-ups, and start new ones. */
static void
resolver_on_woken(void *arg)
{
	struct resolver *resolver = arg;
	struct found found;
	struct lookup *lookup;

	while ((lookup = resolver_next_found(resolver, &found))) {
		lookup_done *done = lookup->done;
		void *done_arg = lookup->arg;

		lookup_remove(lookup);
		done(&found, done_arg);
	}
}

struct resolver *
resolver_new(struct loop *loop)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return NULL;
	if (wake_open(&resolver->wake, loop, resolver_on_woken, resolver) ==
	    -1) {
		free(resolver);
		return NULL;
	}
	pthread_mutex_lock(&lock);
	resolver->next = resolvers;
	resolvers = resolver;
	pthread_mutex_unlock(&lock);
	return resolver;
}

void
resolver_free(struct resolver *resolver)
{
	struct resolver **at = &resolvers;

	if (!resolver)
		return;
	pthread_mutex_lock(&lock);
	while (*at != resolver)
		at = &(*at)->next;
	*at = resolver->next;
	pthread_mutex_unlock(&lock);
	wake_close(&resolver->wake);
	free(resolver);
}

struct lookup *
lookup_start(struct resolver *resolver, const char *host, int family,
    lookup_done *done, void *arg)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	bool start;

	if (!lookup)
		return NULL;
	lookup->name = name_ask(host, family, &start);
	if (!lookup->name) {
		free(lookup);
		return NULL;
	}
	lookup->resolver = resolver;
	lookup->done = done;
	lookup->arg = arg;
	lookup->next = resolver->lookups;
	resolver->lookups = lookup;
	if (start)
		name_start(lookup->name);
	else
		wake_up(&resolver->wake);
	return lookup;
}

void
lookup_cancel(struct lookup *lookup)
{
	if (lookup)
		lookup_remove(lookup);
}
