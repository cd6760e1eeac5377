"""A server that says what no Redis does: it is never taken for a reply, and
what it says goes to the log at the most.
"""

import re
import statistics
import threading
import time

import harness
from fake_redis import FakeRedis, array, bulk, empty_buckets, keys_of
from harness import PATIENT, wait_until

LIMITS = """
[open]
match = open:*
capacity = 1000000
recharge = 1h
on_error = allow

[shut]
match = shut:*
capacity = 1000000
recharge = 1h
on_error = deny
"""

# What the contract says, most of what is measured must keep; what a stalled
# machine is forgiven, all of it.  A daemon that waits for what never comes would
# wait for longer than that.
DEADLINE = 0.050 + 0.020
DEADLINE_LOOSE = 5.0
RECOVERY_LOOSE = 10.0

REPLY = re.compile(
    r"(ALLOW|DENY) limit=(open|shut) level=\d+ capacity=\d+ next=[0-9.]+ "
    r"retry=([0-9.]+|never) blocked=[0-9.]+ from=(redis|fallback)")


def error(text):
    return f"-{text}\r\n".encode()


def in_place_of(element):
    """The right reply, but for its last element."""
    def reply(_, words):
        right = empty_buckets(words)
        return right[:-len(b"$-1\r\n")] + element
    return reply


def always(reply):
    return lambda peer, words: reply


def with_more(more):
    """The right reply, and another one to no call."""
    return lambda peer, words: empty_buckets(words) + more


