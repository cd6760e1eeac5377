#include "redis/pipeline.h"

#include "net/io.h"
#include "net/loop.h"

#include "suites.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static char order[8];

static void
note(const char *what)
{
	strcat(order, what);
	if (strlen(order) == 2)
		loop_stop(loop);
}

static void
note_client(void *arg)
{
	io_stop(arg);
	note("c");
}

static bool
note_message(const redisReply *reply, void *arg)
{
	(void)reply;
	(void)arg;
	note("s");
	return true;
}

/* The pipeline was opened last, and its bytes came last. */
START_TEST(what_a_server_sent_goes_before_clients)
{
	static const struct loop_events loop_events = {0};
	static const struct pipeline_events events = {.message = note_message};
	static const char text[] =
	    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
	struct pipeline pipeline = {.stream.fd = -1};
	struct io client;
	int clients[2], servers[2];

	order[0] = '\0';
	loop = loop_new(&loop_events, NULL);
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, clients), 0);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, servers), 0);
	io_init(&client, loop, clients[0], IO_READ);
	io_start(&client, note_client, &client);
	pipeline_init(&pipeline, loop, &events, NULL);
	ck_assert_int_eq(pipeline_open(&pipeline, servers[0], NULL, 1000), 0);
	ck_assert_int_eq(write(clients[1], "x", 1), 1);
	ck_assert_int_eq(
	    write(servers[1], text, strlen(text)), (ssize_t)strlen(text));
	loop_run(loop);
	ck_assert_str_eq(order, "sc");
	pipeline_close(&pipeline);
	pipeline_free(&pipeline);
	loop_free(loop);
	close(clients[0]);
	close(clients[1]);
	close(servers[1]);
}
END_TEST

Suite *
pipeline_suite(void)
{
	Suite *suite = suite_create("pipeline");
	TCase *tcase = tcase_create("pipeline");

	tcase_add_test(tcase, what_a_server_sent_goes_before_clients);
	suite_add_tcase(suite, tcase);
	return suite;
}
