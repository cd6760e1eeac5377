/*
 * Commands of dripgate that need no server; and, for make check-torture, which
 * starts a Redis and a dripgated, those that do.
 */
#include "scarce.h"
#include "suites.h"

#include "base/attr.h"
#include "fake/fake.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* main() of src/cli/main.c, and of src/dripgated/main.c. */
int cli_main(int argc, char **argv);
int dripgated_main(int argc, char **argv);

#define WORDS_MAX 14
#define SAID_MAX  65536

static const struct {
	const char *name, *text;
} files[] = {
    {"gate.ini", "[limits]\nfile = limits.ini\n[listen]\nunix = none.sock\n"},
    {"redis.ini",
	"[store]\ntype = redis\n[limits]\nsource = redis\n[redis]\nusername = "
	"gate\npassword = secret\n[master]\nhost = other\n[slave:one]\n"
	"host = one\n"
	"[upstream:up]\nurl = http://up.example/a\ncache = redis\n"},
    {"limits.ini",
	"[login]\nmatch = login:*\ncapacity = 5\nrecharge = 1h\n"
	"\n[mail]\nmatch = mail:*:*\nalgorithm = fixed_window\ncapacity = 3\n"
	"window = 365d\nalso = total:$1,all\n"
	"\n[total]\nmatch = total:*\ncapacity = 9\nrate = 1/m\n"
	"\n[all]\nmatch = all\ncapacity = 9\nrate = 1/m\nshadow = yes\n"
	"\n[odd]\nmatch = ~^odd:[0-9]+$\ncapacity = 2\nrate = 30000/s\n"
	"block = 5m\n"
	"\n[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 2\n"
	"lease = 1m\n"
	"\n[route:api]\nhost = *.example\npath = /v1/{name}/*\nquery.plan = "
	"free\nkeys = login:$path.name\ncontinue = yes\n"
	"\n[route:user]\npath = /v1/*\nkeys = mail:$header.x-user:1\n"
	"amount = $header.x-cost\namount_max = 3\n"
	"\n[route:all]\npath = ~^/all/(?<what>[a-z]+)$\n"
	"keys = login:$path.what\n"},
    {"tighter.ini", "[login]\nmatch = login:*\ncapacity = 2\nrate = 1/h\n"
		    "[jobs]\nmatch = jobs:*\ncapacity = 9\nrate = 1/h\n"},
    {"envoy.yaml",
	"domain: api\ndescriptors:\n"
	"  - key: user\n"
	"    rate_limit: &limit {unit: minute, requests_per_unit: 2}\n"
	"    descriptors: [{key: path, rate_limit: *limit}]\n"
	"  - {key: user, value: guest}\n"
	"  - {key: user, value: b*, share_threshold: true, "
	"rate_limit: {<<: *limit}}\n"},
    {"demand", "dripgate recording 1\n1000000 1 login:1\n2000000 1 mail:1:2\n"
	       "3000000 1 jobs:1\n4000000 1 login:1\n5000000 1 login:1\n"
	       "6000000 1 login:2\n7000000 1 nothing\n8000000 1 mail:1:2\n"},
    {"keys", "login:1\nnothing\nodd:3\n"},
};

static char folder[] = "/tmp/dripgate-scarce-XXXXXX";

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	for (size_t i = 0; i < COUNT(files); i++) {
		FILE *file = fopen(files[i].name, "w");

		ck_assert_ptr_nonnull(file);
		ck_assert_int_ge(fputs(files[i].text, file), 0);
		ck_assert_int_eq(fclose(file), 0);
	}
}

static void
tear_down(void)
{
	static const char *const made[] = {"out", "err", "chart.svg", "dumped"};

	for (size_t i = 0; i < COUNT(files); i++)
		unlink(files[i].name);
	for (size_t i = 0; i < COUNT(made); i++)
		unlink(made[i]);
	ck_assert_int_eq(rmdir(folder), 0);
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
}

struct run {
	int status;
	char out[SAID_MAX], err[SAID_MAX];
};

static void
redirect(int fd, const char *path, int flags)
{
	int file = open(path, flags | O_CLOEXEC, 0600);

	ck_assert_int_ne(file, -1);
	ck_assert_int_eq(dup2(file, fd), fd);
	close(file);
}

static void
read_said(const char *path, char *to)
{
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(to, 1, SAID_MAX - 1, file);
	to[len] = '\0';
	fclose(file);
}

