"""Clients that behave badly: the daemon survives all, and the others notice nothing."""

import contextlib
import resource
import signal
import socket
import time

import harness
from harness import PATIENT, Client, converse, wait_until

TOO_MANY = "ERR clients too many clients"

# A LIMITS of these has a response much longer than the request.
LONG_LIMITS = "".join(
    f"[limit-{i}]\nmatch = limit-{i}:*\ncapacity = 10\nrecharge = 1h\n"
    for i in range(1000))

MEGABYTE = 1 << 20


class ClientsCase(harness.Case):
    def start(self, limits=harness.LIMITS, **settings):
        return self.daemon(limits, {"workers": {"count": 4}, **settings})

    def start_with(self, redis, limits=harness.LIMITS):
        """Buckets in Redis, which may take its time."""
        return self.redis_daemon(redis, limits, {
            "workers": {"count": 4}, **PATIENT})

    def check_serves(self, daemon):
        for unix in (False, True):
            with daemon.connect(unix) as client:
                self.assertEqual(client.ask("PING"), "PONG")

    def wait_for_clients(self, daemon, count):
        """Until so many are left, and the one that asks."""
        wait_until(lambda: daemon.stats()["clients"] == count + 1, f"{count} clients")

    def addresses(self, daemon):
        return daemon.path, ("127.0.0.1", daemon.port)


def send_until_stuck(pairs, once=False):
    """Send each client its text, once or over and over, and without reading, until
    not a byte went out, however often that was tried, for longer than a machine may
    halt the daemon; how many did.  Some may have been closed by then."""
    total = tries = 0
    unsent = [text for _, text in pairs]
    for client, _ in pairs:
        client.socket.setblocking(False)
    while tries < 75:
        before = total
        for i, (client, text) in enumerate(pairs):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                sent = client.socket.send(unsent[i])
                unsent[i] = unsent[i][sent:] or (b"" if once else text)
                total += sent
        if total > before:
            tries = 0
        else:
            tries += 1
            time.sleep(0.02)
    return total


def is_closed(client):
    """Whether the daemon closed it, looked at without reading responses."""
    try:
        client.socket.send(b"\n")
        return False
    except BlockingIOError:
        return False
    except OSError:
        return True


class GoneTest(ClientsCase):
    text = b"consume login:gone\nHELP\nnonsense\nPING\nSTATS\n" * 400

    def part(self, client, way):
        """Leave in one of several ways."""
        if way == "reset":
            client.vanish()
        elif way == "half":
            client.finish()
            client.close()
        elif way == "quit":
            with contextlib.suppress(OSError):
                client.send("\nQUIT\n")
            client.close()
        else:
            client.close()

    def check_leaving(self, daemon):
        for address in self.addresses(daemon):
            for way in "reset", "close", "half", "quit":
                for size in (0, 1, 10, 5000, len(self.text)):
                    client = Client(address)
                    client.send(self.text[:size])
                    self.part(client, way)
        self.wait_for_clients(daemon, 0)
        self.check_serves(daemon)

    def test_clients_that_send_and_vanish_are_survived(self):
        daemon = self.start()
        before = daemon.descriptors()
        self.check_leaving(daemon)
        wait_until(lambda: daemon.descriptors() == before, "descriptors to be closed")

    def test_clients_that_vanish_while_redis_thinks_are_survived(self):
        redis = self.redis()
        daemon = self.start_with(redis)
        daemon.ask("consume login:before")
        redis.send(signal.SIGSTOP)
        for address in self.addresses(daemon):
            for way in "reset", "close", "half", "quit":
                client = Client(address)
                client.send(b"consume login:gone\nexplain login:gone\nstats\n" * 80)
                self.part(client, way)
        redis.send(signal.SIGCONT)
        self.wait_for_clients(daemon, 0)
        # What was asked before the end of the connection still takes effect.
        self.assertIn(" level=5 ", daemon.ask("peek login:gone"))
        self.check_leaving(daemon)

    def test_half_closed_clients_get_all_answers_and_then_the_end(self):
        texts = [b"consume login:%d\n" % i * 2000 for i in range(10)]
        for daemon in self.start(), self.start_with(self.redis()):
            for address in self.addresses(daemon):
                for answer in converse(address, *texts):
                    verdicts = [line.split(b" ")[0] for line in answer.splitlines()]
                    self.assertEqual(len(verdicts), 2000)
                    self.assertLessEqual(verdicts.count(b"ALLOW"), 5)
                self.assertEqual(converse(address, b""), [b""])

    def test_a_client_that_stays_after_quit_is_closed(self):
        daemon = self.start()
        with contextlib.ExitStack() as stack:
            silent, noisy = ([stack.enter_context(Client(address))
                              for address in self.addresses(daemon)] for _ in range(2))
            for client in silent + noisy:
                client.send("PING\nQUIT\n")
                self.assertEqual(client.rest(), b"PONG\n")

            def is_over():
                for client in noisy:
                    with contextlib.suppress(OSError):
                        client.send(b"consume login:late\n" * 1000)
                return daemon.stats()["clients"] == 1

            wait_until(is_over, "the close")
        self.assertIn(" level=0 ", daemon.ask("peek login:late"))

    def test_thousands_of_connections_leak_nothing(self):
        # Ten seconds after its start, each worker touches all of the 300 KB for TOP.
        daemon = self.start(workers={"count": 2})
        descriptors = daemon.descriptors()
        self.check_leaving(daemon)
        memory = daemon.memory()
        for i in range(4000):
            client = daemon.connect(unix=i % 2 == 0)
            if i % 3:
                client.send(b"consume login:%d\nPING" % (i % 10))
            if i % 7 == 0:
                client.send(b"\n")
                client.line()
            self.part(client, ("close", "reset", "half")[i % 3])
        self.wait_for_clients(daemon, 0)
        wait_until(lambda: daemon.descriptors() == descriptors, "all to be closed")
        self.assertLess(daemon.memory() - memory, MEGABYTE)
        self.assertGreater(daemon.stats()["connections"], 4000)


