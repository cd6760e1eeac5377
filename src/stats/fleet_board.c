#include "stats/fleet_board.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Lines that were put there this long ago are not shown any more. */
#define OLD_US (2 * FLEET_BOARD_WANTED_US)

struct fleet_board {
	_Atomic int64_t wanted_until_us;
	pthread_mutex_t lock; /* of the next two */
	int64_t put_us;
	struct buf lines;
};

struct fleet_board *
fleet_board_new(void)
{
	struct fleet_board *board = calloc(1, sizeof(*board));

	if (board)
		pthread_mutex_init(&board->lock, NULL);
	return board;
}

void
fleet_board_free(struct fleet_board *board)
{
	if (!board)
		return;
	pthread_mutex_destroy(&board->lock);
	buf_free(&board->lines);
	free(board);
}

int
fleet_board_write(struct fleet_board *board, int64_t now_us, struct buf *out)
{
	int result = 0;

	board->wanted_until_us = now_us + FLEET_BOARD_WANTED_US;
	pthread_mutex_lock(&board->lock);
	if (buf_len(&board->lines) > 0 && now_us - board->put_us < OLD_US)
		result = buf_add(
		    out, buf_data(&board->lines), buf_len(&board->lines));
	pthread_mutex_unlock(&board->lock);
	return result;
}

bool
fleet_board_is_wanted(const struct fleet_board *board, int64_t now_us)
{
	return now_us < board->wanted_until_us;
}

void
fleet_board_put(struct fleet_board *board, int64_t now_us, struct buf *lines)
{
	struct buf old;

	pthread_mutex_lock(&board->lock);
	old = board->lines;
	board->lines = *lines;
	board->put_us = now_us;
	pthread_mutex_unlock(&board->lock);
	*lines = old;
}
