/**
 * settings_reader: reads the settings and the limits again, for a reload.
 *
 * It works on a thread of its own, since a file system may hang: meanwhile the
 * daemon accepts clients, and can end.
 */
#ifndef DRIPGATED_SETTINGS_READER_H
#define DRIPGATED_SETTINGS_READER_H

#include "base/attr.h"
#include "config/config.h"
#include "limit/rules.h"
#include "net/loop.h"
#include "protocol/users.h"

#include <stdbool.h>

struct settings_reader;

enum settings_reader_fault {
	SETTINGS_READER_FINE,
	SETTINGS_READER_BAD_SETTINGS,
	SETTINGS_READER_BAD_LIMITS,
	SETTINGS_READER_BAD_USERS,
};

/** What was read, valid during the call, except the rules, whose reference the
 * callee takes.
 */
struct settings_reader_result {
	const struct config *config; /* NULL: it is wrong */
	struct rules *rules;         /* NULL: not wanted, or wrong */
	struct users *users;         /* the same */
	enum settings_reader_fault fault;
	const struct reasons *reasons; /* for it; or, of rules, what may be a
					* mistake in them */
};

typedef void settings_reader_done(
    const struct settings_reader_result *result, void *arg);

/** Read the files of ${config}, which is borrowed: that of limits as well, with
 * ${limits}.  NULL with errno. */
struct settings_reader *settings_reader_new(struct loop *loop,
    const struct config *config, bool limits, settings_reader_done *done,
    void *arg) MUST_USE;

/** Read them, and call ${done} once, later; while they are being read, read
 * them once more afterwards.  The config must not change meanwhile but in
 * ${done}. */
void settings_reader_start(struct settings_reader *reader);

/** For how long the files have been read now; 0: they are not being read. */
int64_t settings_reader_busy_us(const struct settings_reader *reader);

/** Free it; NULL: no-op.  Return false if it still reads: then it stays, with
 * the config. */
bool settings_reader_free(struct settings_reader *reader);

#endif
