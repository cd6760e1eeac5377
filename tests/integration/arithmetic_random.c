#include "arithmetic.h"

#include "base/zone_file.h"
#include "limit/calendar.h"
#include "limit/leaky_state.h"

#define HOUR INT64_C(3600000000)
#define DAY  (24 * HOUR)

static uint64_t state;

void
random_start(uint64_t seed)
{
	state = seed;
}

/* splitmix64, by Sebastiano Vigna */
static uint64_t
random_bits(void)
{
	uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

int64_t
pick_below(int64_t n)
{
	return (int64_t)(random_bits() % (uint64_t)n);
}

int64_t
random_scale(int64_t max)
{
	int64_t low = INT64_C(1) << pick_below(64 - __builtin_clzll(max));
	int64_t value = low + pick_below(low);

	return value < max ? value : max;
}

/* None, one that is always as long, or one that grows. */
static void
random_block(struct limit *limit)
{
	limit->block_us = pick_below(2) ? random_scale(10 * DAY) : 0;
	limit->block_growth = 0;
	limit->block_memory_us = 0;
	if (limit->block_us == 0 || is_window(limit) || pick_below(2) ||
	    limit->recharge_us >= STRIKES_RECHARGE_BELOW)
		return;
	limit->block_growth = 2 + pick_below(5);
	limit->block_max_us = limit->block_us + random_scale(100 * DAY);
	if (pick_below(2))
		limit->block_memory_us = random_scale(20 * DAY);
}

/* What limit_finish() lets pass: C*R and D*R together stay below the span. */
static void
random_debt(struct limit *limit)
{
	int64_t room =
	    (LIMIT_SPAN_MAX - 1) / (limit->recharge_us + 1) - limit->capacity;

	if (room > LIMIT_CAPACITY_MAX)
		room = LIMIT_CAPACITY_MAX;
	limit->debt = room > 0 && pick_below(2) ? random_scale(room) : 0;
}

/* The same of C*R and the queue. */
static void
random_queue(struct limit *limit)
{
	int64_t ticks = limit->recharge_ns > 0 ? TICKS_FINE : 1;
	int64_t full =
	    limit->capacity * (limit->recharge_us * ticks + limit->recharge_ns);
	int64_t room = (LIMIT_SPAN_MAX - 1 - full) / ticks;

	limit->queue_us = !is_window(limit) && room > 0 && pick_below(2)
			      ? random_scale(room)
			      : 0;
}

/* Zones that change their clocks at odd times, or by odd steps; NULL: UTC. */
static struct zone *
random_zone(void)
{
	static const char *const names[] = {"Europe/Berlin",
	    "Australia/Lord_Howe", "Pacific/Apia", "America/Havana",
	    "America/St_Johns", "Asia/Kathmandu"};
	static struct zone *zones[COUNT(names)];
	size_t i = (size_t)pick_below(COUNT(names) + 1);
	char reason[ZONE_REASON_MAX];

	if (i == COUNT(names))
		return NULL;
	if (!zones[i])
		zones[i] = zone_file_read(names[i], reason);
	if (!zones[i])
		die("%s", reason);
	return zones[i];
}

static void
random_window(struct limit *limit, int64_t most_us)
{
	limit->calendar = CALENDAR_NONE;
	limit->window_us = random_scale(most_us);
	if (pick_below(2))
		return;
	limit->calendar =
	    (enum calendar_unit)(1 + pick_below(CALENDAR_UNITS - 1));
	limit->window_us = calendar_length_us(limit->calendar);
	limit->zone = random_zone();
}

struct limit
random_limit(const struct algorithm *algorithm)
{
	struct limit limit = {
	    .algorithm = algorithm,
	    .capacity = random_scale(LIMIT_CAPACITY_MAX),
	};

	random_window(&limit, LIMIT_SPAN_MAX - 1);
	limit.recharge_us = random_scale((LIMIT_SPAN_MAX - 1) / limit.capacity);
	/* Thousandths, as there are in fast ones. */
	if (pick_below(4) == 0) {
		limit.recharge_us = 1 + pick_below(999);
		limit.recharge_ns = pick_below(1000);
	}
	random_block(&limit);
	random_debt(&limit);
	random_queue(&limit);
	return limit;
}

void
random_change(struct limit *limit)
{
	struct limit other = random_limit(limit->algorithm);

	other.is_inline = limit->is_inline;
	switch (pick_below(5)) {
	case 0:
		*limit = other;
		break;
	case 1:
		limit->capacity = random_scale(limit->capacity);
		break;
	case 2:
		limit->recharge_us = random_scale(limit->recharge_us);
		limit->recharge_ns =
		    limit->recharge_us < 1000 ? pick_below(1000) : 0;
		random_window(limit, limit->window_us);
		break;
	case 3:
		random_block(limit);
		break;
	case 4:
		random_debt(limit);
		break;
	}
	random_queue(limit);
}

int64_t
random_amount(const struct limit *limit)
{
	int64_t amount = 1 + pick_below(limit->capacity);

	switch (pick_below(16)) {
	case 0:
		return 0;
	case 1:
		return limit->capacity;
	case 2: /* never fits, but for the largest capacity */
		return limit->capacity + (limit->capacity < LIMIT_AMOUNT_MAX);
	case 3:
		return LIMIT_AMOUNT_MAX;
	case 4:
		return -LIMIT_AMOUNT_MAX;
	case 5:
		return -1;
	case 6:
	case 7:
		return -amount;
	case 8:
	case 9:
	case 10:
		return amount;
	case 11:
	case 12:
		return 1 + amount / 8;
	}
	return 1;
}

enum op
random_op(const struct limit *limit, int64_t *amount, int64_t *wait_us)
{
	if (pick_below(4) > 0)
		return OP_CONSUME;
	if (*amount < 0)
		*amount = -*amount;
	if (limit->queue_us > 0 && !limit->is_inline && pick_below(2)) {
		*wait_us = random_scale(limit->queue_us);
		return OP_WAIT;
	}
	return pick_below(2) ? OP_CHARGE : OP_TAKE;
}

int64_t
random_time(int64_t now_us, const struct limit *limit)
{
	int64_t full = is_window(limit) ? limit->window_us
					: limit->capacity * limit->recharge_us;

	switch (pick_below(16)) {
	case 0:
		now_us += HOUR;
		break;
	case 1:
		now_us -= HOUR;
		break;
	case 2:
		now_us += random_scale(10 * DAY);
		break;
	case 3:
		if (limit->calendar != CALENDAR_NONE)
			now_us = calendar_end_us(
				     limit->calendar, limit->zone, now_us) -
				 pick_below(2);
		break;
	case 4:
		break;
	default: /* about the time in which what is admitted leaks */
		now_us += random_scale(full);
		break;
	}
	return now_us >= START && now_us < LIMIT_SPAN_MAX ? now_us : START;
}

int64_t
random_about(const struct limit *limit, int64_t now_us)
{
	int64_t ends_us[4], i = pick_below(3);

	if (limit->calendar == CALENDAR_NONE)
		return now_us;
	calendar_ends_us(limit->calendar, limit->zone, now_us, ends_us);
	return ends_us[i] - (i > 0 ? pick_below(2) : 0);
}
