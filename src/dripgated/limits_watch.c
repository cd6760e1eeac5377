/*
 * limits_watch: sees that the file of limits has changed.  What inotify reports
 * only says when to look; the file's stamp says whether it changed.
 * Invariant: the timer is set, or a look is under way.
 * The heart is limits_watch_on_looked().
 */
#include "dripgated/limits_watch.h"

#include "base/file.h"
#include "net/background.h"
#include "net/io.h"
#include "net/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* From a report to a look, and between two looks that must see the same. */
#define SOON_US 100000

/* For what inotify does not report: the target of a symbolic link in another
 * folder, a folder that comes back, a file system over the network. */
#define LATER_US 2000000

#define FOLDER_EVENTS                                                          \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE |      \
	    IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct limits_watch {
	const struct config *config;
	limits_watch_changed *changed;
	void *arg;

	struct file_stamp read;   /* when the file was last read */
	struct file_stamp before; /* at the look before */

	/* when to look */
	struct timer timer;
	int fd; /* of inotify; -1: only the timer says */
	struct io io;
	bool soon; /* the timer is set to SOON_US, or is to be */

	/* a look; only the thread uses it while it works */
	struct background *background;
	char *path; /* a copy: a reload may change the setting meanwhile */
	int folder; /* its number for inotify, -1: not watched */
	struct file_stamp seen;
};

static void
limits_watch_set_timer(struct limits_watch *watch, bool soon)
{
	watch->soon = soon;
	timer_set(&watch->timer, soon ? SOON_US : LATER_US);
}

/* Watch the folder.  If it is another one than before, leave that. */
static void
limits_watch_add_folder(struct limits_watch *watch)
{
	const char *slash = strrchr(watch->path, '/');
	char *folder =
	    slash ? strndup(watch->path, (size_t)(slash - watch->path) + 1)
		  : strdup(".");
	int number =
	    folder ? inotify_add_watch(watch->fd, folder, FOLDER_EVENTS) : -1;

	free(folder);
	if (watch->folder != -1 && watch->folder != number)
		inotify_rm_watch(watch->fd, watch->folder);
	watch->folder = number;
}

static void
limits_watch_on_work(void *arg)
{
	struct limits_watch *watch = arg;

	if (watch->fd != -1)
		limits_watch_add_folder(watch);
	watch->seen = file_stamp(watch->path);
}

/* A file that changed since the look before may still be written to. */
static void
limits_watch_on_looked(void *arg)
{
	struct limits_watch *watch = arg;
	bool is_settled = file_stamp_is_same(&watch->seen, &watch->before);

	watch->before = watch->seen;
	limits_watch_set_timer(watch, watch->soon || !is_settled);
	if (!is_settled || file_stamp_is_same(&watch->seen, &watch->read))
		return;
	watch->read = watch->seen;
	watch->changed(watch->arg);
}

/* Without a thread, look at once. */
static void
limits_watch_look(void *arg)
{
	struct limits_watch *watch = arg;

	watch->soon = false;
	free(watch->path);
	watch->path = strdup(watch->config->limits_file);
	if (!watch->path) {
		limits_watch_set_timer(watch, false);
		return;
	}
	if (background_start(watch->background) == -1) {
		limits_watch_on_work(watch);
		limits_watch_on_looked(watch);
	}
}

/* However many reports there are, the look is not put off. */
static void
limits_watch_on_report(void *arg)
{
	struct limits_watch *watch = arg;
	char reports[4096];
	ssize_t len;

	do
		len = read(watch->fd, reports, sizeof(reports));
	while (len > 0 || (len == -1 && errno == EINTR));
	if (watch->soon)
		return;
	watch->soon = true;
	if (!background_is_busy(watch->background))
		limits_watch_set_timer(watch, true);
}

static void
limits_watch_open_inotify(struct limits_watch *watch, struct loop *loop)
{
	watch->folder = -1;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd == -1)
		return;
	io_init(&watch->io, loop, watch->fd, IO_READ);
	io_start(&watch->io, limits_watch_on_report, watch);
}

struct limits_watch *
limits_watch_new(struct loop *loop, const struct config *config,
    limits_watch_changed *changed, void *arg)
{
	static const struct background_events events = {
	    .work = limits_watch_on_work, .done = limits_watch_on_looked};
	struct limits_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->config = config;
	watch->changed = changed;
	watch->arg = arg;
	watch->read = watch->before = config->limits_stamp;
	watch->background = background_new(loop, &events, watch);
	if (!watch->background) {
		free(watch);
		return NULL;
	}
	limits_watch_open_inotify(watch, loop);
	timer_init(&watch->timer, loop, limits_watch_look, watch);
	timer_set(&watch->timer, 0);
	return watch;
}

void
limits_watch_note(struct limits_watch *watch, const struct file_stamp *stamp)
{
	if (watch)
		watch->read = *stamp;
}

bool
limits_watch_free(struct limits_watch *watch)
{
	if (!watch)
		return true;
	timer_stop(&watch->timer);
	io_stop(&watch->io);
	if (background_free(watch->background))
		return false;
	if (watch->fd != -1)
		close(watch->fd);
	free(watch->path);
	free(watch);
	return true;
}
