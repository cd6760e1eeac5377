"""Two workers, and the busy clients are all of one: they share them."""

import glob
import re
import selectors

import harness
from harness import Case

LIMITS = "[all]\nmatch = *\ncapacity = 1000000\nrecharge = 1h\n"

PAIRS = 12
AHEAD = 32


class Consumer:
    """Consumes from a bucket of its own: each response is the one before and 1."""

    def __init__(self, daemon, name):
        self.client = daemon.connect()
        self.line = f"CONSUME {name}\n".encode()
        self.level = 0
        self.rest = b""
        self.client.send(self.line)
        self.receive()
        self.client.socket.setblocking(False)

    def receive(self):
        """Check what came; return how much that was."""
        *lines, self.rest = (self.rest + self.client.socket.recv(1 << 16)).split(b"\n")
        for line in lines:
            self.level += 1
            if b" level=%d " % self.level not in line:
                raise AssertionError(f"{line} instead of level {self.level}")
        return len(lines)

    def go_on(self):
        self.client.send(self.line * self.receive())


class BalanceTest(Case):
    def daemon_of_two(self):
        return self.daemon(LIMITS, {"workers": {"count": 2}})

    def owners(self, daemon):
        """Which of its event polls watches each descriptor."""
        owners = {}
        for path in glob.glob(f"/proc/{daemon.pid}/fdinfo/*"):
            with open(path, encoding="ascii") as file:
                for fd in re.findall(r"^tfd: *([0-9]+)", file.read(), re.M):
                    owners[int(fd)] = path
        return owners

    def descriptor(self, daemon, before):
        """The one that it has now and did not have before."""
        return next(iter(set(self.owners(daemon)) - set(before)))

    def pairs(self, daemon):
        """Clients of each worker, with the daemon's descriptors for them."""
        sides = {}
        for i in range(2 * PAIRS):
            before = self.owners(daemon)
            consumer = Consumer(daemon, f"key{i}")
            self.addCleanup(consumer.client.close)
            fd = self.descriptor(daemon, before)
            sides.setdefault(self.owners(daemon)[fd], []).append((consumer, fd))
        return sides.values()

    def most(self, daemon, busy):
        """The most busy clients that one worker has; one may be on its way."""
        owners = list(map(self.owners(daemon).get, (fd for _, fd in busy)))
        return max(map(owners.count, owners))

    def test_busy_clients_are_shared(self):
        daemon = self.daemon_of_two()
        busy, idle = self.pairs(daemon)
        self.assertEqual([len(busy), len(idle)], [PAIRS, PAIRS])
        self.assertEqual(self.most(daemon, busy), PAIRS)
        with selectors.DefaultSelector() as selector:
            for consumer, _ in busy:
                selector.register(consumer.client.socket, selectors.EVENT_READ, consumer)
                consumer.client.send(consumer.line * AHEAD)
            while self.most(daemon, busy) > 1.3 * PAIRS / 2:
                for _ in range(100):
                    for key, _ in selector.select(harness.PATIENCE):
                        key.data.go_on()
        for consumer, _ in busy:
            consumer.client.socket.setblocking(True)
            sent = consumer.level + AHEAD
            while consumer.level < sent:
                consumer.receive()
        stats = daemon.stats()
        self.assertGreaterEqual(stats["clients_moved"], PAIRS // 3)
        self.assertEqual(stats["allowed"],
                         sum(consumer.level for consumer, _ in [*busy, *idle]))


if __name__ == "__main__":
    harness.main()
