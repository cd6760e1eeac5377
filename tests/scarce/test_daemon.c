/*
 * The life of a daemon that runs out of memory: its start, a reload, its end.
 */
#include "scarce.h"
#include "suites.h"

#include "base/attr.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int dripgated_main(int argc, char **argv); /* src/dripgated/main.c */

#define SECOND INT64_C(1000000)

#define PEERS_MAX 40

static char folder[] = "/tmp/dripgate-scarce-XXXXXX";

static const struct {
	const char *name, *text;
} files[] = {
    {"limits.ini",
	"[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n"
	"[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 9\n"
	"lease = 1m\n"},
    {"users", "default nopass verbs=all keys=*\n"
	      "me uid=1 verbs=decide,read keys=login:*\n"},
    {"secrets", "ssssssssssssssssssssssssssssssss\n"
		"tttttttttttttttttttttttttttttttt\n"},
    {"password", "secret\n"},
};

/* What each daemon has besides. */
#define COMMON                                                                 \
	"[admin]\nlisten =\n[workers]\ncount = 1\n"                            \
	"[listen]\nline =\nunix = socket\n"

static const struct life {
	bool has_pool; /* as opposed to one that only distributes limits */
	const char *settings;
} lives[] = {
    {true, "users = users\n"
	   "[limits]\nfile = limits.ini\nwatch = yes\n"
	   "[store]\nstate_dir = .\nsnapshot = 1m\n"
	   "[upstream:up]\nurl = http://up.example/a\ncache = memory\n"},
    {true, "[limits]\nsource = redis\n"
	   "[store]\ntype = redis\nkey_secrets = secrets\nhide_limits = yes\n"
	   "[redis]\nhost = redis.example\npassword_file = password\n"
	   "[control]\nstate_dir = .\n[master]\nhost = master\n"
	   "[slave:one]\nhost = one\n[slave:two]\nhost = two\n"
	   "[upstream:up]\nurl = http://up.example/a\ncache = redis\n"},
    {true, "[limits]\nfile = limits.ini\n[store]\ntype = redis\n"
	   "[redis]\ntopology = sentinel\nhosts = one:1 two:2\n"
	   "master_name = main\nscript = function\n"},
    {true, "[limits]\nfile = limits.ini\n[store]\ntype = redis\n"
	   "[redis]\ntopology = sharded\nhosts = one:1 two:2\n"
	   "partitions = 4\n"},
    {true, "[limits]\nfile = limits.ini\n[store]\ntype = redis\n"
	   "[redis]\ntopology = cluster\nhosts = one:1 two:2\n"},
    {true, "[limits]\nsource = redis\n[store]\ntype = redis\n"
	   "[redis]\nhost = redis.example\ntls = yes\nverify = no\n"},
    {false, "[master]\nhost = master\n[slave:one]\nhost = one\n"},
};

static struct peer *peers[PEERS_MAX];
static size_t peer_count;

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void
set_up(void)
{
	fake_start();
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	for (size_t i = 0; i < COUNT(files); i++)
		write_file(files[i].name, files[i].text);
}

static void
tear_down(void)
{
	static const char *const made[] = {
	    "dripgate.ini", "socket", "buckets", "limits", "overrides"};

	for (size_t i = 0; i < COUNT(files); i++)
		unlink(files[i].name);
	for (size_t i = 0; i < COUNT(made); i++)
		unlink(made[i]);
	ck_assert_int_eq(rmdir(folder), 0);
	fake_end();
}

static int
run_daemon(void *arg)
{
	const struct life *life = arg;
	const char *words[] = {"dripgated", "-c", "dripgate.ini",
	    life->has_pool ? NULL : "--distribute-only", NULL};
	char *argv[COUNT(words)] = {NULL};
	int argc = 0, status;

	for (; words[argc]; argc++)
		argv[argc] = strdup(words[argc]);
	optind = 1; /* of getopt_long() */
	scarce_begin();
	status = dripgated_main(argc, argv);
	scarce_end();
	while (argc > 0)
		free(argv[--argc]);
	return status;
}

/* Let it start.  Its servers are there, but do not reply. */
static void
wait_for_start(void)
{
	scarce_begin();
	fake_pass(SECOND / 10);
	while (fake_dials(NULL) > 0 && peer_count < PEERS_MAX)
		peers[peer_count++] = peer_accept(NULL);
	fake_pass(3 * SECOND);
	scarce_end();
}

static void
leave_peers(void)
{
	while (peer_count > 0)
		peer_free(peers[--peer_count]);
}

/* It may have ended, but never hangs. */
static bool
is_served(void)
{
	struct peer *client = peer_reach("socket");
	bool served = false;

	if (client) {
		peer_say(client, "PING\n");
		served = strcmp(peer_heard(client), "PONG\n") == 0;
		ck_assert(served || peer_is_left(client));
	}
	peer_free(client);
	fake_run();
	return served;
}

/* Return whether it goes on by what it read. */
static bool
is_reloaded(void)
{
	const char *log;

	fake_log();
	scarce_begin();
	fake_signal(SIGHUP);
	fake_pass(SECOND);
	scarce_end();
	log = fake_log();
	if (strstr(log, "reloaded: ") || strstr(log, "settings reloaded"))
		return true;
	ck_assert_msg(strstr(log, "not reloaded: "), "%s", log);
	return false;
}

static bool
daemon_lives(const void *arg)
{
	const struct life *life = arg;
	bool started, reloaded;

	noted();
	fake_log();
	started = fake_spawn(run_daemon, (void *)(uintptr_t)life);
	if (started) {
		wait_for_start();
		started = strncmp(noted(), "ready", 5) == 0;
	}
	if (!started) {
		const char *log;

		ck_assert_int_eq(fake_finish(), EXIT_FAILURE);
		leave_peers();
		log = fake_log();
		ck_assert_msg(scarce_fails(), "%s", log);
		ck_assert_msg(strstr(log, "<3>"), "%s", log);
		return false;
	}
	ck_assert(!life->has_pool || is_served() || scarce_fails());
	reloaded = is_reloaded();
	ck_assert(!life->has_pool || is_served());
	fake_signal(SIGTERM);
	scarce_begin();
	fake_pass(20 * SECOND);
	scarce_end();
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
	leave_peers();
	alarm(0); /* it was to end in time */
	return reloaded;
}

START_TEST(daemon_starts_or_says_why_not_and_goes_on)
{
	char text[1000];

	snprintf(text, sizeof(text), COMMON "%s", lives[_i].settings);
	write_file("dripgate.ini", text);
	scarce_each(daemon_lives, &lives[_i]);
}
END_TEST

Suite *
daemon_suite(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tcase = tcase_create("daemon");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, daemon_starts_or_says_why_not_and_goes_on, 0, COUNT(lives));
	suite_add_tcase(suite, tcase);
	return suite;
}
