"""RESP on the same port, byte for byte: requests and their responses, the order of
them, what is refused, and CL.THROTTLE.
"""

import contextlib
import io
import itertools
import random
import time

import harness
from fake_redis import FakeRedis, empty_buckets
from harness import PATIENT, converse, wait_until
from test_service import Manager

LIMITS = harness.ALL_KINDS

# How many COMMAND lists.
COMMANDS = 44

USAGE = ("Cell error: Store error: Usage: cl.throttle <key> <max_burst>"
         " <count per period> <period> [<quantity>]")


def command(*words):
    parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(parts) + b"".join(
        b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Wrong(str):
    """An error as the client reads it."""


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
    def test_decisions_are_arrays_in_both_versions(self):
        daemon = self.daemon(LIMITS)
        for unix, version in ((True, 2), (False, 2), (True, 3)):
            client = self.connect(daemon, unix)
            client.ask("HELLO", version)
            key = f"hot:{unix}{version}"
            allowed = client.ask("CONSUME", key, 3)
            self.assertEqual(allowed[:3] + allowed[4:], [1, 3, 1000, 0, 0, "hot", "memory", ""])
            self.assertGreater(allowed[3], 3500000)
            self.assertLessEqual(allowed[3], 3600000)
            denied = client.ask("peek", key, 1000)
            self.assertEqual(denied[:3] + denied[5:], [0, 3, 1000, 0, "hot", "memory", ""])
            self.assertGreater(denied[4], 2 * 3600000)
            self.assertEqual(client.ask("CONSUME", key, 1001)[4], -1)
            self.assertEqual(client.ask("RESET", key), "OK")
            self.assertEqual(client.ask("PEEK", key, 0),
                             [1, 0, 1000, 0, 0, 0, "hot", "memory", ""])

    def test_decisions_are_maps_on_request(self):
        client = self.connect(self.daemon(LIMITS))
        fields = {"allowed": 1, "level": 0, "capacity": 1000, "next": 0, "retry": 0,
                  "blocked": 0, "limit": "hot", "from": "memory", "shadow": ""}
        flat = client.ask("PEEK", "hot:1", 0, "MAP")
        self.assertEqual(list(zip(flat[::2], flat[1::2])), list(fields.items()))
        hello = client.ask("HELLO", 3)
        self.assertEqual((hello["server"], hello["proto"], hello["modules"]),
                         ("dripgate", 3, []))
        self.assertEqual(client.ask("PEEK", "hot:1", 0, "MAP"), fields)
        client.ask("CONSUME", "look:1", 3, "map")
        shadow = client.ask("CONSUME", "look:1", 1, "map")
        self.assertEqual((shadow["allowed"], shadow["retry"], shadow["shadow"]),
                         (1, 0, "deny"))
        self.assertEqual(client.ask("CONSUME", "look:1")[6:], ["look", "memory", "deny"])
        self.assertEqual(client.ask("RESET"), "RESET")
        self.assertEqual(len(client.ask("PEEK", "hot:1", 0, "MAP")), 18)

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
            *same, throttle, delete, _, _, _, _ = client.ask("HELP")
            # AUTH of RESP is no verb, nor are the commands around it.
            self.assertEqual(same, [line for line in line_client.ask_many("HELP")
                                    if not line.startswith("AUTH ")])
            self.assertIn("CL.THROTTLE key", throttle)
            self.assertIn("DEL key", delete)
            stats = dict(line.split() for line in client.ask("STATS"))
            self.assertEqual(stats["clients"], "2")

    def test_a_key_is_any_512_bytes(self):
        for daemon in self.daemons_of_both_stores():
            client = self.connect(daemon)
            for key in (b"hot: a b", b"hot:\xff\x00\r\n", b"hot:\x00", b"hot:",
                        b"hot:" + b"\xff" * 508, "hot:\u00e9".encode()):
                with self.subTest(key):
                    self.assertEqual(client.ask("CONSUME", key, 3)[:2], [1, 3])
                    self.assertEqual(client.ask("CL.THROTTLE", key, 4, 1, 3600)[:3],
                                     [0, 5, 4])
                    shown = client.ask("EXPLAIN", key)
                    self.assertTrue(all(line.isprintable() for line in shown), shown)
                    self.assertEqual(client.ask("PEEK", key)[1], 3)
                    self.assertEqual(client.ask("RESET", key), "OK")
                    self.assertEqual(client.ask("PEEK", key)[1], 0)
            self.assertEqual(client.ask("EXPLAIN", b"hot:\xff \x00")[0],
                             r"key hot:\xff \x00")
            # Also where globs are tried one by one.
            self.assertEqual(client.ask("PEEK", b"a\x00:glob")[6], "glob")
            self.assertEqual(client.ask("PEEK", b"re\xffx")[6], "regex")
            self.assertEqual(client.ask("PEEK", b"re\xff\xff:glob")[6], "glob")

    def daemons_of_both_stores(self):
        limits = LIMITS + "".join(
            f"[{name}]\nmatch = {pattern}\ncapacity = 5\nrecharge = 1h\n"
            for name, pattern in (("regex", "~^re.x$"), ("glob", "*:glob")))
        return self.daemon(limits), self.redis_daemon(self.redis(), limits,
                                                      harness.PATIENT)

    def test_keys_are_forgotten_and_looked_at_as_in_redis(self):
        for daemon in self.daemons_of_both_stores():
            client = self.connect(daemon)

            def looks(key, client=client):
                return [client.ask(verb, key) for verb in ("EXISTS", "TTL", "PTTL")]
            for key in "u", "hot:1", b"\x00 ":
                self.assertEqual(looks(key), [0, -2, -2])
                self.assertEqual(client.ask("DEL", key), 0)
                client.ask("CL.THROTTLE", key, 4, 1, 3600, 2)
                exists, seconds, ms = looks(key)
                self.assertEqual(exists, 1)
                self.assertTrue(7100000 < ms <= 7200000, ms)
                self.assertTrue(ms // 1000 <= seconds <= 7200, (seconds, ms))
                self.assertEqual(client.ask("DEL", key), 1)
                self.assertEqual(looks(key), [0, -2, -2])
                self.assertEqual(client.ask("CL.THROTTLE", key, 4, 1, 3600, 2)[2], 3)
                client.ask("DEL", key)

            def check_looks(key, seconds):
                exists, left, _ = looks(key)
                self.assertEqual(exists, 1)
                self.assertTrue(seconds - 100 < left <= seconds, left)
            # One with a limit, and both.
            client.ask("CONSUME", "hot:1", 3)
            check_looks("hot:1", 3 * 3600)
            client.ask("CL.THROTTLE", "hot:1", 4, 1, 7200, 4)
            check_looks("hot:1", 8 * 3600)
            self.assertEqual(client.ask("DEL", "hot:1"), 1)
            self.assertEqual(looks("hot:1"), [0, -2, -2])
            # A block, too.
            client.ask("CONSUME", "guess:1", 4)
            client.ask("CONSUME", "guess:1")
            check_looks("guess:1", 300)
            client.ask("MULTI")
            for verb in "EXISTS", "DEL", "EXISTS", "TTL":
                client.ask(verb, "guess:1")
            self.assertEqual(client.ask("EXEC"), [1, 1, 0, -2])
            # What is sent behind it comes after it.
            for _ in range(20):
                client.send(command("CL.THROTTLE", "u", 4, 1, 3600, 5) + command("DEL", "u")
                            + command("CL.THROTTLE", "u", 4, 1, 3600, 4)
                            + command("TTL", "u") + command("PING"))
                *said, left, pong = [client.value() for _ in range(5)]
                self.assertEqual((said, pong),
                                 ([[0, 5, 0, -1, 18000], 1, [0, 5, 1, -1, 14400]], "PONG"))
                self.assertTrue(14300 < left <= 14400, left)
                client.ask("DEL", "u")
            self.assertEqual(client.ask("DEL", "a", "b"),
                             "ERR wrong number of arguments for 'del' command")

    def test_keys_are_not_looked_at_without_redis(self):
        redis = self.redis()
        client = self.connect(self.redis_daemon(
            redis, LIMITS, {"redis": {"socket_timeout": "100ms"}}))
        client.ask("CONSUME", "hot:1")
        redis.kill()
        for verb in "DEL", "EXISTS", "TTL", "PTTL":
            self.assertTrue(client.ask(verb, "hot:1").startswith("ERR unavailable "))
        self.assertEqual(client.ask("PING"), "PONG")

    def test_a_client_may_vanish_while_its_keys_are_looked_at(self):
        daemon = self.redis_daemon(self.redis(), LIMITS, harness.PATIENT)
        for _ in range(20):
            client = self.connect(daemon, unix=False)
            client.send(b"".join(command("DEL", f"hot:{i}") for i in range(200)))
            client.vanish()
        wait_until(lambda: daemon.stats()["clients"] == 1, "the close")

    def test_a_negative_quantity_gives_back(self):
        for daemon in self.daemons_of_both_stores():
            client = self.connect(daemon)
            self.assertEqual(client.ask("CL.THROTTLE", "u", 4, 1, 3600, 4)[:3], [0, 5, 1])
            self.assertEqual(client.ask("CL.THROTTLE", "u", 4, 1, 3600, -3)[:4], [0, 5, 4, -1])
            self.assertEqual(client.ask("CL.THROTTLE", "u", 4, 1, 3600, -9), [0, 5, 5, -1, 0])
            self.assertEqual(client.ask("CL.THROTTLE", "u", 4, 1, 3600)[:3], [0, 5, 4])

    def test_errors_have_the_code_words_of_the_line_protocol(self):
        client = self.connect(self.daemon(
            LIMITS, {"limits": {"unmatched": "error"}}))
        for words, error in [
                (("PEEK", ""), "ERR badkey "), (("PEEK", "k" * 513), "ERR badkey "),
                (("CONSUME", "hot:1", "1.5"), "ERR badamount "),
                (("CONSUME", "hot:1", 10 ** 9 + 1), "ERR badamount "),
                (("CONSUME", "none"), "ERR nolimit "),
                (("CONSUME",), "ERR wrong number of arguments for 'consume' command"),
                (("SET", "a"), "ERR unknown command 'SET'"),
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
        client.send(command("PING") + b"PEEK a\r\n")
        self.assertEqual(client.rest(), b"+PONG\r\n"
                         b"-ERR Protocol error: expected '*', got 'P'\r\n")

    def test_a_client_may_introduce_itself_by_a_line(self):
        daemon = self.daemon(LIMITS)
        for pieces in itertools.repeat(65536), itertools.cycle([1, 2, 3]):
            answers = converse(
                daemon.path, b"HELLO 3\r\n" + command("CONSUME", "hot:1") + b"PING\r\n",
                b"auth x\r\nPING\r\n", b"HELP\n", b"HELL", piece_sizes=pieces)
            self.assertTrue(answers[0].startswith(b"%7\r\n$6\r\nserver\r\n"), answers)
            self.assertTrue(answers[0].endswith(b"$0\r\n\r\n+PONG\r\n"), answers)
            self.assertTrue(answers[1].endswith(b" leave it out\r\n+PONG\r\n"), answers)
            self.assertTrue(answers[2].endswith(b"\nEND\n"), answers)
            self.assertEqual(answers[3], b"ERR incomplete the last line has no end\n")

    def test_what_clients_try_is_no_bad_line(self):
        daemon = self.daemon(LIMITS)
        client = self.connect(daemon)
        client.ask("HELLO", 3)
        for words in (("CLIENT", "TRACKING", "ON", "OPTIN"), ("CLIENT", "CACHING", "YES"),
                      ("CLIENT", "SETINFO", "LIB-NAME", "x")):
            self.assertEqual(client.ask(*words), "OK")
        self.assertEqual(
            client.ask("CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "none"),
            "ERR unknown subcommand 'MAINT_NOTIFICATIONS'")
        self.assertEqual(client.ask("CLUSTER", "INFO"),
                         "ERR This instance has cluster support disabled")
        for what in "INFO", "LIST":
            self.assertRegex(client.ask("CLIENT", what), "^id=[0-9]+ .* db=0 .* resp=3\n$")
        seconds, micros = map(int, client.ask("TIME"))
        self.assertLess(abs(seconds + micros / 1e6 - time.time()), harness.PATIENCE)
        self.assertEqual(client.ask("DBSIZE"), 0)
        self.assertEqual(daemon.stats()["bad_lines"], 0)


class TransactionTest(RespCase):
    """MULTI, the commands behind it, EXEC."""

    def both(self):
        """A client of a daemon of each store, and that daemon."""
        for daemon in (self.daemon(LIMITS),
                       self.redis_daemon(self.redis(), LIMITS, harness.PATIENT)):
            yield self.connect(daemon), daemon

    def test_the_commands_are_carried_out_in_order_by_exec(self):
        for client, daemon in self.both():
            self.assertEqual(client.ask("MULTI"), "OK")
            for words in (("CONSUME", "login:1", 3), ("CONSUME", "login:1", 3),
                          ("CL.THROTTLE", "u", 4, 1, 3600, 2), ("CONSUME", "login:1", "x"),
                          ("PEEK", "login:1", 1, "MAP"), ("RESET", "login:1"), ("PING",)):
                self.assertEqual(client.ask(*words), "QUEUED")
            self.assertEqual(daemon.stats()["allowed"], 0)
            first, denied, cell, wrong, flat, *rest = client.ask("EXEC")
            self.assertEqual((first[:3], denied[:3], cell[:3], flat[:4]), (
                [1, 3, 5], [0, 3, 5], [0, 5, 3], ["allowed", 1, "level", 3]))
            self.assertTrue(wrong.startswith("ERR badamount "), wrong)
            self.assertEqual(rest, ["OK", "PONG"])
            self.assertEqual(client.ask("EXEC"), "ERR EXEC without MULTI")
            self.assertEqual(client.ask("PEEK", "login:1")[1], 0)

    def test_what_is_discarded_or_aborted_is_not_charged(self):
        for client, daemon in self.both():
            for last, error in (
                    ("DISCARD", "OK"),
                    ("EXEC", "EXECABORT Transaction discarded because of previous errors.")):
                client.ask("MULTI")
                self.assertEqual(client.ask("CONSUME", "login:1"), "QUEUED")
                if last == "EXEC":
                    self.assertEqual(client.ask("CONSUME"),
                                     "ERR wrong number of arguments for 'consume' command")
                self.assertEqual(client.ask(last), error)
            client.ask("MULTI")
            self.assertEqual(client.ask("CONSUME", "login:1"), "QUEUED")
            client.close()
            wait_until(lambda daemon=daemon: daemon.stats()["clients"] == 1, "the close")
            self.assertEqual(daemon.stats()["allowed"], 0)
            self.assertIn(" level=0 ", daemon.ask("PEEK login:1"))

    def test_a_transaction_is_at_most_64_kib(self):
        client = self.connect(self.daemon(LIMITS))
        client.ask("MULTI")
        answers = [client.ask("ECHO", "x" * 4000) for _ in range(17)]
        self.assertEqual(answers[:16], ["QUEUED"] * 16)
        self.assertEqual(answers[16], "ERR a transaction is at most 65536 bytes")
        self.assertTrue(client.ask("EXEC").startswith("EXECABORT "))
        self.assertEqual(client.ask("PING"), "PONG")

    def test_many_pipelined_transactions_are_answered_in_order(self):
        for client, daemon in self.both():
            # More than may wait for a response at a time.
            one = command("CONSUME", "hot:1")
            text = (command("MULTI") + one * 1500 + command("EXEC") + command("PING")) * 2
            answer, = converse(daemon.path, text)
            file = io.BytesIO(answer)
            levels = []
            for _ in range(2):
                self.assertEqual([read_value(file) for _ in range(1501)],
                                 ["OK"] + ["QUEUED"] * 1500)
                levels += [decision[1] for decision in read_value(file)]
                self.assertEqual(read_value(file), "PONG")
            self.assertEqual(levels, [*range(1, 1001)] + [1000] * 2000)
            self.assertEqual(file.read(), b"")
            client.ask("RESET", "hot:1")

    def test_transactions_come_byte_by_byte_as_well(self):
        daemon = self.daemon(LIMITS)
        text = command("MULTI") + command("CONSUME", "hot:1") * 3 + command("EXEC") \
            + command("PEEK", "hot:1", 0)
        whole, = converse(daemon.path, text)
        daemon.ask("RESET hot:1")
        pieces, = converse(daemon.path, text, piece_sizes=itertools.repeat(1))
        read = [[self.without_times(value) for value in self.values(answer)]
                for answer in (whole, pieces)]
        self.assertEqual(read[0], read[1])

    def without_times(self, value):
        """Decisions, also within a list, up to their capacity."""
        if not isinstance(value, list):
            return value
        return [self.without_times(item) for item in
                (value if isinstance(value[0], list) else value[:3])]

    @staticmethod
    def values(answer):
        file, values = io.BytesIO(answer), []
        with contextlib.suppress(EOFError):
            while True:
                values.append(read_value(file))
        return values


# The response of each of them before the close.
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
    b"*0\r\nPEEK a\r\n": "expected '*', got 'P'",
    b"HELLO " + b"x" * 2000: "expected '*', got 'H'",
    b"PING" + b" x" * 64 + b"\r\n": "expected '*', got 'P'",
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
                expected += ["LIMITS", COMMANDS]
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
        self.assertEqual(len(client.value()), COMMANDS)


THROTTLE_ERRORS = [
    ((), USAGE), (("u", 1, 1), USAGE), (("u", 1, 1, 1, 1, 1), USAGE),
    (("u", "x", 1, 1), "Cell error: Store error: Couldn't parse as integer: x"),
    (("u", 1, 1, "1.5"), "Cell error: Store error: Couldn't parse as integer: 1.5"),
    (("u", 1, 0, 1), "Cell error: Store error: Zero rates are not supported"),
    (("u", 1, 1, 0), "Cell error: Store error: Zero rates are not supported"),
    (("u", 1, 1, 1, -10 ** 9 - 1),
     "Cell error: quantity must be from -1000000000 to 1000000000"),
    (("u", 0, 1, 2592001), "Cell error: (max_burst + 1) * period / count"
                           " must be at most 30 days"),
    (("", 1, 1, 1), "ERR badkey a key is 1 to 512 bytes"),
    (("a" * 513, 1, 1, 1), "ERR badkey a key is 1 to 512 bytes"),
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
        self.assertEqual(client.rest().count(b"*9\r\n:1\r\n"), 500)

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