class SlowTest(ClientsCase):
    def test_clients_that_never_read_are_not_read_from_and_closed_after_10_s(self):
        daemon = self.start(LONG_LIMITS)
        before = daemon.memory()
        start = time.monotonic()
        stuck = []
        for address in self.addresses(daemon):
            for text in b"PING\n" * 20_000, b"LIMITS\n" * 2000, b"HELP\nx\n" * 2000:
                for _ in range(5):
                    client = Client(address)
                    self.addCleanup(client.close)
                    stuck.append((client, text))
        # Sockets have buffers too; 20 MB each are far more than all of these.
        sent = send_until_stuck(stuck)
        self.assertLess(sent, len(stuck) * 20 * MEGABYTE)
        self.assertLess(daemon.memory() - before, 4 * MEGABYTE + len(stuck) * (80 << 10))

        # One that reads, if slowly, is left alone.
        slow = daemon.connect()
        self.addCleanup(slow.close)
        send_until_stuck([(slow, b"HELP\n" * 1000)])
        slow.socket.settimeout(harness.PATIENCE)

        def all_closed():
            # The daemon can write again once most of what it wrote is read.
            self.assertNotEqual(slow.socket.recv(50_000), b"")
            time.sleep(0.1)
            with daemon.connect() as bystander:
                self.assertEqual(bystander.ask("PING"), "PONG")
            return all(is_closed(client) for client, _ in stuck)

        wait_until(all_closed, "the clients that do not read to be closed")
        self.assertGreater(time.monotonic() - start, 9.9)
        self.assertEqual(daemon.stats()["clients_stalled"], len(stuck))
        self.assertNotEqual(slow.socket.recv(10_000), b"")
        self.wait_for_clients(daemon, 1)

    def test_answers_of_a_client_that_does_not_read_are_bounded_with_redis(self):
        redis = self.redis()
        daemon = self.start_with(redis, LONG_LIMITS)
        with daemon.connect() as client:
            # All the responses wait for the first one, and then come at once.
            length = len("\n".join(client.ask_many("LIMITS")))
            before = daemon.memory()
            redis.send(signal.SIGSTOP)
            client.send("consume limit-1:x\n" + "LIMITS\n" * 1000)
            redis.send(signal.SIGCONT)
            self.assertTrue(client.line().startswith("ALLOW limit=limit-1 "))
            self.check_serves(daemon)
            self.assertLess(daemon.memory() - before, 4 * MEGABYTE + length)
            client.finish()
            self.assertEqual(client.rest().count(b"END\n"), 1000)

    def test_a_client_that_has_just_come_is_not_taken_for_one_that_does_not_read(self):
        # Timeouts are looked for once a second; there is always a client that
        # has come, and had its response, since the last time.
        daemon = self.daemon()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            clients = [daemon.connect() for _ in range(64)]
            for client in clients:
                client.send("PING\n")
            for client in clients:
                self.assertEqual(client.line(), "PONG")
                client.close()
        self.assertEqual(daemon.stats()["clients_stalled"], 0)

    def test_any_number_of_requests_may_be_pipelined(self):
        daemon = self.start()
        before = daemon.memory()
        answers = converse(daemon.path, *[b"PING\n" * 500_000] * 4)
        self.assertEqual({len(answer) for answer in answers}, {2_500_000})
        self.assertLess(daemon.memory() - before, 4 * MEGABYTE)

    def test_a_line_that_does_not_end_is_closed_after_line_timeout(self):
        # Longer than a client that does end it may be kept from that.
        daemon = self.start(listen={"line_timeout": "3s"})
        with contextlib.ExitStack() as stack:
            dripping, overlong, ending = (
                [stack.enter_context(Client(address))
                 for address in self.addresses(daemon)] for _ in range(3))
            start = time.monotonic()
            for client in overlong:
                client.send(b"x" * 5000)
                self.assertEqual(client.line(),
                                 "ERR toolong a line is at most 4096 bytes")

            def all_closed():
                for client in ending:
                    client.send("PI")
                for client in dripping + overlong:
                    with contextlib.suppress(OSError):
                        client.send("x")
                time.sleep(0.02)
                for client in ending:
                    client.send("NG\n")
                    self.assertEqual(client.line(), "PONG")
                return not any(map(is_waiting, dripping + overlong))

            wait_until(all_closed, "the line timeout")
            self.assertGreater(time.monotonic() - start, 2.99)
            self.assertEqual(daemon.stats()["clients_idle"], 4)

    def test_idle_clients_are_closed_after_idle_timeout(self):
        # Longer than a client that is not idle may be kept from sending.
        daemon = self.start(listen={"idle_timeout": "3s"})
        with contextlib.ExitStack() as stack:
            silent, asked_once, talking = (
                [stack.enter_context(Client(address))
                 for address in self.addresses(daemon)] for _ in range(3))
            start = time.monotonic()
            for client in asked_once:
                self.assertEqual(client.ask("PING"), "PONG")

            def all_closed():
                for client in talking:
                    self.assertEqual(client.ask("PING"), "PONG")
                return not any(map(is_waiting, silent + asked_once))

            wait_until(all_closed, "the idle timeout")
            self.assertGreater(time.monotonic() - start, 2.99)
            for client in silent + asked_once:
                self.assertEqual(client.rest(), b"")
            self.assertEqual(daemon.stats()["clients_idle"], 4)


