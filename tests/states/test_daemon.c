#include "dripgated/daemon.h"
#include "dripgated/limits_source.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "net/loop.h"
#include "suites.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REDIS "redis.example:6379"

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)

#define LIMITS "[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n"
#define LOGIN  "login match=login:* capacity=5 rate=1/s"

static char folder[] = "/tmp/dripgate-states-XXXXXX";
static char settings_path[60], limits_path[60], socket_path[60];
static struct peer *clients[10];
static size_t client_count;
static bool distributes_only, has_upstreams;
static bool keeps; /* buckets, in the folder */

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* The settings that all tests have, and more. */
static void
write_settings(const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text),
	    "[listen]\nline =\nunix = %s\nmax_clients = 3\n"
	    "[workers]\ncount = 1\n%s",
	    socket_path, more);
	write_file(settings_path, text);
}

/* What main() does. */
static int
run_daemon(void *arg)
{
	struct reasons reasons;
	struct config *config = config_load(settings_path, NULL, &reasons);
	struct rules *rules = NULL;

	(void)arg;
	ck_assert_msg(config && config_open_upstreams(config, &reasons) == 0,
	    "%s", reasons_first(&reasons));
	if (!distributes_only) {
		rules = limits_source_start(config, &reasons);
		ck_assert_msg(rules, "%s", reasons_first(&reasons));
	}
	return daemon_run(
	    config, rules, NULL, keeps ? keeper_new(folder, 0) : NULL);
}

/* Start it, as far as to loop_run(). */
static void
start(const char *settings)
{
	write_settings(settings);
	ck_assert(fake_spawn(run_daemon, NULL));
}

static struct peer *
client_comes(void)
{
	struct peer *client = peer_reach(socket_path);

	ck_assert_ptr_nonnull(client);
	clients[client_count++] = client;
	return client;
}

static bool
is_served(struct peer *client)
{
	peer_say(client, "PING\n");
	return strcmp(peer_heard(client), "PONG\n") == 0;
}

/* Whether it listens. */
static bool
listens(void)
{
	struct peer *client = peer_reach(socket_path);

	peer_free(client);
	fake_run();
	return client != NULL;
}

/* Its loop: the workers' and the upstreams' are made before, and control's
 * after. */
static struct loop *
main_loop(void)
{
	return fake_loop(distributes_only ? 0 : has_upstreams ? 2 : 1);
}

static bool
is_over(void)
{
	return fake_loop_is_stopped(main_loop());
}

static void
end(void)
{
	fake_signal(SIGTERM);
	fake_run();
	fake_pass(SECOND);
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}

static void
set_up(void)
{
	fake_start();
	noted();
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	sprintf(settings_path, "%s/dripgate.ini", folder);
	sprintf(limits_path, "%s/limits.ini", folder);
	sprintf(socket_path, "%s/socket", folder);
	write_file(limits_path, LIMITS);
	client_count = 0;
	distributes_only = has_upstreams = false;
	keeps = false;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
tear_down(void)
{
	while (client_count > 0)
		peer_free(clients[--client_count]);
	nftw(folder, remove_one, 10, FTW_DEPTH | FTW_PHYS);
	fake_end();
}

#define FROM_FILE  "[limits]\nfile = limits.ini\n"
#define FROM_REDIS "[limits]\nsource = redis\n[control]\nhost = redis.example\n"

/*
 * The start.
 */

START_TEST(serves_by_the_limits_of_the_file)
{
	struct peer *client;

	start(FROM_FILE);
	ck_assert(!listens());
	fake_run();
	ck_assert_str_eq(noted(), "ready");
	ck_assert_ptr_nonnull(strstr(fake_systemd_status(), "1 limits"));
	client = client_comes();
	peer_say(client, "PEEK login:1\n");
	ck_assert_int_eq(
	    strncmp(peer_heard(client), "ALLOW limit=login ", 18), 0);
	end();
}
END_TEST

START_TEST(does_not_start_where_it_cannot_listen)
{
	strcpy(socket_path, "/nowhere/socket");
	start(FROM_FILE);
	fake_run();
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_FAILURE);
	ck_assert_str_eq(noted(), "");
	ck_assert_ptr_nonnull(strstr(fake_log(), "/nowhere/socket"));
}
END_TEST

