"""Long responses: written in pieces, whole, in order, and about one set of limits."""

import http.client
import socket

import harness
from harness import Client, RedisClient
from test_rude_clients import send_until_stuck

LIMITS = "".join(
    f"[limit-{i}]\nmatch = limit-{i}:*\ncapacity = 10\nrecharge = 1h\n"
    for i in range(5000))

OTHER_LIMITS = "[other]\nmatch = *\ncapacity = 1\nrecharge = 1s\n"

NAMES = [f"limit-{i}" for i in range(5000)]

def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


# What the daemon may hold for one client.
CLIENT_MAX = 80 << 10


def names(lines):
    return [line.split()[0] for line in lines]


def little_room(path):
    """A client that the daemon cannot send much at a time."""
    client = Client(path)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return client


class ReportsTest(harness.Case):
    def start(self, limits=LIMITS):
        self.admin = "127.0.0.1", harness.free_port()
        return self.daemon(limits, {"admin": {"listen": "%s:%d" % self.admin}})

    def test_limits_are_whole_in_each_protocol(self):
        daemon = self.start()
        with daemon.connect() as client:
            self.assertEqual(names(client.ask_many("LIMITS")), NAMES)
        with RedisClient(daemon.path) as client:
            self.assertEqual([line.decode().split()[0] for line in client.ask("LIMITS")],
                             NAMES)

    def test_metrics_are_whole_in_pieces(self):
        self.start()
        client = http.client.HTTPConnection(*self.admin, timeout=harness.PATIENCE)
        self.addCleanup(client.close)
        for accept in "text/plain", "application/openmetrics-text":
            client.request("GET", "/metrics", headers={"Accept": accept})
            response = client.getresponse()
            self.assertEqual(response.getheader("Transfer-Encoding"), "chunked")
            lines = response.read().decode().splitlines()
            self.assertEqual(lines[-1] == "# EOF", "open" in accept)
            allowed = [line for line in lines if 'verdict="allowed"' in line]
            self.assertEqual(len(allowed), 501)
            self.assertTrue(allowed[-1].startswith(
                'dripgate_limit_decisions_total{limit="*",verdict="allowed"} 0'))
            kinds = [line for line in lines if line.startswith("# TYPE ")]
            self.assertEqual(len(kinds), len(set(kinds)))

    def test_an_old_client_reads_to_the_end(self):
        self.start()
        with Client(self.admin) as client:
            client.send(b"GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            head, body = client.rest().split(b"\r\n\r\n", 1)
        self.assertNotIn(b"chunked", head)
        self.assertIn(b"Connection: close", head)
        self.assertIn(b"process_threads", body[-200:])

    def test_a_reload_in_the_middle_changes_nothing_of_it(self):
        daemon = self.start()
        with little_room(daemon.path) as client:
            client.send(b"LIMITS\nLIMITS\nPING\n")
            first = client.line()
            daemon.write_limits(OTHER_LIMITS)
            daemon.reload()
            self.assertEqual(names([first, *client.until_end()]), NAMES)
            self.assertEqual(names(client.until_end()), ["other"])
            self.assertEqual(client.line(), "PONG")

    def test_what_follows_is_answered_behind_it(self):
        daemon = self.start()
        with little_room(daemon.path) as client:
            client.send(b"CONSUME limit-1:x\nLIMITS\nCONSUME limit-1:x\nSTATS\nPING\n")
            self.assertIn("level=1 ", client.line())
            lines = client.until_end()
            self.assertEqual(names(lines), NAMES)
            self.assertIn(" allowed=1 ", lines[1] + " ")
            self.assertIn("level=2 ", client.line())
            self.assertIn("allowed 2", client.until_end())
            self.assertEqual(client.line(), "PONG")

    def check_memory(self, text, count=200, once=False):
        """Clients that send a text, and do not read."""
        daemon = self.start()
        with daemon.connect() as client:
            client.ask_many("LIMITS")
            client.ask(*(f"CONSUME limit-{i}:x" for i in range(1000)))
        before = daemon.memory()
        clients = [little_room(daemon.path) for _ in range(count)]
        try:
            send_until_stuck([(client, text) for client in clients], once)
            grown = daemon.memory() - before
        finally:
            for client in clients:
                client.close()
        harness.note(f"{grown / count:.0f} bytes a client")
        self.assertLess(grown / count, CLIENT_MAX)

    def test_a_client_that_does_not_read_limits_costs_little(self):
        self.check_memory(b"LIMITS\n" * 4096)

    def test_a_client_that_stores_a_transaction_costs_little(self):
        """The transaction is as long as may be, and its responses are not read."""
        for stored in command(b"PING"), command(b"CONSUME", b"k" * 500):
            self.check_memory(command(b"MULTI") + stored * (65000 // len(stored)),
                              once=True)

    def test_a_client_that_runs_transactions_costs_little(self):
        self.check_memory(command(b"MULTI") + command(b"PEEK", b"x") * 2600 +
                          command(b"EXEC"))

    def test_a_client_that_sends_bodies_costs_little(self):
        """Of many keys, as long as may be, and their responses are not read."""
        keys = b",".join(b'{"key":"limit-%d:x"}' % i for i in range(1000))
        body = b'{"each":[' + keys + b" " * (65000 - len(keys)) + b"]}"
        self.check_memory(b"POST /consume HTTP/1.1\r\nHost: x\r\nContent-Type: "
                          b"application/json\r\nContent-Length: %d\r\n\r\n%s"
                          % (len(body), body))

    def test_a_client_whose_body_does_not_end_costs_little(self):
        self.check_memory(b"GET /peek?key=x HTTP/1.1\r\nHost: x\r\n\r\n" * 20 +
                          b"POST /consume HTTP/1.1\r\nHost: x\r\nContent-Type: "
                          b"application/json\r\nContent-Length: 65000\r\n\r\n" +
                          b" " * 64999, once=True)


if __name__ == "__main__":
    harness.main()