/* The command, with what it writes in files in place of this process's. */
static void
run_words(struct run *run, const char *const *words)
{
	char *argv[WORDS_MAX + 1] = {NULL};
	int argc = 0, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);

	for (; words[argc]; argc++)
		argv[argc] = strdup(words[argc]);
	optind = 1; /* of getopt_long() */
	fflush(stdout);
	redirect(STDIN_FILENO, "keys", O_RDONLY);
	rewind(stdin);
	redirect(STDOUT_FILENO, "out", O_WRONLY | O_CREAT | O_TRUNC);
	redirect(STDERR_FILENO, "err", O_WRONLY | O_CREAT | O_TRUNC);
	scarce_begin();
	run->status = strcmp(*argv, "dripgated") == 0
			  ? dripgated_main(argc, argv)
			  : cli_main(argc, argv);
	scarce_end();
	fflush(stdout);
	clearerr(stdout);
	ck_assert_int_eq(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(dup2(err, STDERR_FILENO), STDERR_FILENO);
	close(out);
	close(err);
	while (argc > 0)
		free(argv[--argc]);
	read_said("out", run->out);
	read_said("err", run->err);
	if (strcmp(*words, "dripgated") == 0)
		snprintf(run->err, SAID_MAX, "%s", fake_log());
}

struct command_case {
	int status;
	const char *words[WORDS_MAX];
};

/* Whether what is printed is another one in each run. */
static bool varies;

/* It prints what it does with memory enough, or a message: nothing half. */
static bool
command_runs(const void *arg)
{
	const struct command_case *command = arg;
	static struct run first, run;

	run_words(&run, command->words);
	if (!scarce_fails()) {
		ck_assert_msg(run.status == command->status, "status %d: %s",
		    run.status, run.err);
		first = run;
	}
	if (varies)
		first = run;
	if (run.status == command->status && !*run.err) {
		ck_assert_str_eq(run.out, first.out);
		return true;
	}
	ck_assert_msg(*run.err || strcmp(run.err, first.err) == 0,
	    "status %d, and no message", run.status);
	return run.status == command->status && strcmp(run.out, first.out) == 0;
}

/* Recorded demand of so many keys that all tables have to grow. */
static void
write_crowd(void)
{
	FILE *file = fopen("crowd", "w");

	ck_assert_ptr_nonnull(file);
	fputs("dripgate recording 1\n", file);
	for (int i = 1; i <= 3000; i++)
		fprintf(
		    file, "%d000 1 login:%d\n%d001 2 login:%d\n", i, i, i, i);
	ck_assert_int_eq(fclose(file), 0);
}

#define GATE "dripgate", "-c", "gate.ini"

static const struct command_case commands[] = {
    {0, {GATE, "limits", "check", "limits.ini"}},
    {1, {GATE, "limits", "test", "limits.ini"}},
    {0, {GATE, "limits", "import-envoy", "envoy.yaml"}},
    {0, {GATE, "limits", "import-envoy", "envoy.yaml", "--json"}},
    {0, {GATE, "limits", "import-envoy", "envoy.yaml", "--leaky"}},
    {0, {GATE, "route", "GET", "/v1/7%20/x?plan=free", "-H", "Host: a.example",
	    "-H", "X-User: u", "-H", "X-Cost: 2"}},
    {0, {GATE, "route", "get", "all/of", "--json"}},
    {1, {GATE, "what-if", "tighter.ini", "--against", "limits.ini", "--demand",
	    "demand"}},
    {1, {GATE, "what-if", "tighter.ini", "--against", "limits.ini", "--demand",
	    "demand", "--json"}},
    {0, {GATE, "what-if", "limits.ini", "--against", "limits.ini", "--demand",
	    "demand", "--chart", "chart.svg"}},
    {0, {"dripgate", "-c", "redis.ini", "acl"}},
    {0, {"dripgate", "-c", "redis.ini", "acl", "--json"}},
    {0, {"dripgate", "help", "limits", "load", "--json"}},
    {0, {"dripgate", "help", "--json"}},
    {0, {"dripgated", "-c", "gate.ini", "--check"}},
    {0, {"dripgated", "-c", "redis.ini", "--check"}},
    {0, {"dripgated", "-c", "redis.ini", "--dump-config"}},
    {0, {"dripgated", "-c", "redis.ini", "-s", "limits.file=./limits.ini", "-s",
	    "master.port=7", "--check"}},
};