# Name: what is sent in place of a reply.
STRANGE = {
    "nothing but a closed connection": always(None),
    "text": always(b"+OK\r\n"),
    "a number": always(b":1\r\n"),
    "nil": always(b"$-1\r\n"),
    "a nil array": always(b"*-1\r\n"),
    "an empty array": always(b"*0\r\n"),
    "a string": always(bulk("x" * 100)),
    "an array too short": always(array(bulk(1), bulk(2))),
    "an array too long": lambda peer, words: array(
        bulk(1700000000), bulk(0), *[b"$-1\r\n"] * (len(keys_of(words)) + 1)),
    "a number for a bucket": in_place_of(b":5\r\n"),
    "an array for a bucket": in_place_of(b"*0\r\n"),
    "an error for a bucket": in_place_of(error("ERR no")),
    "a time that is none": lambda peer, words: array(
        bulk("now"), bulk(0), *[b"$-1\r\n"] * len(keys_of(words))),
    "a time below zero": lambda peer, words: array(
        bulk(-5), bulk(0), *[b"$-1\r\n"] * len(keys_of(words))),
    "too many microseconds": lambda peer, words: array(
        bulk(1700000000), bulk(1000000), *[b"$-1\r\n"] * len(keys_of(words))),
    "numbers for the time": lambda peer, words: array(
        b":1700000000\r\n", b":0\r\n", *[b"$-1\r\n"] * len(keys_of(words))),
    "another protocol": always(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "binary": always(bytes(range(256))),
    "an empty line": always(b"\r\n"),
    "a type of RESP3": always(b"%1\r\n+a\r\n+b\r\n"),
    "a push of RESP3": always(b">2\r\n+a\r\n+b\r\n"),
    "a length that is none": always(b"$x\r\n"),
    "a length below -1": always(b"$-2\r\n"),
    "a count that is none": always(b"*1e3\r\n"),
    "a string said to be huge": always(b"$2000000000\r\n"),
    "a string beyond all numbers": always(b"$99999999999999999999\r\n"),
    "an array said to be huge": always(b"*1000000000\r\n"),
    "arrays in arrays": always(b"*1\r\n" * 5000),
    "a string that is too long": always(bulk("x" * (2 << 20))),
    "a line without an end": always(b"+" + b"x" * (2 << 20)),
    "an error without an end": always(b"-" + b"x" * (2 << 20)),
    "a string that does not end where it says": always(b"*3\r\n$1\r\n12345\r\n"),
    "an answer and one more": with_more(b"+OK\r\n"),
}

# What makes the server no worse: the next call may be the right one.
ERRORS = [
    error("ERR Error running script (call to f_0): @user_script:1: oh no"),
    error("OOM command not allowed when used memory > 'maxmemory'."),
    error("BUSY Redis is busy running a script."),
    error("MISCONF Redis is configured to save RDB snapshots"),
    error("NOPERM this user has no permissions"),
    error("EXECABORT"), error(""), error("ERR " + "x" * 100000),
    error("ERR \x1b[2J\x07 allow limit=open level=0"),
    error("NOSCRIPTS is not NOSCRIPT"),
    error("MOVED 1 127.0.0.1:1"), error("ASK 1 127.0.0.1:1"),
    error("TRYAGAIN later"), error("CLUSTERDOWN the cluster"),
    error("LOADING the dataset"), error("MASTERDOWN the link"),
    error("READONLY replica"), error("NOAUTH Authentication required."),
]


class Strange(harness.Case):

    def setUp(self):
        super().setUp()
        self.fake = FakeRedis(self.folder)
        self.addCleanup(self.fake.close)
        self.keys = 0

    def start(self, **settings):
        self.gate = self.daemon(LIMITS, {
            "store": {"type": "redis"},
            "redis": {"unix_socket_path": self.fake.path, **settings}})
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)

    def consume(self, kind="open", said=None):
        """A drop into a bucket that no client asked about before; what is said to
        that instead of the right reply."""
        self.keys += 1
        key = f"{kind}:{self.keys}"
        if said:
            self.fake.replies_to[key.encode()] = said
        start = time.monotonic()
        reply = self.client.ask(f"consume {key}")
        self.assertRegex(reply, REPLY)
        self.took = time.monotonic() - start
        return reply

    def wait_for_redis(self):
        """Its first response."""
        start = time.monotonic()
        reply = wait_until(lambda: "from=redis" in (reply := self.consume()) and reply,
                           "the server again")
        self.assertLess(time.monotonic() - start, RECOVERY_LOOSE)
        return reply

    def check_nothing_was_resent(self):
        keys = [key for words in self.fake.calls for key in keys_of(words)]
        self.assertEqual(len(keys), len(set(keys)))

    def test_a_strange_answer_is_nobodys_answer(self):
        self.start()
        took = []
        for name, strange in STRANGE.items():
            with self.subTest(name):
                self.wait_for_redis()
                before = self.fake.connections
                reply = self.consume(said=strange)
                took.append(self.took)
                # The right reply may be followed by what is none.
                if name != "an answer and one more":
                    self.assertIn("ALLOW limit=open level=0", reply)
                    self.assertIn("from=fallback", reply)
                wait_until(lambda: self.fake.connections > before,
                           "another connection")
        self.wait_for_redis()
        self.check_nothing_was_resent()
        self.assertLess(statistics.median(took), DEADLINE)
        self.assertLess(max(took), DEADLINE_LOOSE)
        self.assertEqual(self.gate.stats()["foreign_values"], 0)

    def test_errors_go_to_the_log_and_not_to_clients(self):
        # An error that comes too late is not looked at.
        self.start(**PATIENT["redis"])
        for reply in ERRORS:
            with self.subTest(reply[:60]):
                self.wait_for_redis()
                self.assertEqual(
                    self.consume("shut", always(reply)),
                    "DENY limit=shut level=0 capacity=1000000 next=0 "
                    "retry=1.000000 blocked=0 from=fallback")
        self.wait_for_redis()
        self.check_nothing_was_resent()
        log = self.gate.log()
        self.assertIn("oh no", log)
        self.assertNotIn("\x1b", log)
        self.assertLess(max(map(len, log.splitlines())), 400)

    def test_what_is_called_for_nothing_closes_the_link(self):
        """Unsolicited bytes while nothing is asked, or before the reply."""
        self.start()
        for unasked in (b"+OK\r\n", b":1\r\n", b"-ERR\r\n", b"$-1\r\n", b"\r\n",
                        b"*0\r\n", b"x", array(bulk(1), bulk(2))):
            self.wait_for_redis()
            before = self.fake.connections
            for peer in self.fake.peers:
                try:
                    peer.socket.sendall(unasked)
                except OSError:
                    pass
            wait_until(lambda: self.fake.connections > before or unasked == b"x",
                       "another connection")
            self.assertIn("limit=open", self.consume())
        self.wait_for_redis()
        self.check_nothing_was_resent()

    def test_a_late_answer_is_nobodys(self):
        """It is sent after the deadline, when others wait already."""
        self.start()
        late = []

        def hold(peer, words):
            late.append((peer, words))
            return b""

        for i in range(5):
            self.wait_for_redis()
            self.assertIn("from=fallback", self.consume(said=hold))
            self.assertGreater(self.took, 0.049)
            wait_until(lambda i=i: len(late) > i, "the call")
            peer, words = late[-1]
            now = int(time.time())
            # It would say that the bucket is full.
            text = bulk((now + 3600 * 1000000) * 1000000)
            try:
                peer.socket.sendall(array(
                    bulk(now), bulk(0), *[text for _ in keys_of(words)]))
            except OSError:
                pass
            for _ in range(2):
                self.assertIn("level=1 ", self.wait_for_redis())
        self.check_nothing_was_resent()

    def test_half_an_answer_is_waited_for_until_the_deadline(self):
        self.start()
        took = []
        for cut in (1, 5, 12, -1) * 3:
            self.wait_for_redis()
            self.assertIn("from=fallback", self.consume(
                said=lambda peer, words, cut=cut: empty_buckets(words)[:cut]))
            took.append(self.took)
        self.assertLess(statistics.median(took), DEADLINE)
        self.assertLess(max(took), DEADLINE_LOOSE)
        self.check_nothing_was_resent()

    def test_an_answer_that_drips_in_is_taken(self):
        self.start(**PATIENT["redis"])

        def drip(peer, words):
            for byte in empty_buckets(words):
                peer.socket.sendall(bytes([byte]))
            return b""

        self.assertIn("level=1 ", self.consume(said=drip))

    def test_a_second_noscript_is_not_a_second_try(self):
        self.start(**PATIENT["redis"])
        noscript = always(error("NOSCRIPT No matching script."))
        self.wait_for_redis()
        calls = len(self.fake.calls)
        self.fake.replies.append(noscript)
        self.assertIn("from=redis", self.consume())
        self.assertEqual(len(self.fake.calls) - calls, 2)
        self.fake.replies.extend([noscript, noscript])
        self.assertIn("from=fallback", self.consume())
        self.assertEqual(len(self.fake.calls) - calls, 4)

    def test_a_script_that_cannot_be_sent_again_in_time(self):
        """The deadline is that of the request, not one more for each step."""
        self.start()
        took = []
        answer = self.fake.answer

        def no_scripts(peer, words):
            return b"" if words[0] == b"EVAL" else answer(peer, words)

        def refuse_late(peer, words):
            time.sleep(0.040)
            return error("NOSCRIPT No matching script.")

        for _ in range(7):
            self.wait_for_redis()
            self.fake.answer = no_scripts
            self.assertIn("from=fallback", self.consume(said=refuse_late))
            took.append(self.took)
            self.fake.answer = answer
        self.wait_for_redis()
        self.assertLess(statistics.median(took), DEADLINE)

    def test_a_batch_refused_for_its_script_is_not_overtaken(self):
        """What is asked of one key on one connection takes effect in order, even
        where another client loads the script between two batches."""
        self.start(**PATIENT["redis"])
        self.wait_for_redis()
        held = threading.Event()

        def refuse(peer, words):
            held.wait(harness.PATIENCE)
            return error("NOSCRIPT No matching script.")

        calls, batches = len(self.fake.calls), self.gate.stats()["batches"]
        self.fake.replies.append(refuse)
        for i, line in enumerate(("consume open:z 5\n", "reset open:z\n"), 1):
            self.client.send(line)
            wait_until(lambda: self.gate.stats()["batches"] == batches + i,
                       "a batch on its way")
        held.set()
        self.assertIn("limit=open", self.client.line())
        self.assertEqual(self.client.line(), "OK")
        resets = [b"r" in words for words in self.fake.calls[calls:]]
        self.assertEqual(resets[resets.index(True):], [True])

    def test_a_server_that_flaps_does_not_fill_the_log(self):
        """It replies, closes, replies, closes."""
        self.start()
        self.wait_for_redis()
        lines = len(self.gate.log().splitlines())

        def close_after(peer, words):
            peer.socket.sendall(empty_buckets(words))
            return None

        flaps = 60
        for _ in range(flaps):
            self.fake.replies.append(close_after)
            wait_until(lambda: "from=redis" in self.consume() and
                       not self.fake.replies, "an answer")
        logged = self.gate.log().splitlines()[lines:]
        self.assertLess(len(logged), 10)

    def test_a_server_that_does_not_greet(self):
        """It accepts, and says nothing."""
        greeting = self.fake.greeting
        self.fake.greeting = lambda peer, words: b""
        self.start()
        self.assertIn("from=fallback", self.consume())
        self.assertLess(self.took, DEADLINE_LOOSE)
        wait_until(lambda: self.fake.connections > 6, "attempts")
        self.fake.greeting = greeting
        self.wait_for_redis()

    def test_greetings_that_are_none(self):
        greeting = self.fake.greeting
        for said in (b"$-1\r\n", b"*0\r\n", b"+OK\r\n+OK\r\n+OK\r\n", b"-ERR no\r\n",
                     b"$99999999999\r\n", b"\x00" * 100, b"SSH-2.0-OpenSSH\r\n"):
            self.fake.greeting = lambda peer, words, said=said: said
            if not hasattr(self, "gate"):
                self.start()
            before = self.fake.connections
            for peer in list(self.fake.peers):
                peer.close()
            wait_until(lambda: self.fake.connections > before, "an attempt")
            self.assertRegex(self.consume(), REPLY)
        self.fake.greeting = greeting
        for peer in list(self.fake.peers):
            peer.close()
        self.wait_for_redis()


if __name__ == "__main__":
    harness.main()
