/*
 * Job: counts keys in a fixed number of places, and adds up what workers
 * counted.
 * Invariant: the counts of a sketch add up to all that it counted (halved
 * now and then); a free place has the count 0.
 * The heart: top_add() and top_merge().
 */
#include "stats/top.h"

#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const char *const top_verdict_names[TOP_VERDICTS] = {
    [TOP_DENIED] = "denied", [TOP_ALLOWED] = "allowed"};

/* Searched from the front to the end: 256 numbers take less time than a hash
 * table costs. */
struct sketch {
	uint64_t marks[TOP_SIZE]; /* of the hashes */
	double counts[TOP_SIZE];
	double all;
	struct top_entry entries[TOP_SIZE]; /* without the counts */
};

struct top {
	pthread_mutex_t lock;
	int64_t started_us, halved_us;
	double seconds; /* before the last halving, halved as counts are */
	struct sketch sketches[TOP_VERDICTS];
};

/*
 * Pace.
 */

void
top_pace_start(struct top_pace *pace)
{
	*pace = (struct top_pace){.left = 1, .weight = 1};
	random_fill(&pace->random, sizeof(pace->random));
	pace->random |= 1;
}

/* A number below ${bound}: any will do that is no pattern, and costs little. */
static unsigned
top_pace_random(struct top_pace *pace, unsigned bound)
{
	pace->random ^= pace->random << 13;
	pace->random ^= pace->random >> 7;
	pace->random ^= pace->random << 17;
	return (unsigned)(pace->random >> 32) % bound;
}

unsigned
top_pace_next(struct top_pace *pace)
{
	unsigned weight = pace->weight;

	pace->seen += weight;
	if (++pace->counted % TOP_PACE == 0)
		pace->weight *= 2;
	/* On average each ${weight}-th, at random: no pattern of requests
	 * escapes. */
	pace->left = pace->weight == 1
			 ? 1
			 : 1 + top_pace_random(pace, 2 * pace->weight - 1);
	return weight;
}

void
top_pace_end_second(struct top_pace *pace)
{
	pace->weight = pace->seen / TOP_PACE + 1;
	pace->seen = pace->counted = 0;
	if (pace->left > 2 * pace->weight)
		pace->left = 2 * pace->weight;
}

/*
 * One sketch.
 */

struct top *
top_new(int64_t now_us)
{
	struct top *top = calloc(1, sizeof(*top));

	if (!top)
		return NULL;
	pthread_mutex_init(&top->lock, NULL);
	top->started_us = top->halved_us = now_us;
	return top;
}

void
top_free(struct top *top)
{
	if (!top)
		return;
	pthread_mutex_destroy(&top->lock);
	free(top);
}

static int
top_find(const struct sketch *sketch, const struct hash128 *hash)
{
	for (int i = 0; i < TOP_SIZE; i++)
		if (sketch->marks[i] == hash->lo && sketch->counts[i] > 0 &&
		    hash128_equal(sketch->entries[i].hash, *hash))
			return i;
	return -1;
}

static int
top_find_lowest(const struct sketch *sketch)
{
	int lowest = 0;

	for (int i = 1; i < TOP_SIZE; i++)
		if (sketch->counts[i] < sketch->counts[lowest])
			lowest = i;
	return lowest;
}

/* Give the place with the lowest count to a key. */
static int
top_take_place(struct sketch *sketch, const struct key *key, int64_t now_us)
{
	int place = top_find_lowest(sketch);
	struct top_entry *entry = &sketch->entries[place];

	sketch->marks[place] = key->hash.lo;
	entry->hash = key->hash;
	entry->error = sketch->counts[place];
	entry->first_us = now_us;
	entry->key_len = (uint16_t)key->len;
	memcpy(entry->key, key->bytes, key->len);
	return place;
}

