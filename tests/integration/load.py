"""Clients that go on asking while a test does something to the servers.

One thread serves them all, so that what it measures is the daemon and not the
scheduling of threads.  Each client has one request under way at a time, and
pauses between two.
"""

import collections
import selectors
import socket
import threading
import time

from harness import PATIENCE, wait_until

# halted: how much of the time in between the machine did not let us run
Answer = collections.namedtuple("Answer", "client line sent received halted reply")

# A turn of the loop that is later than this has had to wait for the machine.
LATE = 0.002


def seconds(answer):
    """How long it took, as far as the machine was there for it."""
    return answer.received - answer.sent - answer.halted


def is_from(answer, source):
    return f" from={source}" in answer.reply


class Asker:
    """One client, and the request that it waits for, if any."""

    def __init__(self, number, path):
        self.number = number
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.line = None
        self.sent = 0.0
        self.halted = 0.0  # in all, when it was sent
        self.count = 0
        self.bytes = b""

    def ask(self, line, halted):
        self.line = line
        self.halted = halted
        self.count += 1
        self.sent = time.monotonic()
        self.socket.sendall(line.encode() + b"\n")

    def take(self, halted):
        """The response, once it is whole; more than one is an error."""
        more = self.socket.recv(65536)
        if not more:
            raise AssertionError(f"client {self.number}: closed")
        self.bytes += more
        if not self.bytes.endswith(b"\n"):
            return None
        reply = self.bytes[:-1].decode()
        if self.line is None or "\n" in reply:
            raise AssertionError(f"client {self.number}: surplus: {reply!r}")
        answer = Answer(self.number, self.line, self.sent, time.monotonic(),
                        halted - self.halted, reply)
        self.line, self.bytes = None, b""
        return answer


class Load:
    """As many clients, asking request(client, n) as their n-th request."""

    def __init__(self, daemon, clients, request, pause=0.002):
        self.answers = []
        self.failure = None
        self.request = request
        self.pause = pause
        self.askers = [Asker(i, daemon.path) for i in range(clients)]
        self.halted = 0.0
        self.turned = time.monotonic()
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            with selectors.DefaultSelector() as selector:
                for asker in self.askers:
                    selector.register(asker.socket, selectors.EVENT_READ, asker)
                while not self.stopping or any(a.line for a in self.askers):
                    self.turn(selector)
        except (AssertionError, OSError) as error:
            self.failure = error

    def turn(self, selector):
        now = time.monotonic()
        for asker in self.askers:
            if asker.line is None and not self.stopping and \
                    now - asker.sent >= self.pause:
                asker.ask(self.request(asker.number, asker.count), self.halted)
        ready = selector.select(self.pause / 2)
        late = time.monotonic() - self.turned - self.pause / 2
        if late > LATE:
            self.halted += late
        self.turned = time.monotonic()
        for key, _ in ready:
            answer = key.data.take(self.halted)
            if answer:
                self.answers.append(answer)

    def check(self):
        if self.failure:
            raise AssertionError("the load failed") from self.failure

    def wait_for(self, source, count=1):
        """Until each client had as many responses from there, from now on.
        The time at which it came to that."""
        start = len(self.answers)
        seen = collections.Counter()

        def all_had():
            nonlocal start
            self.check()
            end = len(self.answers)
            for answer in self.answers[start:end]:
                if is_from(answer, source):
                    seen[answer.client] += 1
            start = end
            return all(seen[a.number] >= count for a in self.askers)

        wait_until(all_had, f"answers from {source}")
        return time.monotonic()

    def stop(self):
        """End it once all responses are there; return them, in the order they came."""
        self.stopping = True
        self.thread.join(PATIENCE)
        for asker in self.askers:
            asker.socket.close()
        self.check()
        if self.thread.is_alive():
            raise AssertionError("requests that were never answered: " + str(
                [(a.number, a.line) for a in self.askers if a.line]))
        return self.answers
