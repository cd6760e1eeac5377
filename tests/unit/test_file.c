#include "base/file.h"
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/dripgate-file-XXXXXX";
static char path[sizeof(folder) + 10];

static void
make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f", folder);
}

static void
remove_folder(void)
{
	unlink(path);
	rmdir(folder);
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
}

static void
write_bytes(size_t count)
{
	FILE *file = fopen(path, "w");

	for (size_t i = 0; i < count; i++)
		putc((int)('a' + i % 26), file);
	ck_assert_int_eq(fclose(file), 0);
}

static void
check_bytes(char *text, size_t len, size_t count)
{
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(len, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(text[i], 'a' + i % 26);
	ck_assert_int_eq(text[count], '\0');
	free(text);
}

START_TEST(a_regular_file_is_read_whole)
{
	static const size_t counts[] = {
	    0, 1, 65535, 65536, 65537, 131072, 200000};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		size_t len;
		char *text;

		write_bytes(counts[i]);
		text = file_read(path, &len);
		check_bytes(text, len, counts[i]);
		text = file_read_any(path, &len);
		check_bytes(text, len, counts[i]);
	}
}
END_TEST

static void
check_refused(const char *name, const char *reason)
{
	size_t len;

	ck_assert_ptr_null(file_read(name, &len));
	ck_assert_str_eq(file_error(errno), reason);
}

START_TEST(what_is_no_regular_file_is_refused_at_once)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	check_refused(path, "No such file or directory");
	check_refused(folder, "Is a directory");
	check_refused("/dev/zero", "not a regular file");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	check_refused(path, "not a regular file"); /* the writer never comes */
	unlink(path);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	check_refused(path, "not a regular file");
	close(fd);
}
END_TEST

START_TEST(the_null_device_is_an_empty_file)
{
	size_t len;
	char *text = file_read("/dev/null", &len);

	check_bytes(text, len, 0);
}
END_TEST

START_TEST(a_file_that_is_too_large_is_refused)
{
	write_bytes(1);
	ck_assert_int_eq(truncate(path, (off_t)FILE_READ_MAX + 1), 0);
	check_refused(path, "larger than 64 MiB");
}
END_TEST

START_TEST(a_pipe_can_be_read_by_who_may_wait)
{
	size_t len;
	int fds[2];
	char *text;

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	close(fds[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	text = file_read_any(path, &len);
	check_bytes(text, len, 3);
	close(fds[0]);
}
END_TEST

static bool
has_stamp(const struct file_stamp *stamp)
{
	struct file_stamp now = file_stamp(path);

	return file_stamp_is_same(&now, stamp);
}

START_TEST(a_stamp_changes_with_the_file)
{
	struct file_stamp none = file_stamp(path), stamp;
	char other[sizeof(path) + 2];

	ck_assert_int_eq(none.error, ENOENT);
	write_bytes(3);
	ck_assert(!has_stamp(&none));
	stamp = file_stamp(path);
	ck_assert(has_stamp(&stamp));
	write_bytes(4);
	ck_assert(!has_stamp(&stamp));
	snprintf(other, sizeof(other), "%s2", path);
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert(has_stamp(&none));
	stamp = file_stamp(other);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert(has_stamp(&stamp));
	ck_assert_int_eq(unlink(other), 0);
	ck_assert(has_stamp(&none));
}
END_TEST

Suite *
file_suite(void)
{
	Suite *suite = suite_create("file");
	TCase *tcase = tcase_create("file");

	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_test(tcase, a_regular_file_is_read_whole);
	tcase_add_test(tcase, what_is_no_regular_file_is_refused_at_once);
	tcase_add_test(tcase, the_null_device_is_an_empty_file);
	tcase_add_test(tcase, a_file_that_is_too_large_is_refused);
	tcase_add_test(tcase, a_pipe_can_be_read_by_who_may_wait);
	tcase_add_test(tcase, a_stamp_changes_with_the_file);
	suite_add_tcase(suite, tcase);
	return suite;
}
