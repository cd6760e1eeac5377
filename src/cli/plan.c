/*
 * plan: counts the buckets that a change of topology loses.  A bucket
 * stays if its hash keeps its name and its server, and its field is still of
 * the partition of that hash.  The heart is plan_count_hash().
 */
#include "cli/plan.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements in one piece of a scan. */
#define PIECE 1000

/* A hash of buckets. */
struct plan_hash {
	const char *name;
	unsigned partition; /* of the old topology */
	const char *limit;
	size_t limit_len;
};

static struct plan_share *
plan_share_of(struct plan *plan, const struct plan_hash *hash)
{
	struct plan_share *shares;

	for (size_t i = 0; i < plan->count; i++)
		if (strlen(plan->shares[i].limit) == hash->limit_len &&
		    memcmp(plan->shares[i].limit, hash->limit,
			hash->limit_len) == 0)
			return &plan->shares[i];
	shares =
	    reallocarray(plan->shares, plan->count + 1, sizeof(*plan->shares));
	if (!shares)
		return NULL;
	plan->shares = shares;
	shares[plan->count] =
	    (struct plan_share){strndup(hash->limit, hash->limit_len), 0, 0};
	return shares[plan->count].limit ? &shares[plan->count++] : NULL;
}

/* The partition whose hashes have this tag, or -1. */
static long
plan_partition_of_tag(const struct partitions *partitions, const char *name)
{
	for (unsigned i = 0; i < partitions->count; i++) {
		const char *tag = partition_tag(partitions, i);

		if (strncmp(name, tag, strlen(tag)) == 0)
			return i;
	}
	return -1;
}

/* Whether it is a hash of the old topology, at the server at ${place}: others
 * are left over. */
static bool
plan_read_name(const struct plan *plan, const char *name, size_t prefix_len,
    size_t place, struct plan_hash *hash)
{
	const struct topology *topology = &plan->old.topology;
	const char *rest = name + prefix_len;
	long partition = plan_partition_of_tag(&topology->partitions, rest);

	if (partition == -1 ||
	    topology_server_of(topology, (unsigned)partition) != place)
		return false;
	rest +=
	    strlen(partition_tag(&topology->partitions, (unsigned)partition));
	*hash = (struct plan_hash){
	    name, (unsigned)partition, rest, strcspn(rest, ":")};
	return *rest != '{' && hash->limit_len > 0;
}

static bool
plan_is_same_server(const struct plan *plan, size_t old, size_t new)
{
	char a[ENDPOINT_NAME_MAX], b[ENDPOINT_NAME_MAX];

	endpoint_name(&plan->old.topology.servers[old], a);
	endpoint_name(&plan->new.topology.servers[new], b);
	return strcasecmp(a, b) == 0;
}

static int
plan_fail_strange(const struct redis_client *client, const char *command)
{
	tool_error("Redis at %s: sent a reply that is not to %s", client->name,
	    command);
	return -1;
}

/* Return a reply that is a piece of a scan: its cursor, and texts.  NULL: the
 * error was printed, and the reply is freed. */
static redisReply *
plan_check_piece(
    const struct redis_client *client, redisReply *reply, const char *command)
{
	bool is_piece = reply && reply->type == REDIS_REPLY_ARRAY &&
			reply->elements == 2 &&
			reply->element[0]->type == REDIS_REPLY_STRING &&
			reply->element[1]->type == REDIS_REPLY_ARRAY;

	for (size_t i = 0; is_piece && i < reply->element[1]->elements; i++)
		is_piece =
		    reply->element[1]->element[i]->type == REDIS_REPLY_STRING;
	if (is_piece)
		return reply;
	if (reply)
		(void)plan_fail_strange(client, command);
	freeReplyObject(reply);
	return NULL;
}

/* Count the fields of a hash that belong to ${partition} in the new topology.
 * Return -1: the error was printed. */
static long long
plan_count_fields(struct redis_client *client, const struct plan *plan,
    const struct plan_hash *hash, unsigned partition)
{
	char cursor[24] = "0";
	long long count = 0;

	do {
		redisReply *reply = plan_check_piece(client,
		    redis_client_call(client, "HSCAN %s %s COUNT %d",
			hash->name, cursor, PIECE),
		    "HSCAN");

		if (!reply)
			return -1;
		for (size_t i = 0; i + 1 < reply->element[1]->elements; i += 2)
			count += topology_partition_of(&plan->new.topology,
				     reply->element[1]->element[i]->str,
				     reply->element[1]->element[i]->len) ==
				 partition;
		snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
		freeReplyObject(reply);
	} while (strcmp(cursor, "0") != 0);
	return count;
}