START_TEST(command_prints_all_or_says_why_not)
{
	scarce_each(command_runs, &commands[_i]);
}
END_TEST

/* Too long to be run for each of its calls. */
START_TEST(demand_of_many_keys_is_replayed)
{
	static const char *const words[] = {GATE, "what-if", "tighter.ini",
	    "--against", "limits.ini", "--demand", "crowd", NULL};
	static struct run run;

	write_crowd();
	run_words(&run, words);
	unlink("crowd");
	ck_assert_int_eq(run.status, 1);
	ck_assert_str_eq(run.err, "");
	ck_assert_msg(
	    strstr(run.out, "and 2990 more keys") != NULL, "%s", run.out);
}
END_TEST

static const struct {
	const char *said;
	const char *words[WORDS_MAX];
} wrong[] = {
    {"what-if needs --demand", {GATE, "what-if", "limits.ini"}},
    {"nothing.ini", {GATE, "what-if", "nothing.ini", "--demand", "demand"}},
    {"nothing", {GATE, "what-if", "limits.ini", "--against", "limits.ini",
		    "--demand", "nothing"}},
    {"nowhere/chart", {GATE, "what-if", "limits.ini", "--against", "limits.ini",
			  "--demand", "demand", "--chart", "nowhere/chart"}},
    {"comes before the first [section]",
	{GATE, "what-if", "keys", "--demand", "demand"}},
    {"keys:1", {GATE, "what-if", "limits.ini", "--against", "limits.ini",
		   "--demand", "keys"}},
    {"GET /a b", {GATE, "route", "GET", "/a b"}},
    {"GET / : ", {GATE, "route", "GET", "/ "}},
    {"a request starts with METHOD", {GATE, "route", "G T", "/"}},
    {"a header is NAME: VALUE", {GATE, "route", "GET", "/", "-H", "nothing"}},
    {"an argument is missing", {GATE, "route", "GET"}},
    {"none.sock", {GATE, "peek", "login:1"}},
    {"none.sock", {GATE, "status"}},
    {"none.sock", {GATE, "top"}},
    {"none.sock", {GATE, "tail"}},
    {"none.sock", {GATE, "why", "login:1"}},
    {"none.sock", {GATE, "cache", "stats"}},
};

START_TEST(what_is_wrong_is_said)
{
	static struct run run;

	run_words(&run, wrong[_i].words);
	ck_assert_int_eq(run.status, 2);
	ck_assert_msg(strstr(run.err, wrong[_i].said) != NULL, "%s", run.err);
}
END_TEST

/*
 * With servers.
 */

#define SERVED "dripgate", "-c", "served.ini"
#define STORE  "dripgate", "-c", "store.ini"

/* Settings and the socket of servers that run: SCARCE_SERVERS is the folder. */
static const char *const server_files[] = {
    "served.ini", "store.ini", "gate.sock"};

static void
set_up_served(void)
{
	set_up();
	for (size_t i = 0; i < COUNT(server_files); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", getenv("SCARCE_SERVERS"),
		    server_files[i]);
		ck_assert_int_eq(symlink(path, server_files[i]), 0);
	}
}

static void
tear_down_served(void)
{
	for (size_t i = 0; i < COUNT(server_files); i++)
		unlink(server_files[i]);
	tear_down();
}