START_TEST(listens_once_the_store_is_connected)
{
	struct peer *peers[3]; /* of the store, the sweep and the follower */

	start(
	    FROM_FILE "[store]\ntype = redis\n[redis]\nhost = redis.example\n");
	fake_pass(100 * MS);
	ck_assert(!listens());
	for (size_t i = 0; i < COUNT(peers); i++) {
		peers[i] = peer_accept(REDIS);
		peer_greet(peers[i]);
	}
	fake_pass(2 * MS);
	ck_assert(!listens());
	ck_assert_pstr_eq(
	    peer_command(peers[2]), "SET drip:topology partitions=1 NX GET");
	peer_say(peers[2], "$-1\r\n");
	fake_pass(2 * MS);
	ck_assert_str_eq(noted(), "ready");
	ck_assert(listens());
	end();
	for (size_t i = 0; i < COUNT(peers); i++)
		peer_free(peers[i]);
}
END_TEST

START_TEST(listens_once_the_store_of_the_upstreams_is_connected)
{
	struct peer *peers[6]; /* the last two: that store, the follower */

	has_upstreams = true;
	start(FROM_FILE "[store]\ntype = redis\n[redis]\nhost = redis.example\n"
			"[upstream:api]\nurl = http://localhost:1\n"
			"limit_key = login:1\n");
	for (size_t i = 0; i < COUNT(peers); i++) {
		peers[i] = peer_accept(REDIS);
		if (i != 4)
			peer_greet(peers[i]);
	}
	ck_assert_pstr_eq(
	    peer_command(peers[5]), "SET drip:topology partitions=1 NX GET");
	peer_say(peers[5], "$-1\r\n");
	fake_pass(2 * MS);
	ck_assert(!listens());
	peer_greet(peers[4]);
	fake_pass(2 * MS);
	ck_assert(listens());
	end();
	for (size_t i = 0; i < COUNT(peers); i++)
		peer_free(peers[i]);
}
END_TEST

START_TEST(listens_once_the_store_cannot_be_connected)
{
	start(
	    FROM_FILE "[store]\ntype = redis\n[redis]\nhost = redis.example\n");
	fake_pass(249 * MS);
	ck_assert(!listens());
	fake_pass(4 * MS);
	ck_assert(listens());
	end();
}
END_TEST

/* The link that calls, then the subscription. */
static void
accept_control(struct peer *peers[2])
{
	for (int i = 0; i < 2; i++) {
		peers[i] = peer_accept(REDIS);
		peer_greet(peers[i]);
	}
	ck_assert_pstr_eq(peer_command(peers[1]), "SUBSCRIBE control");
	peer_say(peers[1], "*3\r\n$9\r\nsubscribe\r\n$7\r\ncontrol\r\n:1\r\n");
}

static void
reply_limits(struct peer *server)
{
	const char *command = peer_command(server);

	ck_assert(command && strncmp(command, "EVALSHA_RO ", 11) == 0);
	peer_say(server,
	    "*2\r\n$40\r\n0123456789012345678901234567890123456789\r\n"
	    "$%zu\r\n%s\r\n",
	    strlen(LOGIN), LOGIN);
}

START_TEST(listens_once_the_limits_are_read)
{
	struct peer *peers[2], *client;

	start(FROM_REDIS);
	accept_control(peers);
	fake_pass(100 * MS);
	ck_assert(!listens());
	reply_limits(peers[0]);
	fake_pass(2 * MS);
	client = client_comes();
	peer_say(client, "PEEK login:1\n");
	ck_assert_int_eq(
	    strncmp(peer_heard(client), "ALLOW limit=login ", 18), 0);
	ck_assert_ptr_nonnull(
	    strstr(fake_systemd_status(), "1 limits from Redis"));
	end();
	peer_free(peers[0]);
	peer_free(peers[1]);
}
END_TEST

/* Clients are not to wait for it. */
START_TEST(listens_after_a_second_without_limits)
{
	start(FROM_REDIS);
	fake_pass(999 * MS);
	ck_assert(!listens());
	fake_pass(3 * MS);
	ck_assert(listens());
	ck_assert_ptr_nonnull(strstr(fake_log(), "<3>no limits available"));
	ck_assert_int_eq(strncmp(noted(), "ready", 5), 0);
	end();
}
END_TEST

START_TEST(limits_that_come_late_are_taken)
{
	struct peer *peers[2], *client;

	start(FROM_REDIS);
	fake_pass(2 * SECOND);
	client = client_comes();
	accept_control(peers);
	reply_limits(peers[0]);
	peer_say(client, "PEEK login:1\n");
	ck_assert_int_eq(
	    strncmp(peer_heard(client), "ALLOW limit=login ", 18), 0);
	end();
	peer_free(peers[0]);
	peer_free(peers[1]);
}
END_TEST

