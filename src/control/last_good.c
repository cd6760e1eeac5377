/*
 * Job: holds the texts of two files until they are on disk, and reads them.
 * Invariant: a file is never half old and half new.
 * Heart: last_good_save().
 */
#include "control/last_good.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "control/saved_overrides.h"
#include "limit/turnstile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN   4200
#define DIGEST_LEN 48

/* One of the files. */
struct saved_file {
	const char *name; /* in the folder; says what it has, too */
	char saved_digest[DIGEST_LEN];

	struct buf unsaved; /* its new text, if it holds one; "": no file */
	char digest[DIGEST_LEN];
	bool holds;
	bool failed; /* the last attempt did */
};

struct last_good {
	const char *dir;
	struct saved_file limits, overrides;
};

static void
last_good_path_of(char path[PATH_LEN], const char *dir, const char *name)
{
	snprintf(path, PATH_LEN, "%s/%s", dir, name);
}

static int
last_good_write_file(const char *path, const struct buf *text)
{
	FILE *file = fopen(path, "we");
	int result;

	if (!file)
		return -1;
	if (buf_len(text) > 0) /* else its bytes are NULL */
		fwrite(buf_data(text), 1, buf_len(text), file);
	result = fflush(file) == EOF || fsync(fileno(file)) == -1 ? -1 : 0;
	if (fclose(file) == EOF)
		result = -1;
	return result;
}

/* A renamed file is safe from a crash only after its folder is synced. */
static int
last_good_sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd == -1)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

/* Return 0, or -1 with errno. */
static int
last_good_replace(const struct last_good *last_good,
    const struct saved_file *file, const char *path)
{
	char name[100], new_path[PATH_LEN];
	int error;

	snprintf(name, sizeof(name), "%s.new", file->name);
	last_good_path_of(new_path, last_good->dir, name);
	if (last_good_write_file(new_path, &file->unsaved) == 0 &&
	    rename(new_path, path) == 0)
		return last_good_sync_folder(last_good->dir);
	error = errno;
	unlink(new_path);
	errno = error;
	return -1;
}

static int
last_good_remove(const struct last_good *last_good, const char *path)
{
	if (unlink(path) == 0)
		return last_good_sync_folder(last_good->dir);
	return errno == ENOENT ? 0 : -1;
}

/* The same. */
static int
last_good_save(const struct last_good *last_good, const struct saved_file *file)
{
	char path[PATH_LEN];

	last_good_path_of(path, last_good->dir, file->name);
	return buf_len(&file->unsaved) == 0 && file == &last_good->overrides
		   ? last_good_remove(last_good, path)
		   : last_good_replace(last_good, file, path);
}

static void
last_good_release(struct saved_file *file)
{
	buf_free(&file->unsaved);
	file->holds = false;
}

/* Hold a new text, unless that of this digest is saved.  Return its buffer, or
 * NULL. */
static struct buf *
last_good_hold(struct saved_file *file, const char *digest)
{
	last_good_release(file);
	if (strcmp(file->saved_digest, digest) == 0)
		return NULL;
	snprintf(file->digest, sizeof(file->digest), "%s", digest);
	file->holds = true;
	return &file->unsaved;
}

static void
last_good_lack_memory(
    const struct last_good *last_good, struct saved_file *file)
{
	log_warning(
	    "%s not saved in %s: out of memory", file->name, last_good->dir);
	last_good_release(file);
}

/* Append a limit as a line.  What Turnstile writes is no line, and is saved as
 * those that say the same. */
static int
last_good_add(struct buf *text, const struct rules_line *line)
{
	struct limit_error why;

	if (turnstile_is_member(line->bytes, line->len))
		return turnstile_write(text, line->bytes, line->len, &why) ==
			       TURNSTILE_WRONG
			   ? -1
			   : 0;
	return buf_add(text, line->bytes, line->len) == -1
		   ? -1
		   : buf_add(text, "\n", 1);
}

