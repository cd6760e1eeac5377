/*
 * Job: holds the text of a file until it is on disk, and reads that file.
 * Invariant: the file is never half old and half new.
 * Heart: last_good_save().
 */
#include "control/last_good.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "limit/turnstile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN   4200
#define DIGEST_LEN 48

struct last_good {
	const char *dir;
	char saved_digest[DIGEST_LEN];

	struct buf unsaved; /* the file's new text, if it holds one */
	char digest[DIGEST_LEN];
	bool holds;
	bool failed; /* the last attempt did */
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
last_good_save(const struct last_good *last_good)
{
	char path[PATH_LEN], new_path[PATH_LEN];
	int error;

	last_good_path_of(path, last_good->dir, "limits");
	last_good_path_of(new_path, last_good->dir, "limits.new");
	if (last_good_write_file(new_path, &last_good->unsaved) == 0 &&
	    rename(new_path, path) == 0)
		return last_good_sync_folder(last_good->dir);
	error = errno;
	unlink(new_path);
	errno = error;
	return -1;
}

static void
last_good_release(struct last_good *last_good)
{
	buf_free(&last_good->unsaved);
	last_good->holds = false;
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
	struct buf *text = &last_good->unsaved;

	last_good_release(last_good);
	if (strcmp(last_good->saved_digest, digest) == 0)
		return;
	snprintf(last_good->digest, sizeof(last_good->digest), "%s", digest);
	for (size_t i = 0; i < count; i++)
		if (last_good_add(text, &lines[i]) == -1) {
			log_warning("limits not saved in %s: out of memory",
			    last_good->dir);
			last_good_release(last_good);
			return;
		}
	last_good->holds = true;
}

bool
last_good_flush(struct last_good *last_good)
{
	if (!last_good->holds)
		return true;
	if (last_good_save(last_good) == -1) {
		if (!last_good->failed)
			log_warning("limits not saved in %s: %m; retrying at "
				    "each poll",
			    last_good->dir);
		last_good->failed = true;
		return false;
	}
	if (last_good->failed)
		log_info("limits saved in %s", last_good->dir);
	last_good->failed = false;
	strcpy(last_good->saved_digest, last_good->digest);
	last_good_release(last_good);
	return true;
}

struct last_good *
last_good_new(const char *dir)
{
	struct last_good *last_good = calloc(1, sizeof(*last_good));

	if (last_good)
		last_good->dir = dir;
	return last_good;
}

void
last_good_free(struct last_good *last_good)
{
	if (!last_good)
		return;
	buf_free(&last_good->unsaved);
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
