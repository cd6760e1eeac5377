"""A server that replies as no Redis would.

It speaks enough of RESP2 for dripgated to take it for one: then, call by call,
it says what a test wants.
"""

import collections
import contextlib
import os
import socket
import threading
import time


def bulk(text):
    text = text if isinstance(text, bytes) else str(text).encode()
    return b"$%d\r\n%s\r\n" % (len(text), text)


def array(*elements):
    return b"*%d\r\n" % len(elements) + b"".join(elements)


NIL = b"$-1\r\n"


def groups_of(words):
    """The buckets that a call of the leaky bucket's script asks about:
    [(hash, fields)]."""
    hashes = int(words[2])
    at = 3 + hashes
    groups = []
    for name in words[3:3 + hashes]:
        count, same = int(words[at + 5]), words[at + 6]
        groups.append((name, words[at + 7:at + 7 + count]))
        at += 7 + count + (0 if same else count)
    return groups


def keys_of(words):
    return [field for _, fields in groups_of(words) for field in fields]


def empty_buckets(words):
    """The right reply, where every bucket was empty."""
    now = time.time_ns() // 1000
    return array(bulk(now // 1000000), bulk(now % 1000000),
                 *[NIL for _ in keys_of(words)])


class Peer:
    """One connection from dripgated."""

    def __init__(self, fake, connection):
        self.fake = fake
        self.socket = connection
        self.file = connection.makefile("rb")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def command(self):
        """The next one, or None at the end."""
        line = self.file.readline()
        if not line:
            return None
        return [self.file.read(int(self.file.readline()[1:]) + 2)[:-2]
                for _ in range(int(line[1:]))]

    def run(self):
        try:
            while words := self.command():
                reply = self.fake.answer(self, words)
                if reply is None:
                    break
                self.socket.sendall(reply)
        except (OSError, ValueError):
            pass
        finally:
            self.close()
            self.file.close()
            self.socket.close()

    def close(self):
        """End the connection; its thread then closes the descriptor."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class FakeRedis:
    """Listens on a Unix socket until closed.

    replies: what to send to the next calls of the deciding scripts, each a
    function(peer, words) that returns bytes, or None to close the connection.
    replies_to: the same to the next call about a key; it goes first.  Calls that
    no call waits for any more are still read, and take the next of replies.
    When there are none, every bucket is empty.
    """

    def __init__(self, folder):
        self.replies = collections.deque()
        self.replies_to = {}
        self.calls = []      # of the deciding scripts, in the order they came
        self.greeting = lambda peer, words: b"+OK\r\n"
        self.connections = 0
        self.listener = self.listen(folder)
        self.peers = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def listen(self, folder):
        self.path = os.path.join(folder, "fake-redis.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(128)
        return listener

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(Peer(self, connection))

    def answer(self, peer, words):
        name = words[0].upper()
        if name == b"INFO":
            return bulk("redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n")
        if name not in (b"EVALSHA", b"EVAL"):
            return self.greeting(peer, words)
        if words[4].endswith(b":sweep"):
            return NIL
        self.calls.append(words)
        for key in keys_of(words):
            if key in self.replies_to:
                return self.replies_to.pop(key)(peer, words)
        if self.replies:
            return self.replies.popleft()(peer, words)
        return empty_buckets(words)

    def close(self):
        # A thread that is still in accept() would not notice, and might one day go on
        # with whatever has that number then.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for peer in self.peers:
            peer.close()
            peer.thread.join()
