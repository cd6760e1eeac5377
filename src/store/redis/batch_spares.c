#include "store/redis/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct batch *
batch_new(void)
{
	return calloc(1, sizeof(struct batch));
}

void
batch_clear(struct batch *batch)
{
	batch->next = NULL;
	batch->rules = NULL;
	batch->is_plan = false;
	batch->redirected = false;
	batch->outside = false;
	batch->first = batch->last = NULL;
	batch->count = 0;
	batch->ids = 0;
	batch->queries = 0;
	batch->logs_len = 0;
	buf_consume(&batch->keys, buf_len(&batch->keys));
	memset(batch->index, 0, sizeof(batch->index));
}

void
batch_free(struct batch *batch)
{
	if (!batch)
		return;
	assert(batch->queries == 0);
	buf_free(&batch->keys);
	buf_free(&batch->ops);
	free(batch->logs);
	free(batch);
}

struct batch *
batch_take(struct spares *spares)
{
	struct batch *batch = spares_take(spares);

	return batch ? batch : batch_new();
}

void
batch_put(struct spares *spares, struct batch *batch)
{
	batch_clear(batch);
	spares_put(spares, batch);
}

static void
batch_free_block(void *block)
{
	batch_free(block);
}

size_t
batch_trim(struct spares *spares)
{
	return spares_trim(spares, sizeof(struct batch), batch_free_block) *
	       sizeof(struct batch);
}

void
batch_clear_spares(struct spares *spares)
{
	spares_clear(spares, batch_free_block);
}
