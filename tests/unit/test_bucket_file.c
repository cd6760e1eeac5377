#include "store/bucket_file.h"
#include "base/attr.h"
#include "limit/key.h"
#include "store/bucket_file_format.h"
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START  INT64_C(1700000000000000)
#define SECOND INT64_C(1000000)

static char dir[] = "/tmp/bucket-file-XXXXXX";
static char path[64], new_path[64];
static char reason[BUCKET_FILE_REASON_MAX];
static struct bucket_file_count count;

static const struct limit leaky = {
    .id = {11, 10},
    .algorithm = &algorithm_leaky_bucket,
    .capacity = 5,
    .recharge_us = 60 * SECOND,
    .block_us = 300 * SECOND,
};
static const struct limit window = {
    .id = {21, 20},
    .algorithm = &algorithm_fixed_window,
    .capacity = 5,
    .window_us = 3600 * SECOND,
};

static struct memory *
table(int64_t max_buckets)
{
	struct memory *memory =
	    memory_new(&(struct memory_options){max_buckets, ON_FULL_DENY});

	ck_assert_ptr_nonnull(memory);
	return memory;
}

static struct decision
ask(struct memory *memory, const struct limit *limit, uint64_t n, enum op op,
    int64_t amount, int64_t now_us)
{
	struct decision decision;
	char text[32];
	struct key key;

	key = key_make(
	    text, (size_t)snprintf(text, sizeof(text), "k:%" PRIu64, n));
	memory_decide(memory, limit, &key, op, amount, now_us, &decision);
	return decision;
}

static void
put(struct memory *memory, const struct limit *limit, uint64_t n,
    int64_t now_us)
{
	ask(memory, limit, n, OP_CONSUME, (int64_t)(n % 5) + 1, now_us);
}

/* ${buckets} buckets of each limit. */
static struct memory *
filled(int64_t max_buckets, uint64_t buckets)
{
	struct memory *memory = table(max_buckets);

	for (uint64_t n = 0; n < buckets; n++) {
		put(memory, &leaky, n, START);
		put(memory, &window, n, START);
	}
	return memory;
}

static void
save(struct memory *memory)
{
	ck_assert_int_eq(bucket_file_save(memory, dir, START, 0, &count), 0);
}

static char *
contents(size_t *len)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *bytes;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len + 8);
	ck_assert_int_eq(read(fd, bytes, *len), (ssize_t)*len);
	close(fd);
	return bytes;
}

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/buckets", dir);
	snprintf(new_path, sizeof(new_path), "%s/buckets.new", dir);
}

static void
tear_down(void)
{
	unlink(path);
	unlink(new_path);
	rmdir(dir);
}

/* The file as the next process has it. */
static struct memory *
restored(int64_t max_buckets, int64_t now_us)
{
	struct memory *memory = table(max_buckets);
	size_t len;
	char *bytes = contents(&len);

	ck_assert_msg(bucket_file_read_bytes(
			  bytes, len, memory, now_us, &count, reason) == 0,
	    "%s", reason);
	free(bytes);
	return memory;
}

START_TEST(buckets_are_as_they_were)
{
	struct memory *memory = filled(1000, 100), *after;

	ask(memory, &leaky, 7, OP_CONSUME, 5, START); /* is blocked by this */
	save(memory);
	ck_assert_uint_eq(count.buckets, 200);
	after = restored(1000, START);
	ck_assert_uint_eq(count.buckets, 200);
	ck_assert_uint_eq(memory_buckets(after), 200);
	for (uint64_t n = 0; n < 101; n++) {
		const struct limit *const limits[] = {&leaky, &window};

		for (size_t i = 0; i < COUNT(limits); i++) {
			struct decision a = ask(
			    memory, limits[i], n, OP_PEEK, 1, START + SECOND);
			struct decision b = ask(
			    after, limits[i], n, OP_PEEK, 1, START + SECOND);

			ck_assert_int_eq(a.allowed, b.allowed);
			ck_assert_int_eq(a.level, b.level);
			ck_assert_int_eq(a.retry_us, b.retry_us);
			ck_assert_int_eq(a.blocked_us, b.blocked_us);
		}
	}
	ck_assert_int_gt(
	    ask(after, &leaky, 7, OP_PEEK, 1, START).blocked_us, 0);
	memory_free(memory);
	memory_free(after);
}
END_TEST