void
last_good_set(struct last_good *last_good, const char *digest,
    const struct rules_line *lines, size_t count)
{
	struct buf *text = last_good_hold(&last_good->limits, digest);

	for (size_t i = 0; text && i < count; i++)
		if (last_good_add(text, &lines[i]) == -1) {
			last_good_lack_memory(last_good, &last_good->limits);
			return;
		}
}

void
last_good_set_overrides(struct last_good *last_good, const char *mark,
    const struct override_line *lines, size_t count)
{
	struct buf *text = last_good_hold(&last_good->overrides, mark);

	if (text && count > 0 &&
	    saved_overrides_write(
		text, clock_us() + clock_shift_us(), lines, count) == -1)
		last_good_lack_memory(last_good, &last_good->overrides);
}

static bool
last_good_flush_file(const struct last_good *last_good, struct saved_file *file)
{
	if (!file->holds)
		return true;
	if (last_good_save(last_good, file) == -1) {
		if (!file->failed)
			log_warning("%s not saved in %s: %m; retrying at "
				    "each poll",
			    file->name, last_good->dir);
		file->failed = true;
		return false;
	}
	if (file->failed)
		log_info("%s saved in %s", file->name, last_good->dir);
	file->failed = false;
	strcpy(file->saved_digest, file->digest);
	last_good_release(file);
	return true;
}

bool
last_good_flush(struct last_good *last_good)
{
	bool limits = last_good_flush_file(last_good, &last_good->limits);
	bool overrides = last_good_flush_file(last_good, &last_good->overrides);

	return limits && overrides;
}

struct last_good *
last_good_new(const char *dir)
{
	struct last_good *last_good = calloc(1, sizeof(*last_good));

	if (!last_good)
		return NULL;
	last_good->dir = dir;
	last_good->limits = (struct saved_file){.name = "limits"};
	last_good->overrides = (struct saved_file){.name = "overrides"};
	return last_good;
}

void
last_good_free(struct last_good *last_good)
{
	if (!last_good)
		return;
	last_good_release(&last_good->limits);
	last_good_release(&last_good->overrides);
	free(last_good);
}

/* Split ${text} into ${count} lines.  The caller frees the array; NULL: out of
 * memory. */
static struct rules_line *
last_good_split(const char *text, size_t len, size_t *count)
{
	const char *end = text + len, *next;
	struct rules_line *lines;

	*count = 0;
	for (const char *at = text; at < end; at++)
		*count += *at == '\n';
	lines = calloc(*count + 1, sizeof(*lines));
	for (size_t i = 0; lines && i < *count; i++, text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		lines[i] = (struct rules_line){text, (size_t)(next - text)};
	}
	return lines;
}

struct rules *
last_good_load(const char *dir, struct reasons *reasons)
{
	struct rules *rules = NULL;
	struct rules_line *lines;
	char path[PATH_LEN];
	size_t len, count;
	char *text;

	last_good_path_of(path, dir, "limits");
	text = file_read(path, &len);
	lines = text ? last_good_split(text, len, &count) : NULL;
	if (lines)
		rules = rules_from_lines(path, lines, count, reasons);
	else
		reasons_set(reasons, "%.300s: %s", path, file_error(errno));
	free(lines);
	free(text);
	return rules;
}

struct rules *
last_good_override(
    const char *dir, struct rules *rules, struct reasons *reasons)
{
	struct override_line lines[OVERRIDES_MAX];
	char path[PATH_LEN];
	size_t len, count;
	char *text;

	last_good_path_of(path, dir, "overrides");
	text = file_read(path, &len);
	if (!text && errno == ENOENT)
		return rules;
	if (!text)
		reasons_add(reasons, "%.300s: %s", path, file_error(errno));
	else if (saved_overrides_read(text, len, clock_us() + clock_shift_us(),
		     lines, &count) == -1)
		reasons_add(reasons, "%.300s: not what was saved", path);
	else
		rules = rules_override_lines(rules, lines, count, reasons);
	free(text);
	return rules;
}
