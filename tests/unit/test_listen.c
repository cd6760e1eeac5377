#include "net/listen.h"
#include "suites.h"

#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/dripgate-listen-XXXXXX";
static char path[sizeof(folder) + 10];
static char reason[LISTEN_REASON_MAX];
static struct listen_unix what;
static struct listen_file file;

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	what = (struct listen_unix){path, -1, ""};
}

static void
tear_down(void)
{
	unlink(path);
	rmdir(folder);
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
}

static int
open_unix(void)
{
	int fd = listen_unix(&what, &file, reason);

	if (fd == -1)
		ck_abort_msg("%s", reason);
	return fd;
}

static void
check_unix_refused(const char *expected)
{
	ck_assert_int_eq(listen_unix(&what, &file, reason), -1);
	ck_assert_str_eq(reason, expected);
	ck_assert_ptr_null(file.path);
}

static bool
exists(void)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool
accepts(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool result;

	strcpy(un.sun_path, path);
	result = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
	close(fd);
	return result;
}

START_TEST(a_unix_socket_is_opened_and_removed)
{
	int fd = open_unix();

	ck_assert(accepts());
	listen_remove(&file);
	ck_assert(!exists());
	close(fd);
}
END_TEST

START_TEST(a_socket_of_a_dead_process_is_replaced)
{
	close(open_unix());
	ck_assert(exists() && !accepts());
	open_unix();
	ck_assert(accepts());
}
END_TEST

START_TEST(a_socket_of_a_live_process_is_not)
{
	open_unix();
	check_unix_refused("Address already in use");
	ck_assert(accepts());
}
END_TEST

static void
write_file(void)
{
	FILE *out = fopen(path, "w");

	fputs("of value", out);
	fclose(out);
}

START_TEST(what_is_no_socket_is_not_touched)
{
	struct stat st;

	write_file();
	ck_assert(!listen_unix_is_possible(&what, reason));
	ck_assert_str_eq(reason, "exists, and is not a socket");
	check_unix_refused("exists, and is not a socket");
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 8);
	unlink(path);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	check_unix_refused("exists, and is not a socket");
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	check_unix_refused("exists, and is not a socket");
	rmdir(path);
}
END_TEST

START_TEST(what_others_put_there_is_not_removed)
{
	struct listen_file first;

	open_unix();
	first = file;
	unlink(path);
	open_unix();
	listen_remove(&first);
	ck_assert(accepts());
	unlink(path);
	write_file();
	listen_remove(&file);
	ck_assert(exists());
	listen_remove(&(struct listen_file){0});
}
END_TEST

static int
mode_of_file(void)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return (int)(st.st_mode & 0777);
}

START_TEST(the_mode_is_the_umasks_or_what_was_asked_for)
{
	umask(027);
	open_unix();
	ck_assert_int_eq(mode_of_file(), 0750);
	listen_remove(&file);
	what.mode = 0666;
	open_unix();
	ck_assert_int_eq(mode_of_file(), 0666);
	listen_remove(&file);
	what.mode = 0;
	open_unix();
	ck_assert_int_eq(mode_of_file(), 0);
}
END_TEST

START_TEST(the_group_is_ours_or_what_was_asked_for)
{
	struct group *ours = getgrgid(getgid());
	char number[20];
	struct stat st;

	snprintf(number, sizeof(number), "%u", (unsigned)getgid());
	what.group = number;
	open_unix();
	listen_remove(&file);
	if (ours) {
		what.group = ours->gr_name;
		open_unix();
		listen_remove(&file);
	}
	if (getuid() == 0) {
		what.group = "1234";
		open_unix();
		ck_assert_int_eq(lstat(path, &st), 0);
		ck_assert_int_eq(st.st_gid, 1234);
		listen_remove(&file);
	}
	what.group = "no-such-group";
	ck_assert(!listen_unix_is_possible(&what, reason));
	ck_assert_str_eq(reason, "there is no group no-such-group");
	check_unix_refused("there is no group no-such-group");
	ck_assert(!exists());
}
END_TEST