START_TEST(drops_leak_between_the_two_processes)
{
	struct memory *memory = table(1000), *after;

	ask(memory, &leaky, 1, OP_CONSUME, 4, START);
	ask(memory, &leaky, 2, OP_CONSUME, 1, START);
	ask(memory, &window, 3, OP_CONSUME, 4, START);
	save(memory);
	after = restored(1000, START + 120 * SECOND);
	ck_assert_uint_eq(count.buckets, 2);
	ck_assert_uint_eq(count.drained, 1);
	ck_assert_int_eq(
	    ask(after, &leaky, 1, OP_PEEK, 0, START + 120 * SECOND).level, 2);
	ck_assert_int_eq(
	    ask(after, &window, 3, OP_PEEK, 0, START + 120 * SECOND).level, 4);
	memory_free(memory);
	memory_free(after);
}
END_TEST

/* A clock that is set back while no process runs takes no drop out, and locks
 * nobody out. */
START_TEST(a_clock_that_was_set_back_changes_nothing)
{
	const int64_t now_us = START - 7 * 86400 * SECOND;
	struct memory *memory = table(1000), *after;

	ask(memory, &leaky, 1, OP_CONSUME, 4, START);
	ask(memory, &window, 3, OP_CONSUME, 4, START);
	save(memory);
	after = restored(1000, now_us);
	ck_assert_int_eq(ask(after, &leaky, 1, OP_PEEK, 0, now_us).level, 4);
	ck_assert_int_eq(
	    ask(after, &leaky, 1, OP_PEEK, 0, now_us).empty_us, 240 * SECOND);
	ck_assert_int_eq(ask(after, &window, 3, OP_PEEK, 0, now_us).level, 4);
	memory_free(memory);
	memory_free(after);
}
END_TEST

/* The process's clock does not follow the wall clock; its file does. */
START_TEST(a_clock_that_was_set_while_the_process_ran_is_no_time_that_passed)
{
	const int64_t shift_us = 86400 * SECOND;
	const int64_t now_us = START + shift_us + 60 * SECOND;
	struct memory *memory = table(1000), *after;

	ask(memory, &leaky, 1, OP_CONSUME, 4, START);
	ask(memory, &leaky, 2, OP_CONSUME, 5, START);
	ask(memory, &leaky, 2, OP_CONSUME, 1, START); /* is blocked by this */
	ck_assert_int_eq(
	    bucket_file_save(memory, dir, START, shift_us, &count), 0);
	after = restored(1000, now_us);
	ck_assert_int_eq(ask(after, &leaky, 1, OP_PEEK, 0, now_us).level, 3);
	ck_assert_int_eq(
	    ask(after, &leaky, 1, OP_PEEK, 0, now_us).blocked_us, 0);
	ck_assert_int_eq(
	    ask(after, &leaky, 2, OP_PEEK, 0, now_us).blocked_us, 240 * SECOND);
	memory_free(memory);
	memory_free(after);
}
END_TEST

START_TEST(what_has_no_room_is_counted)
{
	struct memory *memory = filled(1000, 100), *after;

	save(memory);
	after = restored(50, START);
	ck_assert_uint_eq(count.buckets, 50);
	ck_assert_uint_eq(count.homeless, 150);
	memory_free(memory);
	memory_free(after);
}
END_TEST

START_TEST(a_table_of_many_stripes_goes_into_one_of_few)
{
	struct memory *memory = filled(100000, 3000), *after;

	save(memory);
	after = restored(10000, START);
	ck_assert_uint_eq(count.buckets, 6000);
	for (uint64_t n = 0; n < 3000; n++)
		ck_assert_int_eq(ask(after, &leaky, n, OP_PEEK, 0, START).level,
		    (int64_t)(n % 5) + 1);
	memory_free(memory);
	memory_free(after);
}
END_TEST

/* Change the file by ${change}, and say why it is refused. */
static const char *
refusal_of(const char *bytes, size_t len, int64_t max_buckets)
{
	struct memory *memory = table(max_buckets);

	ck_assert_int_eq(
	    bucket_file_read_bytes(bytes, len, memory, START, &count, reason),
	    -1);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	ck_assert_uint_eq(count.buckets, 0);
	memory_free(memory);
	return reason;
}

START_TEST(a_table_of_few_stripes_is_not_enough_for_many)
{
	struct memory *memory = filled(1000, 10);
	size_t len;
	char *bytes;

	save(memory);
	bytes = contents(&len);
	ck_assert_ptr_nonnull(
	    strstr(refusal_of(bytes, len, 1000000), "max_buckets"));
	free(bytes);
	memory_free(memory);
}
END_TEST

START_TEST(no_bit_may_be_another_and_no_byte_missing)
{
	struct memory *memory = filled(1000, 3);
	size_t len;
	char *bytes;

	save(memory);
	bytes = contents(&len);
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= (char)(1 << (i % 8));
		refusal_of(bytes, len, 1000);
		bytes[i] ^= (char)(1 << (i % 8));
		refusal_of(bytes, i, 1000);
	}
	memset(bytes + len, 0, 8);
	refusal_of(bytes, len + 8, 1000);
	free(bytes);
	memory_free(memory);
}
END_TEST

