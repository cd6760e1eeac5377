#include "control/fleet_member.h"

#include "base/num.h"
#include "control/node_id.h"

#include <string.h>

const char *const fleet_state_words[FLEET_STATE_COUNT] = {
#define X(name, word) [FLEET_##name] = word,
    FLEET_STATES(X)
#undef X
};

/* Read "DIGEST LOADED_AT COUNT SEEN_AT". */
static int
fleet_member_read_value(struct fleet_member *member, const char *text)
{
	const char *word = text + strcspn(text, " ");
	int64_t *const numbers[] = {
	    &member->loaded_at, &member->count, &member->seen_at};

	if (word == text || (size_t)(word - text) >= FLEET_DIGEST_SIZE)
		return -1;
	memcpy(member->digest, text, (size_t)(word - text));
	for (size_t i = 0; i < COUNT(numbers); i++) {
		size_t len;

		word += *word == ' ';
		len = strcspn(word, " ");
		if (num_read_int(word, len, 0, INT64_MAX / 2, numbers[i]) == -1)
			return -1;
		word += len;
	}
	return *word == '\0' ? 0 : -1;
}

/* The length of NODE in "NODE#ID". */
static size_t
fleet_member_node_len(const char *name, size_t len)
{
	const size_t id_len = NODE_ID_LEN + 1;

	if (len <= id_len || name[len - id_len] != '#' ||
	    strspn(name + len - NODE_ID_LEN, "0123456789abcdef") < NODE_ID_LEN)
		return len;
	return len - id_len;
}

int
fleet_member_read(struct fleet_member *member, const redisReply *name,
    const redisReply *value)
{
	if (name->type != REDIS_REPLY_STRING ||
	    value->type != REDIS_REPLY_STRING)
		return -1;
	*member = (struct fleet_member){.name = name->str,
	    .name_len = (size_t)name->len,
	    .node_len = fleet_member_node_len(name->str, (size_t)name->len)};
	return fleet_member_read_value(member, value->str);
}

enum fleet_state
fleet_member_state(
    const struct fleet_member *member, const char *digest, int64_t now)
{
	if (now - member->seen_at > FLEET_GONE_S)
		return FLEET_GONE;
	if (strcmp(member->digest, "-") == 0)
		return FLEET_KEPT;
	return strcmp(member->digest, digest) == 0 ? FLEET_CURRENT : FLEET_LAGS;
}
