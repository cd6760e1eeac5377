#include "base/log.h"
#include "suites.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *
escape(size_t size, const char *bytes, size_t len)
{
	static char text[100];

	memset(text, '#', sizeof(text));
	ck_assert_ptr_eq(log_escape(text, size, bytes, len), text);
	ck_assert_int_eq(text[size], '#');
	return text;
}

START_TEST(printable_bytes_stay)
{
	ck_assert_str_eq(escape(20, "login:42 ~", 10), "login:42 ~");
	ck_assert_str_eq(escape(20, "", 0), "");
}
END_TEST

START_TEST(other_bytes_are_shown_in_hex)
{
	ck_assert_str_eq(
	    escape(50, "a\n\x1B\0\x7F\xFF", 6), "a\\x0a\\x1b\\x00\\x7f\\xff");
}
END_TEST

START_TEST(what_does_not_fit_ends_in_dots)
{
	ck_assert_str_eq(escape(9, "12345678", 8), "12345678");
	ck_assert_str_eq(escape(8, "12345678", 8), "1234...");
	ck_assert_str_eq(escape(4, "12345678", 8), "...");
	ck_assert_str_eq(escape(3, "12345678", 8), "..");
	ck_assert_str_eq(escape(1, "12345678", 8), "");
}
END_TEST

START_TEST(escape_is_never_cut_in_two)
{
	ck_assert_str_eq(escape(9, "\n\n", 2), "\\x0a\\x0a");
	ck_assert_str_eq(escape(8, "\n\n", 2), "\\x0a...");
	ck_assert_str_eq(escape(7, "\n\n", 2), "...");
}
END_TEST

START_TEST(no_room_at_all_is_left_alone)
{
	char byte = '#';

	ck_assert_ptr_eq(log_escape(&byte, 0, "x", 1), &byte);
	ck_assert_int_eq(byte, '#');
}
END_TEST

/* Run ${put} in a child, whose standard error is the journal if ${is_journal};
 * return what it wrote.  In a child, since log looks once where it writes to.
 */