static void
sign(char *bytes, size_t len)
{
	struct bucket_file_head head;
	uint64_t check = bucket_file_check(BUCKET_FILE_CHECK_START,
	    bytes + sizeof(head), len - sizeof(head) - sizeof(check));

	memcpy(bytes + len - sizeof(check), &check, sizeof(check));
	memcpy(&head, bytes, sizeof(head));
	head.check = bucket_file_check(BUCKET_FILE_CHECK_START, &head,
	    offsetof(struct bucket_file_head, check));
	memcpy(bytes, &head, sizeof(head));
}

static const struct {
	size_t at; /* from the end if it is not within the file */
	const char *reason;
} others[] = {
    {offsetof(struct bucket_file_head, magic), "no file of buckets"},
    {offsetof(struct bucket_file_head, order), "another architecture"},
    {offsetof(struct bucket_file_head, version), "another version"},
    {offsetof(struct bucket_file_head, algorithms), "other algorithms"},
    {offsetof(struct bucket_file_head, buckets), "torn"},
    {offsetof(struct bucket_file_head, now_us) + 7, "does not write"},
    /* how many buckets there are, what the first is of, the tag of the last
     * share, its number, and how long its blocks matter */
    {sizeof(struct bucket_file_head), "does not write"},
    {sizeof(struct bucket_file_head) + 16, "does not write"},
    {(size_t)-24, "does not write"},
    {(size_t)-30, "does not write"},
    {(size_t)-9, "does not write"},
};

START_TEST(what_is_whole_but_of_others_is_refused)
{
	struct memory *memory = filled(1000, 3);
	size_t len;
	char *bytes;

	save(memory);
	bytes = contents(&len);
	bytes[others[_i].at < len ? others[_i].at : len + others[_i].at] ^=
	    (char)0x81;
	sign(bytes, len);
	refusal_of(bytes, len, 1000);
	ck_assert_msg(strstr(reason, others[_i].reason) != NULL, "%s", reason);
	free(bytes);
	memory_free(memory);
}
END_TEST

/* Words of the head that no dripgate writes, whatever else the file has. */
static const struct {
	size_t at;
	uint64_t word;
	const char *reason;
} words[] = {
    {offsetof(struct bucket_file_head, shares), SHARES_COUNT + 1, "torn"},
    {offsetof(struct bucket_file_head, shares), UINT64_MAX, "torn"},
    {offsetof(struct bucket_file_head, stripes), 0, "torn"},
    {offsetof(struct bucket_file_head, stripes), 3, "torn"},
    {offsetof(struct bucket_file_head, stripes), 1 << 17, "torn"},
    {offsetof(struct bucket_file_head, buckets), UINT64_MAX, "torn"},
    {offsetof(struct bucket_file_head, now_us), UINT64_MAX, "does not write"},
    {offsetof(struct bucket_file_head, wall_us), UINT64_MAX, "does not write"},
    {offsetof(struct bucket_file_head, wall_us), INT64_MAX, "does not write"},
    {sizeof(struct bucket_file_head), UINT64_MAX, "does not write"},
    {sizeof(struct bucket_file_head), 0, "does not write"},
};

START_TEST(words_that_cannot_be_are_refused)
{
	struct memory *memory = filled(1000, 3);
	size_t len;
	char *bytes;

	save(memory);
	bytes = contents(&len);
	memcpy(bytes + words[_i].at, &words[_i].word, sizeof(words->word));
	sign(bytes, len);
	refusal_of(bytes, len, 1000);
	ck_assert_msg(strstr(reason, words[_i].reason) != NULL, "%s", reason);
	free(bytes);
	memory_free(memory);
}
END_TEST

/* A bucket says of which algorithm it is: of one that there is, and whose
 * buckets are whole without a log. */
START_TEST(buckets_are_of_algorithms_that_the_file_may_have)
{
	struct memory *memory = filled(1000, 3);
	const size_t at = sizeof(struct bucket_file_head) + 16;
	size_t len, refused = 0;
	uint64_t hi;
	char *bytes;

	save(memory);
	bytes = contents(&len);
	memcpy(&hi, bytes + at, sizeof(hi));
	for (unsigned place = 0; place <= ALGORITHM_MASK; place++) {
		const uint64_t other = (hi & ~(uint64_t)ALGORITHM_MASK) | place;

		memcpy(bytes + at, &other, sizeof(other));
		sign(bytes, len);
		if (place > 0 && place <= ALGORITHM_COUNT &&
		    !algorithm_at(place - 1)->has_log)
			continue;
		refusal_of(bytes, len, 1000);
		ck_assert_ptr_nonnull(strstr(reason, "does not write"));
		refused++;
	}
	ck_assert_uint_ge(refused, 2);
	free(bytes);
	memory_free(memory);
}
END_TEST

