#include "gate/shared.h"

void
shared_set_rules(struct shared *shared, struct rules *rules)
{
	struct rules *old;

	pthread_mutex_lock(&shared->lock);
	old = shared->rules;
	shared->rules = rules;
	shared->generation++;
	pthread_mutex_unlock(&shared->lock);
	rules_unref(old);
}

struct rules *
shared_get_rules(struct shared *shared, unsigned *generation)
{
	struct rules *rules;

	pthread_mutex_lock(&shared->lock);
	rules = rules_ref(shared->rules);
	*generation = shared->generation;
	pthread_mutex_unlock(&shared->lock);
	return rules;
}