START_TEST(distributes_without_serving)
{
	distributes_only = true;
	start("[master]\nhost = master\n[slave:one]\nhost = one\n");
	fake_run();
	ck_assert_str_eq(noted(), "ready");
	ck_assert(!listens());
	ck_assert_uint_eq(fake_dials("master:6379"), 2);
	ck_assert_uint_eq(fake_dials("one:6379"), 1);
	fake_pass(2 * SECOND);
	ck_assert_str_eq(noted(), "pat pat");
	fake_signal(SIGTERM);
	fake_run();
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

/*
 * Serving.
 */

START_TEST(client_too_many_is_refused)
{
	struct peer *last;

	start(FROM_FILE);
	fake_run();
	ck_assert(is_served(client_comes()));
	ck_assert(is_served(client_comes()));
	ck_assert(is_served(client_comes()));
	last = client_comes();
	peer_say(last, "PING\n");
	ck_assert_int_eq(strncmp(peer_heard(last), "ERR toomany", 3), 0);
	fake_pass(5 * SECOND);
	ck_assert(peer_is_left(last));
	peer_close(clients[0]);
	ck_assert(is_served(client_comes()));
	end();
}
END_TEST

START_TEST(watchdog_is_patted_while_the_workers_live)
{
	fake_systemd_watchdog(3 * SECOND);
	start(FROM_FILE);
	fake_pass(3 * SECOND);
	ck_assert_str_eq(noted(), "ready pat pat pat");
	fake_loop_hang(fake_loop(0));
	fake_pass(5 * SECOND);
	noted();
	fake_pass(10 * SECOND);
	ck_assert_str_eq(noted(), "");
	fake_signal(SIGTERM); /* the worker never ends, and is cut off */
	fake_pass(9 * SECOND);
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

START_TEST(watchdog_in_a_hurry_is_patted_twice_as_often)
{
	fake_systemd_watchdog(200 * MS);
	start(FROM_FILE);
	fake_pass(SECOND);
	ck_assert_uint_ge(strlen(noted()), strlen("ready") + 9 * 4);
	end();
}
END_TEST

/*
 * Reloads.
 */

START_TEST(reload_takes_the_limits_of_the_file)
{
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	noted();
	write_file(limits_path, "[new]\nmatch = *\ncapacity = 5\nrate = 1/s\n");
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_str_eq(noted(), "reloading ready");
	client = client_comes();
	peer_say(client, "PEEK login:1\n");
	ck_assert_int_eq(
	    strncmp(peer_heard(client), "ALLOW limit=new ", 16), 0);
	end();
}
END_TEST

START_TEST(reload_of_wrong_limits_changes_nothing)
{
	struct peer *client;

	start(FROM_FILE "unmatched = deny\n");
	fake_run();
	noted();
	fake_log();
	write_file(limits_path, "[new]\nmatch = *\ncapacity = 0\nrate = 1/s\n");
	write_settings(FROM_FILE "unmatched = allow\n");
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_str_eq(noted(), "reloading ready");
	ck_assert_ptr_nonnull(strstr(fake_log(), "<3>limits not reloaded"));
	ck_assert_ptr_nonnull(
	    strstr(fake_systemd_status(), "; not reloaded: "));
	client = client_comes();
	peer_say(client, "PEEK login:1\nPEEK other\n");
	ck_assert_ptr_nonnull(strstr(peer_heard(client), "\nDENY "));
	write_file(limits_path, LIMITS); /* mended */
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_ptr_null(strstr(fake_systemd_status(), "; not reloaded: "));
	peer_say(client, "PEEK other\n");
	ck_assert_int_eq(strncmp(peer_heard(client), "ALLOW ", 6), 0);
	end();
}
END_TEST

START_TEST(reload_of_wrong_settings_changes_nothing)
{
	start(FROM_FILE);
	fake_run();
	noted();
	fake_log();
	write_settings(FROM_FILE "unmatched = nonsense\n");
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_str_eq(noted(), "reloading ready");
	ck_assert_ptr_nonnull(strstr(fake_log(), "<3>settings not reloaded"));
	ck_assert(is_served(client_comes()));
	end();
}
END_TEST

/* As in a file system that does. */
START_TEST(reload_that_hangs_stops_nothing)
{
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	noted();
	fake_log();
	fake_background_holds(true);
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_str_eq(noted(), "reloading");
	client = client_comes();
	ck_assert(is_served(client));
	fake_pass(5 * SECOND);
	ck_assert_ptr_nonnull(strstr(fake_log(), "<4>not reloaded yet: "));
	noted();
	write_file(limits_path, "[new]\nmatch = *\ncapacity = 5\nrate = 1/s\n");
	fake_background_holds(false);
	fake_run();
	ck_assert_str_eq(noted(), "ready");
	peer_say(client, "PEEK login:1\n");
	ck_assert_int_eq(
	    strncmp(peer_heard(client), "ALLOW limit=new ", 16), 0);
	end();
}
END_TEST

START_TEST(reloads_during_a_reload_are_one_more)
{
	start(FROM_FILE);
	fake_run();
	noted();
	fake_background_holds(true);
	for (int i = 0; i < 3; i++) {
		fake_signal(SIGHUP);
		fake_run();
	}
	ck_assert_str_eq(noted(), "reloading reloading reloading");
	fake_log();
	fake_background_holds(false);
	fake_run();
	ck_assert_str_eq(noted(), "ready ready");
	end();
}
END_TEST

START_TEST(setting_of_the_next_start_is_named)
{
	start(FROM_FILE);
	fake_run();
	fake_log();
	write_settings(FROM_FILE "[store]\nmax_buckets = 7\n");
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_ptr_nonnull(strstr(fake_log(), "<4>[store] max_buckets"));
	end();
}
END_TEST

START_TEST(reload_has_the_key_read)
{
	struct peer *peers[2];

	start(FROM_REDIS);
	accept_control(peers);
	reply_limits(peers[0]);
	while (peer_command(peers[0]))
		peer_say(peers[0], ":1\r\n");
	fake_pass(2 * MS);
	fake_signal(SIGHUP);
	fake_run();
	reply_limits(peers[0]);
	end();
	peer_free(peers[0]);
	peer_free(peers[1]);
}
END_TEST

/*
 * The end.
 */

START_TEST(drains_and_ends)
{
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	client = client_comes();
	ck_assert(is_served(client));
	noted();
	fake_signal(SIGTERM);
	fake_run();
	ck_assert_str_eq(noted(), "stopping");
	ck_assert_int_eq(remove(socket_path), -1); /* it is gone */
	ck_assert(!is_over());
	ck_assert(is_served(client));
	fake_pass(200 * MS);
	ck_assert(peer_is_left(client));
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

/* Those that knocked already are let in. */
START_TEST(client_that_waits_to_be_accepted_is_served)
{
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	fake_signal(SIGTERM);
	client = client_comes(); /* the signal comes first */
	peer_say(client, "PING\n");
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(SECOND);
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

START_TEST(second_signal_ends_at_once)
{
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	client = client_comes();
	peer_say(client, "PI");
	fake_signal(SIGTERM);
	fake_run();
	ck_assert(!is_over());
	fake_signal(SIGINT);
	fake_run();
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
	ck_assert(peer_is_left(client));
}
END_TEST

START_TEST(client_that_does_not_read_is_cut_off)
{
	static char text[100000];
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	client = client_comes();
	memset(text, '\n', sizeof(text));
	for (size_t i = 0; i < sizeof(text); i += 5)
		memcpy(text + i, "HELP\n", 5);
	peer_write(client, text, sizeof(text));
	fake_run();
	fake_log();
	fake_signal(SIGTERM);
	fake_pass(9 * SECOND - 1);
	ck_assert(!is_over());
	fake_pass(20 * MS);
	ck_assert(is_over());
	ck_assert_ptr_nonnull(
	    strstr(fake_log(), "<4>closing 1 clients that are not done"));
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

/* Whether the file of buckets is there. */
static bool
is_kept(void)
{
	char path[sizeof(folder) + 10];

	snprintf(path, sizeof(path), "%s/buckets", folder);
	return access(path, F_OK) == 0;
}

START_TEST(buckets_are_kept_before_it_ends)
{
	keeps = true;
	start(FROM_FILE);
	fake_run();
	ck_assert(is_served(client_comes()));
	ck_assert(!is_kept());
	fake_signal(SIGTERM);
	fake_pass(200 * MS);
	ck_assert(is_over());
	ck_assert(is_kept());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

START_TEST(a_disk_that_hangs_does_not_keep_it_from_its_end)
{
	fake_systemd_keeps(true);
	keeps = true;
	start(FROM_FILE);
	fake_run();
	ck_assert(is_served(client_comes()));
	fake_background_holds(true);
	noted();
	fake_log();
	fake_signal(SIGTERM);
	fake_pass(9 * SECOND - 1);
	ck_assert(!is_over());
	fake_pass(20 * MS);
	ck_assert(is_over());
	ck_assert_ptr_nonnull(
	    strstr(fake_log(), "<4>buckets not saved: the disk is too slow"));
	ck_assert_str_eq(noted(), "stopping keep:1");
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

START_TEST(a_client_that_does_not_read_costs_no_buckets)
{
	static char text[100000];

	keeps = true;
	start(FROM_FILE);
	fake_run();
	for (size_t i = 0; i < sizeof(text); i += 5)
		memcpy(text + i, "HELP\n", 5);
	peer_write(client_comes(), text, sizeof(text));
	fake_run();
	fake_signal(SIGTERM);
	fake_pass(7 * SECOND);
	ck_assert(!is_kept());
	fake_pass(2 * SECOND + 20 * MS);
	ck_assert(is_over());
	ck_assert(is_kept());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

START_TEST(clients_are_left_to_systemd)
{
	fake_systemd_keeps(true);
	start(FROM_FILE);
	fake_run();
	ck_assert(is_served(client_comes()));
	ck_assert(is_served(client_comes()));
	noted();
	fake_signal(SIGTERM);
	fake_pass(100 * MS);
	ck_assert_str_eq(noted(), "stopping keep:2");
	ck_assert(is_over());
	ck_assert(!peer_is_left(clients[0]));
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

START_TEST(signal_during_the_start_ends_it)
{
	start(FROM_REDIS);
	fake_pass(10 * MS);
	fake_signal(SIGTERM);
	fake_pass(100 * MS);
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
	ck_assert_str_eq(noted(), "stopping");
}
END_TEST

/* No reload is said to be over while it stops. */
START_TEST(reload_while_draining_is_not_told)
{
	struct peer *client;

	start(FROM_FILE);
	fake_run();
	client = client_comes();
	peer_say(client, "PI");
	fake_signal(SIGTERM);
	fake_run();
	noted();
	fake_signal(SIGHUP);
	fake_run();
	ck_assert_str_eq(noted(), "");
	fake_pass(4 * SECOND);
	ck_assert(is_over());
	ck_assert_int_eq(fake_finish(), EXIT_SUCCESS);
}
END_TEST

Suite *
daemon_suite(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tcase = tcase_create("daemon");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, serves_by_the_limits_of_the_file);
	tcase_add_test(tcase, does_not_start_where_it_cannot_listen);
	tcase_add_test(tcase, listens_once_the_store_is_connected);
	tcase_add_test(
	    tcase, listens_once_the_store_of_the_upstreams_is_connected);
	tcase_add_test(tcase, listens_once_the_store_cannot_be_connected);
	tcase_add_test(tcase, listens_once_the_limits_are_read);
	tcase_add_test(tcase, listens_after_a_second_without_limits);
	tcase_add_test(tcase, limits_that_come_late_are_taken);
	tcase_add_test(tcase, distributes_without_serving);
	tcase_add_test(tcase, client_too_many_is_refused);
	tcase_add_test(tcase, watchdog_is_patted_while_the_workers_live);
	tcase_add_test(tcase, watchdog_in_a_hurry_is_patted_twice_as_often);
	tcase_add_test(tcase, reload_takes_the_limits_of_the_file);
	tcase_add_test(tcase, reload_of_wrong_limits_changes_nothing);
	tcase_add_test(tcase, reload_of_wrong_settings_changes_nothing);
	tcase_add_test(tcase, reload_that_hangs_stops_nothing);
	tcase_add_test(tcase, reloads_during_a_reload_are_one_more);
	tcase_add_test(tcase, setting_of_the_next_start_is_named);
	tcase_add_test(tcase, reload_has_the_key_read);
	tcase_add_test(tcase, drains_and_ends);
	tcase_add_test(tcase, client_that_waits_to_be_accepted_is_served);
	tcase_add_test(tcase, second_signal_ends_at_once);
	tcase_add_test(tcase, client_that_does_not_read_is_cut_off);
	tcase_add_test(tcase, buckets_are_kept_before_it_ends);
	tcase_add_test(tcase, a_disk_that_hangs_does_not_keep_it_from_its_end);
	tcase_add_test(tcase, a_client_that_does_not_read_costs_no_buckets);
	tcase_add_test(tcase, clients_are_left_to_systemd);
	tcase_add_test(tcase, signal_during_the_start_ends_it);
	tcase_add_test(tcase, reload_while_draining_is_not_told);
	suite_add_tcase(suite, tcase);
	return suite;
}