/* Another process saves 100 buckets of each limit, under a seed of its own. */
static void
save_elsewhere(void)
{
	const struct siphash_seed seed = {1, 2};
	pid_t child = fork();
	int status;

	if (child == 0) {
		_exit(
		    !key_set_seed(&seed) || bucket_file_save(filled(1000, 100),
						dir, START, 0, &count) == -1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(a_file_is_taken_once_with_its_seed)
{
	struct memory *memory = table(1000);
	struct bucket_file *bucket_file;

	save_elsewhere();
	ck_assert_int_eq(access(new_path, F_OK), -1);
	bucket_file = bucket_file_take(dir, reason);
	ck_assert_msg(bucket_file != NULL, "%s", reason);
	bucket_file_forget(dir);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(
	    bucket_file_read(bucket_file, memory, START, &count, reason), 0);
	for (uint64_t n = 0; n < 100; n++)
		ck_assert_int_eq(
		    ask(memory, &leaky, n, OP_PEEK, 0, START).level,
		    (int64_t)(n % 5) + 1);
	bucket_file_free(bucket_file);
	memory_free(memory);
}
END_TEST

START_TEST(a_seed_comes_before_the_first_key)
{
	save_elsewhere();
	key_make("k", 1);
	ck_assert_ptr_null(bucket_file_take(dir, reason));
	ck_assert_ptr_nonnull(strstr(reason, "keys were hashed"));
}
END_TEST

START_TEST(without_a_file_nothing_is_said)
{
	ck_assert_ptr_null(bucket_file_take(dir, reason));
	ck_assert_str_eq(reason, "");
	ck_assert_ptr_null(bucket_file_take("/nonexistent", reason));
	ck_assert_str_ne(reason, "");
}
END_TEST

START_TEST(a_file_that_others_may_write_is_left_alone)
{
	struct memory *memory = filled(1000, 1);

	save(memory);
	ck_assert_int_eq(chmod(path, 0620), 0);
	ck_assert_ptr_null(bucket_file_take(dir, reason));
	ck_assert_ptr_nonnull(strstr(reason, "this user alone"));
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 12345, (gid_t)-1), 0);
		ck_assert_ptr_null(bucket_file_take(dir, reason));
		ck_assert_ptr_nonnull(strstr(reason, "this user alone"));
	}
	unlink(path);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_ptr_null(bucket_file_take(dir, reason));
	ck_assert_str_ne(reason, "");
	memory_free(memory);
}
END_TEST

/* A disk without room for it leaves the file before. */
START_TEST(a_full_disk_leaves_the_file_before)
{
	struct memory *memory = filled(1000, 3), *more = filled(1000, 200);
	struct rlimit limit = {2000, RLIM_INFINITY};

	save(memory);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(bucket_file_save(more, dir, START, 0, &count), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(access(new_path, F_OK), -1);
	memory_free(restored(1000, START));
	ck_assert_uint_eq(count.buckets, 6);
	memory_free(memory);
	memory_free(more);
}
END_TEST

Suite *
bucket_file_suite(void)
{
	Suite *suite = suite_create("bucket_file");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, buckets_are_as_they_were);
	tcase_add_test(tcase, drops_leak_between_the_two_processes);
	tcase_add_test(tcase, a_clock_that_was_set_back_changes_nothing);
	tcase_add_test(tcase,
	    a_clock_that_was_set_while_the_process_ran_is_no_time_that_passed);
	tcase_add_test(tcase, what_has_no_room_is_counted);
	tcase_add_test(tcase, a_table_of_many_stripes_goes_into_one_of_few);
	tcase_add_test(tcase, a_table_of_few_stripes_is_not_enough_for_many);
	tcase_add_test(tcase, no_bit_may_be_another_and_no_byte_missing);
	tcase_add_loop_test(
	    tcase, what_is_whole_but_of_others_is_refused, 0, COUNT(others));
	tcase_add_loop_test(
	    tcase, words_that_cannot_be_are_refused, 0, COUNT(words));
	tcase_add_test(tcase, buckets_are_of_algorithms_that_the_file_may_have);
	tcase_add_test(tcase, a_file_is_taken_once_with_its_seed);
	tcase_add_test(tcase, a_seed_comes_before_the_first_key);
	tcase_add_test(tcase, without_a_file_nothing_is_said);
	tcase_add_test(tcase, a_file_that_others_may_write_is_left_alone);
	tcase_add_test(tcase, a_full_disk_leaves_the_file_before);
	suite_add_tcase(suite, tcase);
	return suite;
}
