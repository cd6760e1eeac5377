/*
 * keeper: keeps the buckets in memory over a restart.  A file that cannot be
 * used costs the buckets, and nothing else. Invariant: at most one thread
 * saves, and only it uses ${saved} meanwhile. The heart is keeper_start() and
 * keeper_finish().
 */
#include "server/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/background.h"
#include "net/timer.h"
#include "store/bucket_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct keeper {
	const char *dir;          /* "": buckets are not kept */
	int64_t every_us;         /* 0: only at the end */
	bool is_restored;         /* buckets were taken over */
	struct bucket_file *file; /* of the process before, until the start */
	struct memory *memory;
	struct timer timer;
	struct log_limiter limiter;

	/* a save; only the thread uses it while it works */
	struct background *background;
	struct {
		int error; /* errno; 0: it went well */
		struct bucket_file_count count;
		int64_t took_us;
	} saved;

	bool finishing; /* the last save was started */
	bool finished;
};

static void
keeper_say_not_kept(const struct keeper *keeper, const char *reason)
{
	log_warning("buckets not taken over from %s/buckets: %s; they begin "
		    "empty",
	    keeper->dir, reason);
}

struct keeper *
keeper_new(const char *dir, int64_t every_us)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	char reason[BUCKET_FILE_REASON_MAX];

	if (!keeper)
		return NULL;
	keeper->dir = dir;
	keeper->every_us = every_us;
	if (!*keeper->dir)
		return keeper;
	keeper->file = bucket_file_take(keeper->dir, reason);
	if (!keeper->file && *reason)
		keeper_say_not_kept(keeper, reason);
	return keeper;
}

static void
keeper_restore(struct keeper *keeper)
{
	int64_t start_us = clock_us();
	struct bucket_file_count count;
	char reason[BUCKET_FILE_REASON_MAX] = "";

	if (!keeper->file)
		return;
	if (bucket_file_read(
		keeper->file, keeper->memory, start_us, &count, reason) == -1)
		keeper_say_not_kept(keeper, reason);
	else
		log_info("%llu buckets taken over from %s/buckets in %lld ms; "
			 "%llu were drained, %llu had no room",
		    (unsigned long long)count.buckets, keeper->dir,
		    (long long)(clock_us() - start_us) / 1000,
		    (unsigned long long)count.drained,
		    (unsigned long long)count.homeless);
	keeper->is_restored = *reason == '\0';
	bucket_file_free(keeper->file);
	keeper->file = NULL;
}

/* On a thread of its own. */
static void
keeper_on_work(void *arg)
{
	struct keeper *keeper = arg;
	int64_t start_us = clock_us();
	int result = bucket_file_save(keeper->memory, keeper->dir, start_us,
	    clock_shift_us(), &keeper->saved.count);

	keeper->saved.error = result == -1 ? errno : 0;
	keeper->saved.took_us = clock_us() - start_us;
}

static void
keeper_say_saved(struct keeper *keeper)
{
	unsigned long long buckets = keeper->saved.count.buckets;
	const char *error = strerror(keeper->saved.error);

	if (!keeper->saved.error && keeper->finishing)
		log_info("%llu buckets saved in %s/buckets in %lld ms", buckets,
		    keeper->dir, (long long)keeper->saved.took_us / 1000);
	else if (!keeper->saved.error)
		log_debug("%llu buckets saved", buckets);
	else if (keeper->finishing)
		log_warning("buckets not saved in %s: %s", keeper->dir, error);
	else
		log_limited(&keeper->limiter, LOG_LEVEL_WARNING,
		    "buckets not saved in %s: %s", keeper->dir, error);
}

static void
keeper_on_done(void *arg)
{
	struct keeper *keeper = arg;

	keeper_say_saved(keeper);
	keeper->finished = keeper->finishing;
	if (!keeper->finishing)
		timer_set(&keeper->timer, keeper->every_us);
}

static void
keeper_save(struct keeper *keeper)
{
	if (background_start(keeper->background) == 0)
		return;
	keeper->saved.error = errno;
	keeper_on_done(keeper);
}

static void
keeper_on_timer(void *arg)
{
	keeper_save(arg);
}

int
keeper_start(struct keeper *keeper, struct loop *loop, struct memory *memory)
{
	static const struct background_events events = {
	    keeper_on_work, keeper_on_done};

	if (!keeper || !*keeper->dir)
		return 0;
	keeper->memory = memory;
	timer_init(&keeper->timer, loop, keeper_on_timer, keeper);
	keeper->background = background_new(loop, &events, keeper);
	if (!keeper->background)
		return -1;
	keeper_restore(keeper);
	if (keeper->every_us > 0)
		timer_set(&keeper->timer, keeper->every_us);
	return 0;
}

void
keeper_serve(struct keeper *keeper)
{
	if (keeper && keeper->is_restored && keeper->every_us == 0)
		bucket_file_forget(keeper->dir);
}

bool
keeper_finish(struct keeper *keeper)
{
	if (!keeper || !keeper->background || keeper->finished)
		return true;
	timer_stop(&keeper->timer);
	if (background_is_busy(keeper->background))
		return false;
	keeper->finishing = true;
	keeper_save(keeper);
	return keeper->finished;
}

bool
keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return true;
	timer_stop(&keeper->timer);
	bucket_file_free(keeper->file);
	if (keeper->background && background_free(keeper->background))
		return false;
	free(keeper);
	return true;
}