START_TEST(a_folder_that_is_missing_is_said)
{
	what.path = "/nonexistent/folder/s";
	ck_assert(!listen_unix_is_possible(&what, reason));
	ck_assert_str_eq(reason, "No such file or directory");
	check_unix_refused("No such file or directory");
	what.path = path;
	ck_assert(listen_unix_is_possible(&what, reason));
}
END_TEST

static struct addrinfo *
look_up(const char *address)
{
	struct addrinfo *list = listen_look_up(address, reason);

	if (!list)
		ck_abort_msg("%s", reason);
	return list;
}

/* A port that is free just now. */
static unsigned
free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	close(fd);
	return ntohs(in.sin_port);
}

START_TEST(every_address_is_one_socket_a_family)
{
	char address[20];
	int fds[LISTEN_TCP_MAX];
	struct addrinfo *list;
	int count;

	snprintf(address, sizeof(address), "*:%u", free_port());
	list = look_up(address);
	ck_assert(listen_is_possible(list, reason));
	count = listen_tcp(list, fds, reason);
	ck_assert_int_ge(count, 1);
	ck_assert_int_le(count, 2);
	for (int i = 0; i < count; i++) {
		struct sockaddr_storage name;
		socklen_t len = sizeof(name);

		getsockname(fds[i], (struct sockaddr *)&name, &len);
		ck_assert_int_eq(name.ss_family, i == 0 ? AF_INET : AF_INET6);
	}
	/* In use is no fault of the settings. */
	ck_assert(listen_is_possible(list, reason));
	ck_assert_int_eq(listen_tcp(list, fds, reason), -1);
	ck_assert_str_eq(reason, "Address already in use");
	freeaddrinfo(list);
}
END_TEST

START_TEST(an_address_may_be_there_twice)
{
	char address[30];
	int fds[LISTEN_TCP_MAX];
	struct addrinfo *first, *second;

	snprintf(address, sizeof(address), "127.0.0.1:%u", free_port());
	first = look_up(address);
	second = look_up(address);
	first->ai_next = second;
	ck_assert_int_eq(listen_tcp(first, fds, reason), 1);
	freeaddrinfo(first);
}
END_TEST

START_TEST(an_address_of_another_host_is_passed_over)
{
	char address[30];
	int fds[LISTEN_TCP_MAX];
	struct addrinfo *first = look_up("192.0.2.1:24431"), *second;

	ck_assert(!listen_is_possible(first, reason));
	ck_assert_str_eq(reason, "Cannot assign requested address");
	ck_assert_int_eq(listen_tcp(first, fds, reason), -1);
	ck_assert_str_eq(reason, "Cannot assign requested address");
	snprintf(address, sizeof(address), "127.0.0.1:%u", free_port());
	second = look_up(address);
	first->ai_next = second;
	ck_assert(listen_is_possible(first, reason));
	ck_assert_int_eq(listen_tcp(first, fds, reason), 1);
	freeaddrinfo(first);
}
END_TEST

START_TEST(what_is_no_address_is_said)
{
	ck_assert_ptr_null(listen_look_up("nonsense", reason));
	ck_assert_str_eq(
	    reason, "nonsense has no port: write HOST:PORT, :PORT or PORT");
}
END_TEST

Suite *
listen_suite(void)
{
	Suite *suite = suite_create("listen");
	TCase *tcase = tcase_create("listen");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_unix_socket_is_opened_and_removed);
	tcase_add_test(tcase, a_socket_of_a_dead_process_is_replaced);
	tcase_add_test(tcase, a_socket_of_a_live_process_is_not);
	tcase_add_test(tcase, what_is_no_socket_is_not_touched);
	tcase_add_test(tcase, what_others_put_there_is_not_removed);
	tcase_add_test(tcase, the_mode_is_the_umasks_or_what_was_asked_for);
	tcase_add_test(tcase, the_group_is_ours_or_what_was_asked_for);
	tcase_add_test(tcase, a_folder_that_is_missing_is_said);
	tcase_add_test(tcase, every_address_is_one_socket_a_family);
	tcase_add_test(tcase, an_address_may_be_there_twice);
	tcase_add_test(tcase, an_address_of_another_host_is_passed_over);
	tcase_add_test(tcase, what_is_no_address_is_said);
	suite_add_tcase(suite, tcase);
	return suite;
}
