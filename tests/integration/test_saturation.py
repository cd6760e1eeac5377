"""All want the worker at once: each client gets its share of it."""

import selectors
import signal

import harness
from harness import PATIENT, Case, wait_until

LIMITS = "".join(f"[l{i}]\nmatch = l{i}:*\ncapacity = 1000000\nrecharge = 1h\n\n"
                 for i in range(1000))


class Asker:
    """A client that always has sent more requests than it has responses."""

    def __init__(self, daemon, line, ahead):
        self.client = daemon.connect()
        self.client.socket.setblocking(False)
        self.line = line.encode()
        self.unsent = bytearray(self.line * ahead)
        self.received = 0

    def send(self):
        if self.unsent:
            try:
                del self.unsent[:self.client.socket.send(self.unsent)]
            except BlockingIOError:
                pass

    def receive(self, end):
        """Count the responses, which end so."""
        data = self.client.socket.recv(1 << 20)
        if not data:
            raise AssertionError("closed")
        self.received += data.count(end)


class FairnessTest(Case):
    def test_decisions_beside_clients_that_ask_for_long_reports(self):
        """What takes a worker milliseconds is paid for by the client that asks for
        it: 5,000 decisions, some 10 ms of the worker, wait for few reports."""
        daemon = self.daemon(LIMITS)
        reporters = [Asker(daemon, "LIMITS\n", 200) for _ in range(3)]
        asker = Asker(daemon, "CONSUME l7:x\n", 5000)
        with selectors.DefaultSelector() as selector:
            for each in [*reporters, asker]:
                selector.register(each.client.socket, selectors.EVENT_READ, each)
            for each in reporters:
                each.send()
            while any(each.received < 1 for each in reporters):
                self.turn(selector, asker, send=False)
            before = sum(each.received for each in reporters)
            while asker.received < 5000:
                asker.send()
                self.turn(selector, asker)
        for each in [*reporters, asker]:
            each.client.close()
        self.assertLess(sum(each.received for each in reporters) - before, 150)

    def turn(self, selector, asker, send=True):
        ready = selector.select(harness.PATIENCE)
        self.assertTrue(ready, "no response")
        for key, _ in ready:
            key.data.receive(b"\n" if key.data is asker else b"\nEND\n")
            if send:
                key.data.send()

    @staticmethod
    def sent_at_once(daemon, text):
        """A client that has sent it before it could be idle."""
        daemon.send(signal.SIGSTOP)
        client = daemon.connect()
        client.send(text)
        daemon.send(signal.SIGCONT)
        return client

    def test_a_client_that_waits_for_its_turn_is_not_idle(self):
        """Reports for others take longer than the idle time-out; a client that has sent
        requests meanwhile is served, not closed."""
        daemon = self.daemon(LIMITS, {"listen": {"idle_timeout": "1s"}})
        with self.sent_at_once(daemon, "LIMITS\n" * 1500 + "PING\n") as slow:
            self.assertTrue(slow.file.read(1))
            with self.sent_at_once(daemon, "PING\n" * 3000) as client:
                self.assertEqual([client.line() for _ in range(3000)], ["PONG"] * 3000)
            while slow.line() != "PONG":
                pass


class MemoryTest(Case):
    limits = "[key]\nmatch = key:*\ncapacity = 1000000\nrecharge = 1h\n"

    def test_what_many_clients_needed_is_given_back_once_they_are_gone(self):
        daemon = self.redis_daemon(self.redis(), self.limits, PATIENT)
        with daemon.connect() as client:
            client.ask("consume key:x")
        former = daemon.memory()
        askers = [Asker(daemon, "", 0) for _ in range(400)]
        with selectors.DefaultSelector() as selector:
            for i, asker in enumerate(askers):
                asker.requests = "".join(
                    f"CONSUME key:{i}.{k}\n" for k in range(64)).encode()
                selector.register(asker.client.socket, selectors.EVENT_READ, asker)
            for _ in range(4):
                self.rounds(selector, askers)
        for asker in askers:
            asker.client.close()
        # They needed up to 70 MB; how much depends on the pace of Redis.
        wait_until(lambda: daemon.memory() <= former + (8 << 20),
                   "the memory given back", 60)

    def rounds(self, selector, askers):
        """Each asks 320 times, and gets its responses."""
        for asker in askers:
            asker.received = 0
            asker.unsent += asker.requests * 5
            asker.send()
        while any(asker.received < 320 for asker in askers):
            ready = selector.select(harness.PATIENCE)
            self.assertTrue(ready, "no response")
            for key, _ in ready:
                key.data.receive(b"\n")
                key.data.send()


if __name__ == "__main__":
    harness.main()