def is_waiting(client):
    """Whether nothing came, not even the end."""
    client.socket.setblocking(False)
    try:
        client.socket.recv(1, socket.MSG_PEEK)
        return False
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        client.socket.settimeout(harness.PATIENCE)


class ManyTest(ClientsCase):
    def test_more_than_max_clients_are_told_so(self):
        daemon = self.start(listen={"max_clients": 3})
        with daemon.connect() as one, daemon.connect(unix=False) as two, \
                daemon.connect() as three:
            for client in one, two, three:
                self.assertEqual(client.ask("PING"), "PONG")
            for address in self.addresses(daemon):
                # Also if they have asked something before they are looked at.
                daemon.send(signal.SIGSTOP)
                with Client(address) as client:
                    client.send("PING\n")
                    daemon.send(signal.SIGCONT)
                    self.assertEqual(client.line(), TOO_MANY)
            self.check_refused(daemon)
            one.close()
            wait_until(lambda: "clients 2" in two.ask_many("STATS"), "room")
            self.assertEqual(daemon.ask("PING"), "PONG")

    def check_refused(self, daemon):
        for address in self.addresses(daemon):
            with Client(address) as client:
                self.assertEqual(client.rest().decode(), TOO_MANY + "\n")

    def set_max_clients(self, daemon, number):
        daemon.settings["listen"]["max_clients"] = number
        daemon.write_config()
        self.assertNotIn("max_clients", daemon.reload())

    def test_max_clients_is_reloadable(self):
        daemon = self.start(listen={"max_clients": 1})
        with daemon.connect() as first:
            self.assertEqual(first.ask("PING"), "PONG")
            self.check_refused(daemon)
            self.set_max_clients(daemon, 2)
            with daemon.connect() as second:
                self.assertEqual(second.ask("PING"), "PONG")
                self.check_refused(daemon)
                self.set_max_clients(daemon, 1)
                # No client is sent away.
                self.assertEqual(first.ask("PING"), "PONG")
                self.assertEqual(second.ask("PING"), "PONG")
                self.check_refused(daemon)

    def take_descriptors(self, daemon, count):
        """Leave it that many, fewer than it counted on at its start."""
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (count, count))

    def test_clients_leave_descriptors_for_redis_and_reloads(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, settings=harness.PATIENT, preexec_fn=lambda: (
            resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))))
        self.assertIn("warning: max_clients = 10000 is lowered to 60: raise the limit "
                      "of descriptors (LimitNOFILE=, ulimit -n) to 10088", daemon.log())
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(daemon.connect())
            self.assertTrue(first.ask("consume login:x").endswith(" from=redis"))
            clients = [stack.enter_context(daemon.connect(unix=i % 2 == 0))
                       for i in range(200)]
            wait_until(lambda: "clients 60" in first.ask_many("STATS"), "all")
            for client in clients[-50:]:
                self.assertEqual(client.rest().decode(), TOO_MANY + "\n")
            self.assertNotIn("not reloaded", daemon.reload())
            redis.kill()
            wait_until(lambda: first.ask("consume login:x 0").endswith("fallback"), "it")
            self.redis(port=redis.port, path=redis.path)
            wait_until(lambda: first.ask("consume login:x 0").endswith(" from=redis"),
                       "Redis to be back in use")
        self.assertNotIn("pauses", daemon.log())

    def test_running_out_of_descriptors_is_survived(self):
        daemon = self.daemon(settings={"workers": {"count": 2}})
        self.take_descriptors(daemon, 60)
        since = time.monotonic()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(daemon.connect(unix=i % 2 == 0))
                       for i in range(100)]
            for client in clients:
                client.send("PING\n")

            def get_served():
                return [client for client in clients if not is_waiting(client)]

            wait_until(lambda: "pauses" in daemon.log() and len(get_served()) > 20,
                       "descriptors to run out")
            served = get_served()
            self.assertLess(len(served), 60)
            for client in served:
                self.assertEqual(client.line(), "PONG")

            time.sleep(1) # ten pauses: they could fill a log

            # One leaves, one comes in, again and again.
            for client in list(served):
                self.assertEqual(client.ask("PING"), "PONG")
                client.close()
                clients.remove(client)
            for client in clients:
                self.assertEqual(client.line(), "PONG")
                client.close()
        self.check_serves(daemon)
        self.wait_for_clients(daemon, 0)
        lines = daemon.log().split("\n")
        # Each of two listeners says so every ten seconds.
        tens = (time.monotonic() - since) // 10 + 2
        self.assertLessEqual(len([line for line in lines if "pauses" in line]), 2 * tens, lines)

    def test_a_reload_without_descriptors_keeps_the_limits(self):
        daemon = self.daemon()
        self.take_descriptors(daemon, 40)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(daemon.connect()) for i in range(60)]
            wait_until(lambda: "pauses" in daemon.log(), "descriptors to run out")
            self.assertIn("not reloaded: ", daemon.reload())
            self.assertTrue(clients[0].ask("consume login:x").startswith("ALLOW"))
        self.check_serves(daemon)
        self.assertNotIn("not reloaded", daemon.reload())


if __name__ == "__main__":
    harness.main()