static const char *
written_by(void (*put)(void), bool is_journal)
{
	static char text[4096];
	int fds[2];
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct stat st;
		char stream[50];

		fstat(fds[1], &st);
		snprintf(stream, sizeof(stream), "%ju:%ju",
		    (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + !is_journal);
		setenv("JOURNAL_STREAM", stream, 1);
		dup2(fds[1], STDERR_FILENO);
		put();
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	text[len] = '\0';
	return text;
}

static void
write_all_levels(void)
{
	log_debug("below %s", "notice");
	log_info("%d of %d", 1, 2);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("now it counts");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("not grave enough");
	log_error("grave");
}

START_TEST(plain_lines_start_with_time_and_level)
{
	const char *text = written_by(write_all_levels, false);
	static const char *const messages[] = {
	    "info: 1 of 2\n", "debug: now it counts\n", "error: grave\n"};

	for (size_t i = 0; i < 3; i++) {
		unsigned hours, minutes, seconds;
		int year, month, day, len = 0;

		sscanf(text, "%4d-%2d-%2dT%2u:%2u:%2uZ %n", &year, &month, &day,
		    &hours, &minutes, &seconds, &len);
		ck_assert_int_eq(len, 21);
		text += len;
		len = (int)strlen(messages[i]);
		ck_assert_int_eq(strncmp(text, messages[i], (size_t)len), 0);
		text += len;
	}
	ck_assert_str_eq(text, "");
}
END_TEST

static void
write_objects(void)
{
	log_set_format(LOG_FORMAT_JSON);
	log_error("\"%s\"", "a\\b\n\xFF");
	log_error("%01000d\"", 0);
	log_error(
	    "%0962d\"", 0); /* the quote would need two bytes, one is left */
}

START_TEST(lines_may_be_objects)
{
	static const char behind[] = "Z\",\"level\":\"error\",\"message\":\"";
	const char *text = written_by(write_objects, false);
	const char *first = strstr(text, behind), *line;

	ck_assert_int_eq(strncmp(text, "{\"time\":\"20", 11), 0);
	ck_assert_ptr_nonnull(first);
	first += strlen(behind);
	line = strchr(text, '\n') + 1;
	ck_assert_int_eq(
	    strncmp(first, "\\\"a\\\\b\\\\x0a\\\\xff\\\"\"}\n", line - first),
	    0);
	/* A long one is cut, but not in two. */
	for (int i = 0; i < 2; i++) {
		const char *next = strchr(line, '\n') + 1;

		ck_assert_int_eq(next - line, 1024 - i);
		ck_assert_int_eq(strncmp(next - 4, "0\"}\n", 4), 0);
		line = next;
	}
	ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(lines_to_the_journal_start_with_their_priority)
{
	ck_assert_str_eq(written_by(write_all_levels, true),
	    "<6>1 of 2\n<7>now it counts\n<3>grave\n");
}
END_TEST

static void
write_long_line(void)
{
	log_error("%02000d", 1);
	log_error("next");
}

START_TEST(long_line_is_cut_and_stays_a_line)
{
	const char *text = written_by(write_long_line, true);
	const char *end = strchr(text, '\n');

	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(end - text + 1, 1024);
	ck_assert_str_eq(end + 1, "<3>next\n");
}
END_TEST

static void
write_errno(void)
{
	errno = ENOENT;
	log_error("%m");
	log_error("%d", errno == ENOENT);
}

START_TEST(errno_is_left_alone)
{
	ck_assert_str_eq(written_by(write_errno, true),
	    "<3>No such file or directory\n<3>1\n");
}
END_TEST

static void
say(const char *text)
{
	log_limited(NULL, LOG_LEVEL_WARNING, "%s", text);
}

static void
say_all_twice(void)
{
	say("closed");
	say("refused");
	say("closed");
	say("refused");
}

START_TEST(what_somebody_said_is_no_news)
{
	ck_assert_str_eq(
	    written_by(say_all_twice, true), "<4>closed\n<4>refused\n");
}
END_TEST

static void
say_more_than_is_remembered(void)
{
	static const char letters[] = "abcdefghijklmnopaqbab";

	for (const char *at = letters; *at; at++)
		say((char[2]){*at});
}

START_TEST(what_was_said_first_is_forgotten_first)
{
	ck_assert_str_eq(written_by(say_more_than_is_remembered, true),
	    "<4>a\n<4>b\n<4>c\n<4>d\n<4>e\n<4>f\n<4>g\n<4>h\n"
	    "<4>i\n<4>j\n<4>k\n<4>l\n<4>m\n<4>n\n<4>o\n<4>p\n"
	    "<4>q\n<4>a\n<4>b\n");
}
END_TEST

static void
say_of_one_kind(void)
{
	struct log_limiter first = {0}, second = {0};

	log_info("%d", log_limited(&first, LOG_LEVEL_WARNING, "one"));
	log_info("%d", log_limited(&first, LOG_LEVEL_WARNING, "two"));
	log_info("%d", log_limited(&second, LOG_LEVEL_WARNING, "one"));
}

START_TEST(of_one_kind_one_passes)
{
	ck_assert_str_eq(
	    written_by(say_of_one_kind, true), "<4>one\n<6>1\n<6>0\n<6>1\n");
}
END_TEST

static void
say_errno_limited(void)
{
	struct log_limiter limiter = {0};

	errno = ENOENT;
	log_limited(&limiter, LOG_LEVEL_WARNING, "%m");
}

START_TEST(limited_lines_know_errno)
{
	ck_assert_str_eq(written_by(say_errno_limited, true),
	    "<4>No such file or directory\n");
}
END_TEST

Suite *
log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_test(tcase, printable_bytes_stay);
	tcase_add_test(tcase, other_bytes_are_shown_in_hex);
	tcase_add_test(tcase, what_does_not_fit_ends_in_dots);
	tcase_add_test(tcase, escape_is_never_cut_in_two);
	tcase_add_test(tcase, no_room_at_all_is_left_alone);
	tcase_add_test(tcase, plain_lines_start_with_time_and_level);
	tcase_add_test(tcase, lines_may_be_objects);
	tcase_add_test(tcase, lines_to_the_journal_start_with_their_priority);
	tcase_add_test(tcase, long_line_is_cut_and_stays_a_line);
	tcase_add_test(tcase, errno_is_left_alone);
	tcase_add_test(tcase, what_somebody_said_is_no_news);
	tcase_add_test(tcase, what_was_said_first_is_forgotten_first);
	tcase_add_test(tcase, of_one_kind_one_passes);
	tcase_add_test(tcase, limited_lines_know_errno);
	suite_add_tcase(suite, tcase);
	return suite;
}