void
top_add(struct top *top, enum top_verdict verdict, const struct key *key,
    const char *limit, unsigned weight, int64_t now_us)
{
	struct sketch *sketch = &top->sketches[verdict];
	int place;

	pthread_mutex_lock(&top->lock);
	place = top_find(sketch, &key->hash);
	if (place == -1)
		place = top_take_place(sketch, key, now_us);
	sketch->counts[place] += weight;
	sketch->all += weight;
	sketch->entries[place].last_us = now_us;
	strncpy(sketch->entries[place].limit, limit, LIMIT_NAME_MAX);
	pthread_mutex_unlock(&top->lock);
}

static void
top_halve(struct top *top)
{
	for (int verdict = 0; verdict < TOP_VERDICTS; verdict++) {
		struct sketch *sketch = &top->sketches[verdict];

		for (int i = 0; i < TOP_SIZE; i++) {
			sketch->counts[i] /= 2;
			sketch->entries[i].error /= 2;
		}
		sketch->all /= 2;
	}
}

void
top_age(struct top *top, int64_t now_us)
{
	pthread_mutex_lock(&top->lock);
	while (now_us - top->halved_us >= TOP_HALF_US) {
		top_halve(top);
		top->seconds = (top->seconds + (double)TOP_HALF_US / 1e6) / 2;
		top->halved_us += TOP_HALF_US;
	}
	pthread_mutex_unlock(&top->lock);
}

/*
 * Several.
 */

static void
top_copy(struct top_list *list, struct top *top, enum top_verdict verdict,
    int64_t now_us)
{
	const struct sketch *sketch = &top->sketches[verdict];
	double seconds;

	pthread_mutex_lock(&top->lock);
	for (int i = 0; i < TOP_SIZE; i++) {
		struct top_entry *entry = &list->entries[list->count];

		/* Less than a request is left of it. */
		if (sketch->counts[i] < 0.5)
			continue;
		*entry = sketch->entries[i];
		entry->count = sketch->counts[i];
		list->count++;
	}
	list->all += sketch->all;
	seconds = top->seconds + (double)(now_us - top->halved_us) / 1e6;
	if (seconds > list->seconds)
		list->seconds = seconds;
	pthread_mutex_unlock(&top->lock);
}

static int
top_compare_hashes(const void *a, const void *b)
{
	return memcmp(&((const struct top_entry *)a)->hash,
	    &((const struct top_entry *)b)->hash, sizeof(struct hash128));
}

static int
top_compare_counts(const void *a, const void *b)
{
	const struct top_entry *one = a, *other = b;

	if (one->count != other->count)
		return one->count > other->count ? -1 : 1;
	return top_compare_hashes(a, b);
}

static void
top_add_entry(struct top_entry *to, const struct top_entry *from)
{
	to->count += from->count;
	to->error += from->error;
	if (from->first_us < to->first_us)
		to->first_us = from->first_us;
	if (from->last_us <= to->last_us)
		return;
	to->last_us = from->last_us;
	memcpy(to->limit, from->limit, sizeof(to->limit));
}

/* Entries of the same key become one. */
static void
top_unite(struct top_list *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (count > 0 && hash128_equal(list->entries[count - 1].hash,
				     list->entries[i].hash))
			top_add_entry(
			    &list->entries[count - 1], &list->entries[i]);
		else
			list->entries[count++] = list->entries[i];
	}
	list->count = count;
}

int
top_merge(struct top_list *list, struct top *const *tops, size_t count,
    enum top_verdict verdict, int64_t now_us)
{
	*list = (struct top_list){
	    .entries = malloc(count * TOP_SIZE * sizeof(struct top_entry))};
	if (!list->entries)
		return -1;
	for (size_t i = 0; i < count; i++)
		top_copy(list, tops[i], verdict, now_us);
	qsort(list->entries, list->count, sizeof(struct top_entry),
	    top_compare_hashes);
	top_unite(list);
	qsort(list->entries, list->count, sizeof(struct top_entry),
	    top_compare_counts);
	return 0;
}

void
top_list_free(struct top_list *list)
{
	free(list->entries);
	list->entries = NULL;
	list->count = 0;
}

const struct top_entry *
top_list_find(const struct top_list *list, const struct hash128 *hash)
{
	for (size_t i = 0; i < list->count; i++)
		if (hash128_equal(list->entries[i].hash, *hash))
			return &list->entries[i];
	return NULL;
}
