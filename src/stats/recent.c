#include "stats/recent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct recent {
	_Atomic int64_t wanted_until_us;
	pthread_mutex_t lock;
	uint64_t next;                            /* from 1 */
	struct recent_entry entries[RECENT_SIZE]; /* by number; 0: none */
};

struct recent *
recent_new(void)
{
	struct recent *recent = calloc(1, sizeof(*recent));

	if (!recent)
		return NULL;
	recent->next = 1;
	pthread_mutex_init(&recent->lock, NULL);
	return recent;
}

void
recent_free(struct recent *recent)
{
	if (!recent)
		return;
	pthread_mutex_destroy(&recent->lock);
	free(recent);
}

void
recent_want(struct recent *recent, int64_t now_us)
{
	recent->wanted_until_us = now_us + RECENT_WANTED_US;
}

bool
recent_is_wanted(const struct recent *recent, int64_t now_us)
{
	return now_us < recent->wanted_until_us;
}

void
recent_add(struct recent *recent, struct recent_entry *entry,
    const struct key *key, unsigned skipped)
{
	struct recent_entry *to;

	pthread_mutex_lock(&recent->lock);
	recent->next += skipped;
	entry->number = recent->next++;
	to = &recent->entries[entry->number % RECENT_SIZE];
	/* The key is not copied twice. */
	memcpy(to, entry, offsetof(struct recent_entry, key));
	to->key_len = key->len;
	memcpy(to->key, key->bytes, key->len);
	pthread_mutex_unlock(&recent->lock);
}

void
recent_skip(struct recent *recent, unsigned count)
{
	pthread_mutex_lock(&recent->lock);
	recent->next += count;
	pthread_mutex_unlock(&recent->lock);
}

uint64_t
recent_next(struct recent *recent)
{
	uint64_t next;

	pthread_mutex_lock(&recent->lock);
	next = recent->next;
	pthread_mutex_unlock(&recent->lock);
	return next;
}

bool
recent_get(struct recent *recent, uint64_t *number, struct recent_entry *to)
{
	uint64_t at = *number;
	bool found = false;

	pthread_mutex_lock(&recent->lock);
	if (recent->next > RECENT_SIZE && at < recent->next - RECENT_SIZE)
		at = recent->next - RECENT_SIZE;
	for (; at < recent->next && !found; at++) {
		const struct recent_entry *entry =
		    &recent->entries[at % RECENT_SIZE];

		if (entry->number != at || at == 0)
			continue;
		memcpy(to, entry, offsetof(struct recent_entry, key));
		memcpy(to->key, entry->key, entry->key_len);
		*number = at;
		found = true;
	}
	pthread_mutex_unlock(&recent->lock);
	return found;
}
