#include "gate/shared.h"

void
shared_set_rules(struct shared *shared, struct rules *rules)
{
	struct rules *old;
	struct tallies *old_tallies;

	pthread_mutex_lock(&shared->lock);
	old = shared->rules;
	old_tallies = shared->tallies;
	shared->rules = rules;
	shared->tallies = tallies_new(rules, shared->cells, old_tallies);
	shared->generation++;
	pthread_mutex_unlock(&shared->lock);
	rules_unref(old);
	tallies_unref(old_tallies);
}

struct rules *
shared_get_rules(struct shared *shared, struct tallies **tallies,
    unsigned *generation)
{
	struct rules *rules;

	pthread_mutex_lock(&shared->lock);
	rules = rules_ref(shared->rules);
	*tallies = tallies_ref(shared->tallies);
	*generation = shared->generation;
	pthread_mutex_unlock(&shared->lock);
	return rules;
}
