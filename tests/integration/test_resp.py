"""RESP on the same port, byte for byte: requests and their answers, the order of
them, what is refused, and CL.THROTTLE.
"""

import itertools
import random
import time

import harness
from fake_redis import FakeRedis, empty_buckets
from harness import PATIENT, converse, wait_until
from test_service import Manager

LIMITS = harness.ALL_KINDS

USAGE = ("Cell error: Store error: Usage: cl.throttle <key> <max_burst>"
         " <count per period> <period> [<quantity>]")


def command(*words):
    parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(parts) + b"".join(
        b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Wrong(str):
    """An error as it was answered."""


def read_value(file):
    """One value of RESP2 or RESP3; EOFError if the connection was closed."""
    line = file.readline()
    if not line:
        raise EOFError
    if not line.endswith(b"\r\n"):
        raise AssertionError(f"half a line: {line!r}")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        return Wrong(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"_" or line == b"$-1\r\n":
        return None
    if kind == b"$":
        content = file.read(int(rest) + 2)
        if content[-2:] != b"\r\n":
            raise AssertionError(f"no end: {content!r}")
        return content[:-2].decode()
    if kind == b"*":
        return [read_value(file) for _ in range(int(rest))]
    if kind == b"%":
        return {read_value(file): read_value(file) for _ in range(int(rest))}
    raise AssertionError(f"no type of value: {line!r}")


class Resp(harness.Client):
    def value(self):
        return read_value(self.file)

    def ask(self, *words):
        self.send(command(*words))
        return self.value()


class RespCase(harness.Case):
    def connect(self, daemon, unix=True):
        client = Resp(daemon.path if unix else ("127.0.0.1", daemon.port))
        self.addCleanup(client.close)
        return client


class RequestsTest(RespCase):
    def test_decisions_are_arrays_in_resp2(self):
        daemon = self.daemon(LIMITS)
        for unix in True, False:
            client = self.connect(daemon, unix)
            key = f"hot:{unix}"
            allowed = client.ask("CONSUME", key, 3)
            self.assertEqual(allowed[:3] + allowed[4:], [1, 3, 1000, 0, 0, "hot"])
            self.assertGreater(allowed[3], 3500000)
            self.assertLessEqual(allowed[3], 3600000)
            denied = client.ask("peek", key, 1000)
            self.assertEqual(denied[:3] + denied[5:], [0, 3, 1000, 0, "hot"])
            self.assertGreater(denied[4], 2 * 3600000)
            self.assertEqual(client.ask("CONSUME", key, 1001)[4], -1)
            self.assertEqual(client.ask("RESET", key), "OK")
            self.assertEqual(client.ask("PEEK", key, 0),
                             [1, 0, 1000, 0, 0, 0, "hot"])

    def test_decisions_are_maps_in_resp3(self):
        client = self.connect(self.daemon(LIMITS))
        hello = client.ask("HELLO", 3)
        self.assertEqual((hello["server"], hello["proto"], hello["modules"]),
                         ("dripgate", 3, []))
        self.assertEqual(client.ask("PEEK", "hot:1", 0), {
            "allowed": 1, "level": 0, "capacity": 1000, "next": 0, "retry": 0,
            "blocked": 0, "limit": "hot", "from": "memory"})
        client.ask("CONSUME", "look:1", 3)
        shadow = client.ask("CONSUME", "look:1")
        self.assertEqual((shadow["allowed"], shadow["retry"], shadow["shadow"]),
                         (1, 0, "deny"))
        self.assertEqual(client.ask("RESET"), "RESET")
        self.assertEqual(client.ask("PEEK", "hot:1", 0),
                         [1, 0, 1000, 0, 0, 0, "hot"])

    def test_who_waits_as_long_as_retry_says_is_not_refused(self):
        daemon = self.daemon("[quick]\nmatch = *\ncapacity = 1\nrecharge = 30500us\n")
        client = self.connect(daemon)
        for _ in range(10):
            while (retry := client.ask("CONSUME", "k")[4]) == 0:
                pass
            time.sleep(retry / 1000)
            self.assertEqual(client.ask("CONSUME", "k")[0], 1)

    def test_reports_are_arrays_of_the_lines_of_the_line_protocol(self):
        daemon = self.daemon(LIMITS)
        client = self.connect(daemon)
        with daemon.connect() as line_client:
            for request in "LIMITS", "EXPLAIN hot:1":
                self.assertEqual(client.ask(*request.split()),
                                 line_client.ask_many(request))
            *same, throttle = client.ask("HELP")
            self.assertEqual(same, line_client.ask_many("HELP"))
            self.assertIn("CL.THROTTLE key", throttle)
            stats = dict(line.split() for line in client.ask("STATS"))
            self.assertEqual(stats["clients"], "2")

    def test_errors_have_the_code_words_of_the_line_protocol(self):
        client = self.connect(self.daemon(
            LIMITS, {"limits": {"unmatched": "error"}}))
        for words, error in [
                (("CONSUME", "a b"), "ERR badkey "), (("PEEK", ""), "ERR badkey "),
                (("PEEK", "k" * 256), "ERR badkey "),
                (("RESET", b"\xff"), "ERR badkey "),
                (("CONSUME", "hot:1", "1.5"), "ERR badamount "),
                (("CONSUME", "hot:1", 10 ** 9 + 1), "ERR badamount "),
                (("CONSUME", "none"), "ERR nolimit "),
                (("CONSUME",), "ERR wrong number of arguments for 'consume' command"),
                (("GET", "a"), "ERR unknown command 'GET'"),
                ((b"a\r\n+OK",), "ERR unknown command 'a\\x0d\\x0a+OK'")]:
            answer = client.ask(*words)
            self.assertIsInstance(answer, Wrong)
            self.assertTrue(answer.startswith(error), (words, answer))
        self.assertEqual(client.ask("PING"), "PONG")

    def test_reset_that_does_not_reach_redis_says_so(self):
        server = self.redis()
        daemon = self.redis_daemon(server, LIMITS)
        server.kill()
        client = self.connect(daemon)
        answer = wait_until(
            lambda: isinstance(answer := client.ask("RESET", "hot:1"), Wrong)
            and answer, "the outage")
        self.assertTrue(answer.startswith("ERR unavailable "), answer)

    def test_what_is_wrong_is_counted(self):
        daemon = self.daemon(LIMITS)
        self.connect(daemon).ask("nonsense")
        self.connect(daemon).ask("CL.THROTTLE")
        client = self.connect(daemon)
        client.send("*1\r\n+nonsense\r\n")
        client.rest()
        self.assertEqual(daemon.stats()["bad_lines"], 3)

    def test_quit_is_answered_in_its_turn_and_closes(self):
        client = self.connect(self.daemon(LIMITS))
        client.send(command("PING") + command("QUIT") + command("CONSUME", "hot:1"))
        self.assertEqual(client.rest(), b"+PONG\r\n+OK\r\n")

    def test_the_first_byte_decides_for_good(self):
        daemon = self.daemon(LIMITS)
        with daemon.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
            self.assertTrue(client.ask("*1").startswith("ERR badverb "))
            self.assertEqual(client.ask("PING"), "PONG")
        client = self.connect(daemon)
        client.send(command("PING") + b"PING\r\n")
        self.assertEqual(client.rest(), b"+PONG\r\n"
                         b"-ERR Protocol error: expected '*', got 'P'\r\n")


# What each of them must be answered before the close.
REFUSED = {
    b"*1\r\n*1\r\n$4\r\nPING\r\n": "expected '$', got '*'",
    b"*1\r\n" * 1000: "expected '$', got '*'",
    b"*65\r\n": "invalid multibulk length",
    b"*1048576\r\n": "invalid multibulk length",
    b"*2147483648\r\n": "invalid multibulk length",
    b"*99999999999999999999\r\n": "invalid multibulk length",
    b"*" + b"0" * 100000: "invalid multibulk length",
    b"*x\r\n": "invalid multibulk length",
    b"*1\r\n$-1\r\n": "invalid bulk length",
    b"*1\r\n$4097\r\n": "invalid bulk length",
    b"*1\r\n$536870912\r\n": "invalid bulk length",
    b"*1\r\n$-9223372036854775808\r\n": "invalid bulk length",
    b"*2\r\n$4\r\nPING\r\n:1\r\n": "expected '$', got ':'",
    b"*1\r\n$4\r\nPING\n\n": "a bulk is longer than it says",
    b"*1\r\n$2\r\nPING\r\n": "a bulk is longer than it says",
    b"*64\r\n" + (b"$4000\r\n" + b"a" * 4000 + b"\r\n") * 64:
        "a command is at most 16384 bytes",
    b"*0\r\nPING\r\n": "expected '*', got 'P'",
    b"*-1\r\n\r\n\n": "expected '*', got 0x0a",
}


class BytesTest(RespCase):
    def test_what_is_not_the_protocol_gets_one_error_and_a_close(self):
        daemon = self.daemon(LIMITS)
        for sizes in itertools.repeat(65536), itertools.cycle([1, 2, 3]):
            for text, error in REFUSED.items():
                [answer] = converse(daemon.path, command("PING") + text[:20000],
                                    piece_sizes=sizes)
                self.assertEqual(answer.decode(), "+PONG\r\n"
                                 f"-ERR Protocol error: {error}\r\n", text[:40])
        self.assertEqual(daemon.ask("PING"), "PONG")

    def test_empty_commands_are_ignored(self):
        daemon = self.daemon(LIMITS)
        text = b"*0\r\n" + command("PING") + b"*-1\r\n*0\r\n" + command("PING")
        self.assertEqual(converse(daemon.path, text), [b"+PONG\r\n" * 2])

    def test_the_largest_command_is_taken(self):
        client = self.connect(self.daemon(LIMITS))
        self.assertEqual(client.ask("ECHO", "x" * 4096), "x" * 4096)
        words = ["COMMAND", "INFO", "a" * 4090, "b" * 4090, "c" * 4090, "d" * 4051]
        self.assertEqual(len(command(*words)), 16384)
        self.assertEqual(client.ask(*words), [None] * 4)

    def test_what_ends_in_the_middle_of_a_command_is_just_closed(self):
        daemon = self.daemon(LIMITS)
        text = command("PING")
        for cut in range(1, len(text)):
            self.assertEqual(converse(daemon.path, text + text[:cut]), [b"+PONG\r\n"])
        self.assertEqual(daemon.stats()["bad_lines"], 0)

    def test_a_command_that_does_not_end_is_closed_after_line_timeout(self):
        daemon = self.daemon(LIMITS, {"listen": {"line_timeout": "1s"}})
        client = self.connect(daemon)
        client.send(command("PING") + b"*1\r\n$4\r\nPI")
        self.assertEqual(client.rest(), b"+PONG\r\n")

    def test_requests_are_answered_in_order_however_they_come(self):
        server = self.redis()
        daemon = self.redis_daemon(server, LIMITS, PATIENT)
        text, expected = b"", []
        for i in range(1, 400):
            text += command("CONSUME", "hot:1") + command("ECHO", i)
            expected += [[1, i, 1000], str(i)]
            text += command("CL.THROTTLE", "u", 999, 1, 2500) + command("nope")
            expected += [[0, 1000, 1000 - i], "ERR unknown command 'nope'"]
            if i % 100 == 0:
                text += command("LIMITS") + command("COMMAND", "COUNT")
                expected += ["LIMITS", 18]
        rng = random.Random(1)
        for sizes in (itertools.repeat(1 << 20), itertools.repeat(1),
                      iter(lambda: rng.randint(1, 300), None)):
            server.ask("FLUSHALL")
            client = self.connect(daemon)
            [answer] = converse(daemon.path, text, piece_sizes=sizes)
            client.close()
            self.assertEqual(self.shortened(answer, len(expected)), expected)

    def shortened(self, answer, count):
        with self.opened(answer) as file:
            values = [read_value(file) for _ in range(count)]
            self.assertEqual(file.read(), b"")
        return ["LIMITS" if isinstance(v, list) and isinstance(v[0], str) else
                v[:3] if isinstance(v, list) else v for v in values]

    def opened(self, content):
        with open(f"{self.folder}/answer", "wb") as file:
            file.write(content)
        return open(f"{self.folder}/answer", "rb")

    def test_answers_wait_for_those_that_redis_is_slow_with(self):
        fake = FakeRedis(self.folder)
        self.addCleanup(fake.close)

        def slowly(peer, words):
            time.sleep(0.2)
            return empty_buckets(words)
        daemon = self.redis_daemon(fake, LIMITS, PATIENT)
        fake.replies.append(slowly)
        client = self.connect(daemon)
        client.send(command("CONSUME", "hot:1") + command("PING")
                    + command("CL.THROTTLE", "u", 1, 1, 1) + command("ECHO", "x"))
        self.assertEqual(client.value()[6], "hot")
        self.assertEqual(client.value(), "PONG")
        self.assertEqual(len(client.value()), 5)
        self.assertEqual(client.value(), "x")

    def test_a_client_that_does_not_read_is_not_read_from(self):
        daemon = self.daemon(LIMITS)
        client = self.connect(daemon)
        client.socket.setblocking(False)
        text, sent = command("COMMAND") * 4000, 0
        before = daemon.memory()

        def is_stuck():
            nonlocal sent
            try:
                sent += client.socket.send(text)
            except BlockingIOError:
                return True
            return False
        wait_until(is_stuck, "the daemon to stop reading")
        for _ in range(20):
            daemon.ask("PING")
        self.assertLess(daemon.memory() - before, 4 << 20)
        client.socket.settimeout(harness.PATIENCE)
        self.assertEqual(len(client.value()), 18)


THROTTLE_ERRORS = [
    ((), USAGE), (("u", 1, 1), USAGE), (("u", 1, 1, 1, 1, 1), USAGE),
    (("u", "x", 1, 1), "Cell error: Store error: Couldn't parse as integer: x"),
    (("u", 1, 1, "1.5"), "Cell error: Store error: Couldn't parse as integer: 1.5"),
    (("u", 1, 0, 1), "Cell error: Store error: Zero rates are not supported"),
    (("u", 1, 1, 0), "Cell error: Store error: Zero rates are not supported"),
    (("u", 1, 1, 1, -1), "Cell error: quantity must be from 0 to 1000000000"),
    (("u", 0, 1, 2592001), "Cell error: (max_burst + 1) * period / count"
                           " must be at most 30 days"),
    (("a b", 1, 1, 1), "ERR badkey a key is 1 to 255 bytes of printable ASCII or UTF-8"),
]


class ThrottleTest(RespCase):
    def check_a_bucket(self, client, key):
        """An hour for each: none of them leaks while it is looked at."""
        words = "CL.THROTTLE", key, 4, 1, 3600
        self.assertEqual(client.ask(*words, 0), [0, 5, 5, -1, 0])
        self.assertEqual(client.ask(*words, 6), [1, 5, 5, -1, 0])
        self.assertEqual(client.ask(*words), [0, 5, 4, -1, 3600])
        self.assertEqual(client.ask(*words, 3)[:4], [0, 5, 1, -1])
        limited = client.ask(*words, 3)
        self.assertEqual(limited[:3], [1, 5, 1])
        self.assertTrue(7190 <= limited[3] <= 7200, limited)
        self.assertTrue(14390 <= limited[4] <= 14400, limited)
        self.assertEqual(client.ask(*words, 0)[:4], [0, 5, 1, -1])

    def test_a_burst_is_let_through_and_no_more(self):
        server = self.redis()
        for daemon in (self.daemon(LIMITS), self.redis_daemon(server, LIMITS, PATIENT)):
            client = self.connect(daemon)
            self.check_a_bucket(client, "u")
            client.ask("HELLO", 3)
            self.check_a_bucket(client, "v")
        self.assertEqual(sorted(server.ask("HKEYS", "drip:CL.THROTTLE")), [b"u", b"v"])
        life_ms = server.ask("PTTL", "drip:CL.THROTTLE")
        self.assertTrue(0 <= (30 * 86400 + 3600) * 1000 - life_ms < 60000, life_ms)

    def test_who_waits_as_many_seconds_as_it_says_is_let_through(self):
        client = self.connect(self.daemon(LIMITS))
        words = "CL.THROTTLE", "u", 0, 10, 7
        while (retry := client.ask(*words)[3]) == -1:
            pass
        time.sleep(retry + 0.001) # it does not count what is less
        self.assertEqual(client.ask(*words)[0], 0)

    def test_a_bucket_is_one_whatever_parameters_the_requests_carry(self):
        server = self.redis()
        for daemon in (self.daemon(LIMITS), self.redis_daemon(server, LIMITS, PATIENT)):
            client = self.connect(daemon)
            texts, expected = b"", []
            for i in range(1, 50):
                # Another capacity each time, in one turn: none may run beside
                # another on the same bucket.
                texts += command("CL.THROTTLE", "u", 99 + i, 1, 3600)
                expected.append([0, 100 + i, 100])
                texts += command("CL.THROTTLE", f"other:{i}", 99 + i, 1, 3600)
                expected.append([0, 100 + i, 99 + i])
            client.send(texts)
            self.assertEqual([client.value()[:3] for _ in expected], expected)

    def test_equal_requests_go_to_redis_together(self):
        server = self.redis()
        daemon = self.redis_daemon(server, LIMITS, PATIENT)
        client = self.connect(daemon)
        before = daemon.stats()
        client.send(command("CL.THROTTLE", "u", 99, 1, 3600) * 200)
        answers = [client.value()[:3] for _ in range(200)]
        self.assertEqual(answers, [[0, 100, 99 - i] for i in range(100)]
                         + [[1, 100, 0]] * 100)
        grown = {name: value - before[name] for name, value in daemon.stats().items()}
        self.assertLess(grown["batches"], 20)
        self.assertEqual(grown["batches"], grown["batch_buckets"])
        self.assertEqual((grown["allowed"], grown["denied"]), (100, 100))

    def test_as_many_limits_are_in_use_as_there_are_requests(self):
        server = self.redis()
        daemon = self.redis_daemon(server, LIMITS, PATIENT)
        bursts = [range(start, start + 250) for start in range(0, 5000, 250)]
        answers = converse(daemon.path, *(
            b"".join(command("CL.THROTTLE", f"u{i}", i, 1, 60) for i in burst)
            for burst in bursts))
        for burst, answer in zip(bursts, answers):
            self.assertEqual(answer, b"".join(
                b"*5\r\n:0\r\n:%d\r\n:%d\r\n:-1\r\n:60\r\n" % (i + 1, i)
                for i in burst))
        self.assertEqual(daemon.stats()["allowed"], 5000)

    def test_more_limits_than_are_kept_take_turns(self):
        server = self.redis()
        for daemon in (self.daemon(LIMITS), self.redis_daemon(server, LIMITS, PATIENT)):
            client = self.connect(daemon)
            for start in range(0, 5000, 250):
                burst = range(start, start + 250)
                client.send(b"".join(
                    command("CL.THROTTLE", f"u{i}", i, 1, 60) for i in burst))
                self.assertEqual([client.value()[:3] for _ in burst],
                                 [[0, i + 1, i] for i in burst])

    def test_errors_are_those_of_redis_cell_and_of_the_bounds(self):
        client = self.connect(self.daemon(LIMITS))
        for words, error in THROTTLE_ERRORS:
            self.assertEqual(client.ask("CL.THROTTLE", *words), Wrong(error))

    def test_without_redis_memory_decides(self):
        server = self.redis()
        daemon = self.redis_daemon(server, LIMITS)
        server.kill()
        wait_until(lambda: daemon.stats()["redis_ready"] == 0, "the outage")
        client = self.connect(daemon)
        self.assertEqual(client.ask("CL.THROTTLE", "u", 0, 1, 60)[0], 0)
        self.assertEqual(client.ask("CL.THROTTLE", "u", 0, 1, 60)[0], 1)
        self.assertEqual(daemon.stats()["fallback"], 2)

    def test_it_can_be_switched_off(self):
        client = self.connect(self.daemon(
            LIMITS, {"listen": {"allow_inline_limits": "no"}}))
        self.assertEqual(
            client.ask("CL.THROTTLE", "u", 0, 1, 60),
            "ERR CL.THROTTLE is switched off: [listen] allow_inline_limits = no")
        self.assertEqual(client.ask("CONSUME", "hot:1")[0], 1)

    def test_a_reload_in_between_changes_nothing(self):
        server = self.redis()
        daemon = self.redis_daemon(server, LIMITS, PATIENT)
        client = self.connect(daemon)
        for i in range(5):
            answer = client.ask("CL.THROTTLE", "u", 4, 1, 3600)
            self.assertEqual(answer[:3], [0, 5, 4 - i])
            daemon.write_limits(LIMITS.replace("capacity = 5", f"capacity = {i + 6}"))
            daemon.reload()


class PartingTest(RespCase):
    def test_all_that_was_received_is_answered_before_the_end(self):
        daemon = self.daemon(LIMITS)
        client = self.connect(daemon)
        self.assertEqual(client.ask("PING"), "PONG")
        client.send(command("CONSUME", "hot:1") * 500)
        daemon.stop()
        self.assertEqual(client.rest().count(b"*7\r\n:1\r\n"), 500)

    def test_clients_of_resp2_outlive_a_restart_and_of_resp3_are_closed(self):
        manager = Manager(self, store=100)
        daemon = manager.start()
        two, three, half = (self.connect(manager, unix=True) for _ in range(3))
        self.assertEqual(two.ask("PING"), "PONG")
        self.assertEqual(three.ask("HELLO", 3)["proto"], 3)
        half.send(command("PING") + b"*1\r\n$4\r\nPI")
        self.assertEqual(half.value(), "PONG")
        self.assertEqual(daemon.stop(), 0)
        two.send(command("PING"))
        manager.start()
        self.assertEqual(two.value(), "PONG")
        self.assertEqual(two.ask("CONSUME", "login:1")[6], "login")
        for closed in three, half:
            self.assertEqual(closed.rest(), b"")

    def test_of_a_client_to_be_kept_only_whole_commands_are_taken(self):
        """What comes while the daemon waits for Redis is for its successor."""
        server = self.redis()
        manager = Manager(self, store=100)
        settings = {"store": {"type": "redis"},
                    "redis": {"unix_socket_path": server.path, **PATIENT["redis"]}}
        daemon = manager.start(LIMITS, settings)
        client = self.connect(manager, unix=True)
        self.assertEqual(client.ask("PING"), "PONG")
        sent, received = 0, 0
        for _ in range(4):
            client.send(command("CONSUME", "hot:1") * 200)
            sent += 200
            self.assertEqual(daemon.stop(), 0)
            daemon = manager.start(LIMITS, settings)
            while received < sent:
                received += 1
                self.assertEqual(client.value()[:2], [1, received])


if __name__ == "__main__":
    harness.main()
