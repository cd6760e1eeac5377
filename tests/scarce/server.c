#include "server.h"

#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"

#include <stdint.h>
#include <string.h>

/* How often it gets to look at what came. */
#define ROUNDS   30
#define ROUND_US INT64_C(100000)

#define PEERS_MAX 40

/* What it says to a command that begins like this; the first counts. */
struct reply {
	const char *command, *reply;
};

static const struct reply replies[] = {
    {"PING", "+PONG\r\n"},
    {"HELLO", "*6\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
	      "$4\r\nrole\r\n$6\r\nmaster\r\n"},
    {"SUBSCRIBE p:cache:purge",
	"*3\r\n$9\r\nsubscribe\r\n$13\r\np:cache:purge\r\n:1\r\n"},
    {"SUBSCRIBE control", "*3\r\n$9\r\nsubscribe\r\n$7\r\ncontrol\r\n:1\r\n"},
    {"ZSCAN", NULL},
    {"HSCAN", NULL},
    {"SUBSCRIBE +switch-master",
	"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"},
    {"SENTINEL", "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n"},
    {"EVALSHA_RO", NULL},
    {"GET", "$-1\r\n"},
    {"", ":0\r\n"},
};

/* What it says where the table has nothing. */
static const char *other = "$-1\r\n";

static struct peer *peers[PEERS_MAX];
static size_t peer_count;

void
server_replies(const char *reply)
{
	other = reply;
}

/* What is stored there. */
static const char *found = "*2\r\n$-1\r\n$-1\r\n";

void
server_finds(const char *reply)
{
	found = reply;
}

static void
server_reply(struct peer *peer, const char *command)
{
	const struct reply *row = replies;
	const char *reply;

	while (strncmp(command, row->command, strlen(row->command)) != 0)
		row++;
	reply = strncmp(command, "HMGET", 5) == 0 ? found
		: row->reply                      ? row->reply
						  : other;
	(void)peer_try_write(peer, reply, strlen(reply)); /* it may be gone */
	fake_run();
}

void
server_run(void)
{
	const char *command;

	while (fake_dials(NULL) > 0 && peer_count < PEERS_MAX)
		peers[peer_count++] = peer_accept(NULL);
	for (size_t i = 0; i < peer_count; i++)
		while ((command = peer_command(peers[i])))
			server_reply(peers[i], command);
}

void
server_serve(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		fake_pass(ROUND_US);
		server_run();
	}
}

void
server_leave(void)
{
	while (peer_count > 0)
		peer_free(peers[--peer_count]);
	noted();
}
