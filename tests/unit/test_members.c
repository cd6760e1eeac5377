#include "control/members.h"

#include "base/attr.h"
#include "base/buf.h"
#include "redis/command.h"
#include "suites.h"

#include <errno.h>
#include <string.h>

/* The reply to ZRANGE looks like a command: an array of strings. */
static redisReply *
reply_of(struct command *command)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;

	ck_assert(!command->failed);
	ck_assert_int_eq(redisReaderFeed(reader, buf_data(&command->bytes),
			     buf_len(&command->bytes)),
	    REDIS_OK);
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_nonnull(reply);
	redisReaderFree(reader);
	command_free(command);
	return reply;
}

static redisReply *
reply_of_texts(const char *const *texts, size_t count)
{
	struct command command = {0};

	command_start(&command, count);
	for (size_t i = 0; i < count; i++)
		command_add_text(&command, texts[i]);
	return reply_of(&command);
}

static struct members *
members_of(redisReply *reply)
{
	struct members *members = members_new(reply);

	freeReplyObject(reply);
	ck_assert_ptr_nonnull(members);
	return members;
}

static struct members *
members_of_texts(const char *const *texts, size_t count)
{
	return members_of(reply_of_texts(texts, count));
}

START_TEST(members_are_bytes_in_order)
{
	static const char nul[] = {'b', '\0', '\n', '\xFF'};
	struct command command = {0};
	struct members *members;

	command_start(&command, 4);
	command_add_text(&command, "z");
	command_add(&command, nul, sizeof(nul));
	command_add_text(&command, "");
	command_add_text(&command, "a");
	members = members_of(reply_of(&command));
	ck_assert_uint_eq(members_count(members), 4);
	ck_assert_uint_eq(members_at(members, 1)->len, sizeof(nul));
	ck_assert_mem_eq(members_at(members, 1)->bytes, nul, sizeof(nul));
	ck_assert_uint_eq(members_at(members, 2)->len, 0);
	ck_assert_mem_eq(members_at(members, 3)->bytes, "a", 1);
	ck_assert(members_has(members, nul, sizeof(nul)));
	ck_assert(members_has(members, "", 0));
	ck_assert(members_has(members, "a", 1));
	ck_assert(!members_has(members, nul, 1));
	ck_assert(!members_has(members, "a\0", 2));
	ck_assert(!members_has(members, "y", 1));
	members_unref(members);
}
END_TEST

START_TEST(members_live_as_long_as_they_have_a_user)
{
	static const char *const texts[] = {"a"};
	struct members *members = members_of_texts(texts, COUNT(texts));

	ck_assert_ptr_eq(members_ref(members), members);
	members_unref(members);
	ck_assert_uint_eq(members_count(members), 1);
	members_unref(members);
	members_unref(NULL);
}
END_TEST

START_TEST(no_members_are_members_too)
{
	struct members *members = members_of_texts(NULL, 0);
	redisReply *nothing = reply_of_texts(NULL, 0);

	ck_assert_uint_eq(members_count(members), 0);
	ck_assert(!members_has(members, "", 0));
	ck_assert(members_equal(members, nothing));
	freeReplyObject(nothing);
	members_unref(members);
}
END_TEST

START_TEST(equal_is_the_same_members_in_order_with_scores_10_20)
{
	static const char *const texts[] = {"a", "b"};
	static const struct {
		const char *answer[6];
		size_t count;
		bool equal;
	} cases[] = {
	    {{"a", "10", "b", "20"}, 4, true},
	    {{"b", "10", "a", "20"}, 4, false},
	    {{"a", "10", "b", "21"}, 4, false},
	    {{"a", "1", "b", "2"}, 4, false},
	    {{"a", "10"}, 2, false},
	    {{"a", "10", "b", "20", "c", "30"}, 6, false},
	    {{"a", "10", "bb", "20"}, 4, false},
	    {{"a", "10", "", "20"}, 4, false},
	    {{"a", "10", "b", ""}, 4, false},
	    {{""}, 0, false},
	};
	struct members *members = members_of_texts(texts, COUNT(texts));

	for (size_t i = 0; i < COUNT(cases); i++) {
		redisReply *answer =
		    reply_of_texts(cases[i].answer, cases[i].count);

		ck_assert(members_is_reply(answer));
		ck_assert_msg(members_equal(members, answer) == cases[i].equal,
		    "case %zu", i);
		freeReplyObject(answer);
	}
	members_unref(members);
}
END_TEST