/* How many of its ${buckets} stay. */
static long long
plan_count_stays(struct redis_client *client, const struct plan *plan,
    const struct plan_hash *hash, size_t place, long long buckets)
{
	const struct partitions *old = &plan->old.topology.partitions;
	const struct partitions *new = &plan->new.topology.partitions;
	long partition =
	    plan_partition_of_tag(new, partition_tag(old, hash->partition));

	if (partition == -1 || (old->count == 1) != (new->count == 1) ||
	    !plan_is_same_server(plan, place,
		topology_server_of(&plan->new.topology, (unsigned)partition)))
		return 0;
	if (old->count == new->count)
		return buckets;
	if (plan->hides_keys)
		return 0; /* none is known to stay */
	return plan_count_fields(client, plan, hash, (unsigned)partition);
}

static int
plan_count_hash(struct redis_client *client, struct plan *plan,
    const struct plan_hash *hash, size_t place)
{
	redisReply *reply = redis_client_call(client, "HLEN %s", hash->name);
	struct plan_share *share = plan_share_of(plan, hash);
	long long buckets, stay;

	if (!reply || !share || reply->type != REDIS_REPLY_INTEGER) {
		if (!share)
			tool_error("out of memory");
		else if (reply)
			(void)plan_fail_strange(client, "HLEN");
		freeReplyObject(reply);
		return -1;
	}
	buckets = reply->integer;
	freeReplyObject(reply);
	stay = plan_count_stays(client, plan, hash, place, buckets);
	if (stay == -1)
		return -1;
	share->buckets += buckets;
	share->moved += buckets - (stay < buckets ? stay : buckets);
	return 0;
}

/* Those of one piece of the scan. */
static int
plan_count_names(struct redis_client *client, struct plan *plan,
    const redisReply *names, size_t prefix_len, size_t place)
{
	for (size_t i = 0; i < names->elements; i++) {
		const redisReply *name = names->element[i];
		struct plan_hash hash;

		if (strlen(name->str) == name->len &&
		    plan_read_name(plan, name->str, prefix_len, place, &hash) &&
		    plan_count_hash(client, plan, &hash, place) == -1)
			return -1;
	}
	return 0;
}

/* The prefix as a pattern of SCAN. */
static void
plan_write_pattern(const char *prefix, char *to)
{
	for (; *prefix; prefix++) {
		if (strchr("*?[]\\^", *prefix))
			*to++ = '\\';
		*to++ = *prefix;
	}
	strcpy(to, "*");
}

static int
plan_count_server(struct redis_client *client, struct plan *plan,
    const char *prefix, size_t place)
{
	char pattern[2 * 64 + 2], cursor[24] = "0";

	plan_write_pattern(prefix, pattern);
	do {
		redisReply *reply = plan_check_piece(client,
		    redis_client_call(client,
			"SCAN %s MATCH %s COUNT %d TYPE hash", cursor, pattern,
			PIECE),
		    "SCAN");
		int result;

		if (!reply)
			return -1;
		snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
		result = plan_count_names(
		    client, plan, reply->element[1], strlen(prefix), place);
		freeReplyObject(reply);
		if (result == -1)
			return -1;
	} while (strcmp(cursor, "0") != 0);
	return 0;
}

int
plan_count(struct plan *plan, struct tool *tool)
{
	const struct config *config = tool_config(tool);

	plan->hides_keys = *config->gate.redis.key_secrets != '\0';
	for (size_t i = 0; i < plan->old.topology.server_count; i++) {
		struct link_options link = plan_link(config, &plan->old, i);
		const char *slot_key =
		    topology_slot_key(&plan->old.topology, i);
		struct redis_client client;
		int result;

		if (slot_key)
			link.sentinel.cluster_key = slot_key;
		if (redis_client_open_link(&client, tool, &link) == -1)
			return -1;
		result = plan_count_server(
		    &client, plan, config->gate.redis.prefix, i);
		redis_client_close(&client);
		if (result == -1)
			return -1;
	}
	return 0;
}
