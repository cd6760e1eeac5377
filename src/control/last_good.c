#include "control/last_good.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 4200

static void
path_of(char path[PATH_LEN], const char *dir, const char *name)
{
	snprintf(path, PATH_LEN, "%s/%s", dir, name);
}

static int
write_lines(FILE *file, const struct rules_line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fwrite(lines[i].bytes, 1, lines[i].len, file);
		fputc('\n', file);
	}
	return fflush(file) == EOF || fsync(fileno(file)) == -1 ? -1 : 0;
}

static int
write_file(const char *path, const struct rules_line *lines, size_t count)
{
	FILE *file = fopen(path, "we");
	int result;

	if (!file)
		return -1;
	result = write_lines(file, lines, count);
	if (fclose(file) == EOF)
		result = -1;
	return result;
}

/* A file's name is on disk once its folder is. */
static int
sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd == -1)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

int
last_good_save(const char *dir, const struct rules_line *lines, size_t count)
{
	char path[PATH_LEN], new_path[PATH_LEN];
	int error;

	path_of(path, dir, "limits");
	path_of(new_path, dir, "limits.new");
	if (write_file(new_path, lines, count) == 0 &&
	    rename(new_path, path) == 0)
		return sync_folder(dir);
	error = errno;
	unlink(new_path);
	errno = error;
	return -1;
}

/* Cut ${text} into lines, ${count} of them, the caller's to free; NULL: out of
 * memory. */
static struct rules_line *
cut(const char *text, size_t len, size_t *count)
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
last_good_load(const char *dir, struct rules_error *error)
{
	struct rules *rules = NULL;
	struct rules_line *lines;
	char path[PATH_LEN];
	size_t len, count;
	char *text;

	path_of(path, dir, "limits");
	text = file_read(path, &len);
	lines = text ? cut(text, len, &count) : NULL;
	if (lines)
		rules = rules_from_lines(path, lines, count, error);
	else
		snprintf(error->reason, sizeof(error->reason), "%.300s: %s",
		    path, strerror(errno));
	free(lines);
	free(text);
	return rules;
}