static const struct command_case served[] = {
    {0, {SERVED, "consume", "mail:1:2", "0"}},
    {0, {SERVED, "consume", "mail:1:2", "0", "--json", "--id", "a"}},
    {0, {SERVED, "mpeek", "mail:1:2", "1", "odd:1", "1"}},
    {0, {SERVED, "hold", "jobs:2", "a"}},
    {1, {SERVED, "peek", "login:1", "--json"}},
    {0, {SERVED, "explain", "login:1"}},
    {0, {SERVED, "explain", "mail:1:2", "--json"}},
    {1, {SERVED, "why", "login:1"}},
    {0, {SERVED, "why", "mail:1:2", "--json"}},
    {0, {SERVED, "status"}},
    {0, {SERVED, "status", "--json"}},
    {0, {SERVED, "stats", "--json"}},
    {0, {SERVED, "top"}},
    {0, {SERVED, "top", "login", "--json"}},
    {0, {SERVED, "watch", "--count", "2"}},
    {0, {SERVED, "watch", "--count", "1", "--json"}},
    {0, {SERVED, "watch", "--count", "1", "--nodes", "./gate.sock,./none"}},
    {0, {SERVED, "cache", "stats"}},
    {0, {SERVED, "cache", "stats", "--json"}},
    {0, {SERVED, "cache", "purge", "up:/a*"}},
    {0, {SERVED, "cache", "purge", "up", "--json"}},
    {0, {SERVED, "limits", "list"}},
    {0, {SERVED, "limits", "list", "--json"}},
    {0, {SERVED, "limits", "load", "limits.ini", "--yes", "-m", "why"}},
    {0, {SERVED, "limits", "load", "limits.ini", "--json", "--force"}},
    {0, {SERVED, "limits", "load", "tighter.ini", "--dry-run", "--yes"}},
    {0, {SERVED, "limits", "dump", "dumped", "--force"}},
    {0, {SERVED, "limits", "rollback"}},
    {0, {SERVED, "override", "set", "login:7", "x10", "--for", "1h", "--reason",
	    "a day"}},
    {0, {SERVED, "override", "set", "mail:*", "deny", "--for", "1h", "--reason",
	    "a day", "--json"}},
    {0, {SERVED, "override", "list"}},
    {0, {SERVED, "override", "list", "--json"}},
    {1, {SERVED, "override", "remove", "nothing"}},
    {0, {SERVED, "reload"}},
    {0, {SERVED, "reload", "--json", "--spread", "10s"}},
    {0, {SERVED, "command", "word", "a", "b"}},
    {1, {SERVED, "nodes", "--wait", "5ms"}},
    {1, {SERVED, "nodes", "--wait", "5ms", "--json"}},
    {0, {SERVED, "fleet"}},
    {0, {SERVED, "fleet", "--json"}},
    {0, {STORE, "topology", "set", "partitions=2"}},
    {0, {STORE, "topology", "set", "partitions=1", "--json"}},
};

/* These print the same each time. */
static const struct command_case steady[] = {
    {0, {SERVED, "reset", "login:9"}},
    {0, {SERVED, "ping"}},
    {0, {SERVED, "ping", "--json"}},
    {0, {SERVED, "limits", "dump"}},
    {0, {SERVED, "limits", "dump", "--json"}},
    {1, {SERVED, "limits", "diff", "tighter.ini"}},
    {1, {SERVED, "limits", "diff", "tighter.ini", "--json"}},
    {0, {SERVED, "limits", "diff", "1", "--json"}},
    {0, {SERVED, "limits", "log"}},
    {0, {SERVED, "limits", "log", "--json"}},
    {0, {SERVED, "limits", "show", "1"}},
    {0, {SERVED, "limits", "show", "1", "--json"}},
    {0, {SERVED, "limits", "list", "--redis"}},
    {0, {SERVED, "limits", "list", "--redis", "--json"}},
    {0, {SERVED, "limits", "import-turnstile"}},
    {0, {SERVED, "route", "GET", "/all/of", "--redis"}},
    {0, {STORE, "topology", "show"}},
    {0, {STORE, "topology", "show", "--json"}},
    {0, {STORE, "topology", "plan", "partitions=2"}},
    {0, {STORE, "topology", "plan", "partitions=2", "--json"}},
};

START_TEST(command_of_a_server_does_all_or_says_why_not)
{
	varies = true;
	scarce_each(command_runs, &served[_i]);
}
END_TEST

START_TEST(command_of_a_server_prints_all_or_says_why_not)
{
	scarce_each(command_runs, &steady[_i]);
}
END_TEST

Suite *
commands_suite(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("commands");
	TCase *servers;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, command_prints_all_or_says_why_not, 0, COUNT(commands));
	tcase_add_test(tcase, demand_of_many_keys_is_replayed);
	tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, COUNT(wrong));
	suite_add_tcase(suite, tcase);
	if (!getenv("SCARCE_SERVERS"))
		return suite;
	servers = tcase_create("servers");
	tcase_add_checked_fixture(servers, set_up_served, tear_down_served);
	/* First: each load adds to the history. */
	tcase_add_loop_test(servers,
	    command_of_a_server_prints_all_or_says_why_not, 0, COUNT(steady));
	tcase_add_loop_test(servers,
	    command_of_a_server_does_all_or_says_why_not, 0, COUNT(served));
	suite_add_tcase(suite, servers);
	return suite;
}
