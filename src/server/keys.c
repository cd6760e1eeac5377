#include "server/keys.h"

#include "limit/routes.h"

_Static_assert(
    VERB_KEYS_MAX <= CHECK_KEYS_MAX && ROUTE_KEYS_MAX <= CHECK_KEYS_MAX,
    "a check takes all keys of a request");

static void
keys_ask(struct slot *slot, enum op op, const struct check_key *keys,
    unsigned count, bool charges_each)
{
	check_add_keys(&slot->check, op, keys, count);
	if (charges_each)
		check_charge_each(&slot->check);
}

/* The bytes of a single key are gone when the next request is read. */
static void
keys_start(struct slot *slot)
{
	slot_defer_check(slot);
	if (!slot->check.joint)
		queue_start(slot->queue);
}

int
keys_begin(struct slot *slot, const struct request *request)
{
	bool waits = request->op == OP_WAIT;

	keys_ask(slot, waits ? OP_CONSUME : request->op, request->keys,
	    request->key_count, request->charges_each);
	if (waits)
		check_set_wait(&slot->check, request->wait_us);
	if (request->id_len > 0)
		check_set_id(&slot->check, request->id, request->id_len);
	keys_start(slot);
	return 0;
}

static void
keys_ask_routed(struct slot *slot, const struct routed_request *routed)
{
	struct check_key keys[ROUTE_KEYS_MAX];

	for (unsigned i = 0; i < routed->count; i++)
		keys[i] = (struct check_key){.bytes = routed->keys[i].bytes,
		    .len = routed->keys[i].len,
		    .amount = routed->keys[i].amount};
	keys_ask(slot, OP_CONSUME, keys, routed->count, false);
	keys_start(slot);
}

int
keys_begin_routed(struct slot *slot, const struct request *request)
{
	const struct routed_request *routed = request->routed;

	switch (routed->routed) {
	case ROUTED_KEYS:
		keys_ask_routed(slot, routed);
		return 0;
	case ROUTED_NOWHERE:
		check_settle_unmatched(&slot->check);
		return 0;
	case ROUTED_FREE:
	case ROUTED_DENIED:
	case ROUTED_TOOLONG:
	case ROUTED_TOOMANY:
		break;
	}
	check_settle(&slot->check, routed->routed == ROUTED_FREE);
	return 0;
}