static const char *const strange[] = {"+OK\r\n", "-ERR no\r\n", ":1\r\n",
    "$-1\r\n", "*-1\r\n", "*2\r\n$1\r\na\r\n:10\r\n",
    "*2\r\n$1\r\na\r\n$-1\r\n", "*2\r\n*0\r\n$2\r\n10\r\n"};

START_TEST(answer_that_is_no_list_of_strings_is_refused)
{
	struct command command = {0};
	redisReply *reply;

	ck_assert_int_eq(
	    buf_add(&command.bytes, strange[_i], strlen(strange[_i])), 0);
	reply = reply_of(&command);
	errno = 0;
	ck_assert_ptr_null(members_new(reply));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert(!members_is_reply(reply));
	freeReplyObject(reply);
}
END_TEST

START_TEST(member_without_a_score_is_no_answer)
{
	static const char *const texts[] = {"a", "10", "b"};
	redisReply *reply = reply_of_texts(texts, COUNT(texts));

	ck_assert(!members_is_reply(reply));
	freeReplyObject(reply);
}
END_TEST

/* ${count} members of ${bytes} together. */
static void
check_size(size_t count, size_t bytes, bool fits)
{
	static char body[MEMBERS_BYTES_MAX + 1];
	struct command command = {0};
	struct members *members;
	redisReply *reply;

	command_start(&command, count);
	command_add(&command, body, bytes - (count - 1));
	for (size_t i = 1; i < count; i++)
		command_add(&command, body, 1);
	reply = reply_of(&command);
	errno = 0;
	members = members_new(reply);
	ck_assert(fits ? members != NULL : !members && errno == EFBIG);
	members_unref(members);
	freeReplyObject(reply);
}

START_TEST(more_than_there_is_room_for_is_refused)
{
	check_size(1, MEMBERS_BYTES_MAX, true);
	check_size(1, MEMBERS_BYTES_MAX + 1, false);
	check_size(3, MEMBERS_BYTES_MAX + 1, false);
	check_size(MEMBERS_MAX, MEMBERS_MAX, true);
	check_size(MEMBERS_MAX + 1, MEMBERS_MAX + 1, false);
}
END_TEST

START_TEST(hashes_are_equal_in_any_order)
{
	static const struct {
		const char *texts[4];
		size_t count;
		bool equal;
	} cases[] = {
	    {{"a", "1", "b", "2"}, 4, true},
	    {{"b", "2", "a", "1"}, 4, true},
	    {{"a", "2", "b", "1"}, 4, false},
	    {{"1", "a", "2", "b"}, 4, false},
	    {{"a", "1", "c", "2"}, 4, false},
	    {{"a", "1"}, 2, false},
	    {{""}, 0, false},
	};
	struct members *hash = members_of_texts(cases[0].texts, 4);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct members *other =
		    members_of_texts(cases[i].texts, cases[i].count);

		ck_assert_int_eq(
		    members_equal_hash(hash, other), cases[i].equal);
		ck_assert_int_eq(
		    members_equal_hash(other, hash), cases[i].equal);
		members_unref(other);
	}
	members_unref(hash);
}
END_TEST

Suite *
members_suite(void)
{
	Suite *suite = suite_create("members");
	TCase *tcase = tcase_create("members");

	tcase_add_test(tcase, members_are_bytes_in_order);
	tcase_add_test(tcase, members_live_as_long_as_they_have_a_user);
	tcase_add_test(tcase, no_members_are_members_too);
	tcase_add_test(
	    tcase, equal_is_the_same_members_in_order_with_scores_10_20);
	tcase_add_loop_test(tcase, answer_that_is_no_list_of_strings_is_refused,
	    0, COUNT(strange));
	tcase_add_test(tcase, member_without_a_score_is_no_answer);
	tcase_add_test(tcase, more_than_there_is_room_for_is_refused);
	tcase_add_test(tcase, hashes_are_equal_in_any_order);
	suite_add_tcase(suite, tcase);
	return suite;
}
