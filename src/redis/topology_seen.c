#include "redis/topology_seen.h"

#include <stddef.h>

void
topology_reader_init(struct topology_reader *reader)
{
	*reader = (struct topology_reader){.read = NULL};
	pthread_mutex_init(&reader->lock, NULL);
}

void
topology_reader_set(
    struct topology_reader *reader, void (*read)(void *arg), void *arg)
{
	pthread_mutex_lock(&reader->lock);
	reader->read = read;
	reader->arg = arg;
	pthread_mutex_unlock(&reader->lock);
}

void
topology_reader_clear(struct topology_reader *reader)
{
	pthread_mutex_destroy(&reader->lock);
}

void
topology_seen_want(const struct topology_seen *seen)
{
	struct topology_reader *reader = seen->reader;

	pthread_mutex_lock(&reader->lock);
	if (reader->read)
		reader->read(reader->arg);
	pthread_mutex_unlock(&reader->lock);
}
