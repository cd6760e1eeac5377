#include "limit/rules_names.h"

#include <string.h>

static struct hash128
rules_names_hash(const char *name)
{
	return key_make(name, strlen(name)).hash;
}

int
rules_names_add(struct hash_index *index, const struct rules *rules)
{
	for (size_t i = 0; i < rules_count(rules); i++) {
		struct hash128 hash =
		    rules_names_hash(rules_at(rules, i)->name);

		if (hash_index_add(index, &hash, (unsigned)i) == -1)
			return -1;
	}
	return 0;
}

const struct limit *
rules_names_find(
    const struct hash_index *index, const struct rules *rules, const char *name)
{
	struct hash128 hash = rules_names_hash(name);
	unsigned place = hash_index_find(index, &hash);

	return place == INDEX_NONE ? NULL : rules_at(rules, place);
}
