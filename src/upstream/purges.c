#include "upstream/purges.h"

#include <stdlib.h>
#include <string.h>

void
purges_init(struct purges *purges)
{
	pthread_mutex_init(&purges->lock, NULL);
	TAILQ_INIT(&purges->list);
}

int
purges_add(struct purges *purges, const char *name, const char *glob)
{
	struct purge *purge = calloc(1, sizeof(*purge));

	if (!purge)
		return -1;
	purge->name = strdup(name);
	purge->glob = strdup(glob);
	if (!purge->name || !purge->glob) {
		purge_free(purge);
		return -1;
	}
	pthread_mutex_lock(&purges->lock);
	TAILQ_INSERT_TAIL(&purges->list, purge, all);
	pthread_mutex_unlock(&purges->lock);
	return 0;
}

struct purge *
purges_take(struct purges *purges)
{
	struct purge *purge;

	pthread_mutex_lock(&purges->lock);
	purge = TAILQ_FIRST(&purges->list);
	if (purge)
		TAILQ_REMOVE(&purges->list, purge, all);
	pthread_mutex_unlock(&purges->lock);
	return purge;
}

void
purge_free(struct purge *purge)
{
	free(purge->name);
	free(purge->glob);
	free(purge);
}

void
purges_clear(struct purges *purges)
{
	struct purge *purge;

	while ((purge = purges_take(purges)))
		purge_free(purge);
	pthread_mutex_destroy(&purges->lock);
}
