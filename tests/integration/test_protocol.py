"""The line protocol: every verb, every error, and the order of the responses."""

import contextlib
import fcntl
import itertools
import os
import random
import re
import signal
import struct
import termios
import time

import harness
from harness import PATIENT, ROOT, converse, wait_until

# Windows and recharges of such a length that no drop leaks during a test.
LIMITS = """
[login]
match = login:*
capacity = 5
recharge = 1d

[lock]
match = lock:*
capacity = 3
recharge = 1d
block = 1h
on_error = deny

[window]
match = win?:*
algorithm = fixed_window
capacity = 4
window = 52000d
on_error = allow

[quiet]
match = ~^quiet:[0-9]+:
capacity = 2
recharge = 1d
shadow = yes
"""

COUNTS = " allowed=0 denied=0 shadow_denied=0 fallback=0 denycache=0 overridden=0"

LIMITS_ANSWER = [
    "login algorithm=leaky_bucket capacity=5 recharge=86400.000000 block=0"
    " on_error=memory shadow=no" + COUNTS + " match=login:*",
    "lock algorithm=leaky_bucket capacity=3 recharge=86400.000000"
    " block=3600.000000 on_error=deny shadow=no" + COUNTS + " match=lock:*",
    "window algorithm=fixed_window capacity=4 window=4492800000.000000"
    " on_error=allow shadow=no" + COUNTS + " match=win?:*",
    "quiet algorithm=leaky_bucket capacity=2 recharge=86400.000000 block=0"
    " on_error=memory shadow=yes" + COUNTS + " match=~^quiet:[0-9]+:",
]

PATTERNS = {"login": "prefix login:*", "lock": "prefix lock:*",
            "window": "glob win?:*", "quiet": "regex ~^quiet:[0-9]+:"}

# What EXPLAIN says of their buckets, masked.
WORDS = {"login": "recharge=T block=0", "lock": "recharge=T block=T",
         "window": "window=T", "quiet": "recharge=T block=0"}

UNMATCHED = "limit=- level=0 capacity=0 next=0 retry=0 blocked=0 from=none"

# The code words are stable: clients look at them.
ERRORS = {
    "empty": "ERR empty the line is empty; try HELP",
    "toolong": "ERR toolong a line is at most 4096 bytes",
    "incomplete": "ERR incomplete the last line has no end",
    "badverb": "ERR badverb unknown request; try HELP",
    "nokey": "ERR nokey a key must follow",
    "badkey": "ERR badkey a key is 1 to 255 bytes of printable ASCII or UTF-8",
    "badamount": "ERR badamount amount must be a whole number"
                 " from -1000000000 to 1000000000",
    "badseconds": "ERR badseconds seconds is a number, as 2 or 0.5, or a time, as 500ms",
    "badid": "ERR badid an id is 1 to 64 bytes of printable ASCII or UTF-8",
    "noid": "ERR noid an id must follow the key",
    "noamount": "ERR noamount an amount must follow each key",
    "badcount": "ERR badcount a count is a whole number from 1 to 1000",
    "badglob": "ERR badglob the glob of keys is not one",
    "surplus": "ERR surplus too many words",
    "http": "ERR http this is not an HTTP server",
    "nolimit": "ERR nolimit no limit matches this key",
    "nosecret": "ERR nosecret a secret must follow, perhaps after a name",
    "nousers": "ERR nousers there are no users here; leave AUTH out",
    "noauth": "ERR noauth log in first",
    "wrongpass": "ERR wrongpass no user has this name and secret",
    "slowdown": "ERR slowdown too many wrong secrets came from this address; try later",
    "noperm": "ERR noperm this user may not ask that",
    "toomany": "ERR toomany more than 16 keys, with those of also",
    "takealso": "ERR takealso TAKE, HOLD and RELEASE are not for a limit that has also",
    "nolease": "ERR nolease the limit of this key has no leases: it is not concurrent",
    "notheld": "ERR notheld nothing is held under this id: its lease ended, or never began",
    "otherid": "ERR otherid this id came with another request for the key before",
    "spreadid": "ERR spreadid keys with an id must be on one server: give them one {tag}",
    "noids": "ERR noids the algorithm of this limit takes no ids",
    "unavailable": "ERR unavailable the bucket could not be reset now",
    "clients": "ERR clients too many clients",
    "draining": "ERR draining the server is about to end",
    "nolimits": "ERR nolimits no limits are in force",
    "fallback": "ERR fallback Redis does not decide, on_error does",
}

BAD_LINES = {
    "empty": [b"", b" ", b"\t", b" \t  \t ", b" " * 4096],
    "badverb": [
        b"consum", b"consumee k", b"xyz", b"\0", b"\0consume k", b"consume\0k",
        b"ping\0", b"\x01", b"\x7f", b"\xff\xfe", b"\xc3\xa9", b"*3", b"CON SUME",
        b"consume,k", b"-", b"+5", b"\x16\x03\x01\x02", b"pin\rg", b"PING\r\r",
        b"\x0bping", b"\x0cping", b"\xef\xbb\xbfping", b"x" * 4096],
    "nokey": [b"consume", b"peek", b"reset", b"explain", b"consume ",
              b"PEEK \t ", b"reset\t"],
    "surplus": [b"consume k 1 1", b"peek k 1 x", b"reset k 1", b"explain k k",
                b"limits x", b"stats 1", b"ping ping", b"help me", b"quit now",
                b"ping \0", b"consume k 1 " + b"y" * 4000],
}

BAD_KEYS = [
    b"a\0", b"\0", b"\x01", b"a\x1fb", b"a\x7f", b"a\x0bb", b"a\rb", b"a\x1b[2J",
    b"\x80", b"\xbf", b"\xff", b"\xfe", b"a\xc3", b"\xc3(", b"\xc3\xa9\xa9",
    b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf",           # overlong, two bytes
    b"\xe0\x80\x80", b"\xe0\x9f\xbf",                # three
    b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",        # four
    b"\xed\xa0\x80", b"\xed\xbf\xbf",                # surrogates
    b"\xed\xa0\xbd\xed\xb8\x80",                     # a pair of them
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",        # past U+10FFFF
    b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98",
    b"\xc2\x80", b"\xc2\x9f",                        # C1 controls
    b"k" * 256, b"k" * 4000, "é".encode() * 128, b"k" * 254 + "é".encode(),
]

GOOD_KEYS = [
    b"!", b"~", b"k" * 255, "é".encode() * 127, b"k" * 253 + "é".encode(),
    b"\xc2\xa0", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80",
    b"\xef\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", "日本語:🙂".encode(),
    b"limit=x", b"%s%n%d", b"\\x00", b"'\"`$(){}[]*?", b"GET", b"a:",
]

BAD_AMOUNTS = [
    b"nan", b"NaN", b"inf", b"-inf", b"0x5", b"1e3", b"1E3", b"5.5", b"5.0", b"5.",
    b".5", b"99999999999999999999", b"-99999999999999999999", b"+5", b"--5", b"-",
    b"5-", b"5a", b"a", b"1000000001", b"-1000000001", b"9223372036854775808",
    b"18446744073709551617", b"4294967297", b"''", b'""', b"1,5", b"1_000", b"\0",
    b"5\0", b"\xd9\xa3", b"0b1", b"9" * 4000,
]

# These are numbers, if odd ones: the level that they bring an empty bucket to.
ODD_AMOUNTS = {b"0": 0, b"-0": 0, b"-5": 0, b"-1000000000": 0, b"005": 5,
               b"0000000000000000000000000001": 1, b" 2 \t": 2}

CONTROLS = [byte for byte in range(256)
            if (byte < 0x20 or byte == 0x7F) and byte not in b"\n\t"]


def masked(answer):
    """The response, its times and counters made the same in every run, and whether
    Redis refused, or its refusal was still good."""
    text = re.sub(rb"=\d+\.\d{6}\b", b"=T", answer)
    text = text.replace(b" from=denycache", b" from=redis")
    text = re.sub(rb" (allowed|denied|shadow_denied|fallback|denycache)=\d+",
                  rb" \1=N", text)
    return re.sub(rb"(?m)^([a-z_]+) \d+$", rb"\1 N", text).decode()


class ProtocolCase(harness.Case):
    def start(self, unmatched="allow", **settings):
        return self.daemon(LIMITS, {"workers": {"count": 4},
                                    "limits": {"unmatched": unmatched}, **settings})

    def each_way(self, daemon):
        """A client by TCP, and one by the Unix socket."""
        for unix in (False, True):
            with daemon.connect(unix) as client:
                yield client

    def check(self, client, line, expected):
        self.assertEqual(masked(client.ask(line).encode()), expected)


class VerbsTest(ProtocolCase):
    def test_consume_answers_until_the_bucket_is_full(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            self.check(client, "RESET login:1", "OK")
            for level in range(1, 6):
                self.check(
                    client, "CONSUME login:1",
                    f"ALLOW limit=login level={level} capacity=5 next=T retry=0"
                    " blocked=0 from=memory")
            self.check(client, "CONSUME login:1",
                       "DENY limit=login level=5 capacity=5 next=T retry=T"
                       " blocked=0 from=memory")
            self.check(client, "CONSUME login:1 6",
                       "DENY limit=login level=5 capacity=5 next=T retry=never"
                       " blocked=0 from=memory")
            self.check(client, "CONSUME login:1 -2",
                       "ALLOW limit=login level=3 capacity=5 next=T retry=0"
                       " blocked=0 from=memory")
            self.check(client, "CONSUME login:1 -1000000000",
                       "ALLOW limit=login level=0 capacity=5 next=0 retry=0"
                       " blocked=0 from=memory")

    def test_times_are_seconds_with_six_decimals(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            reply = client.ask("CONSUME login:t 5")
            self.assertEqual(
                reply, "ALLOW limit=login level=5 capacity=5 next=86400.000000"
                       " retry=0 blocked=0 from=memory")
            later = harness.fields(client.ask("CONSUME login:t 2"))
            self.assertRegex(later["next"], r"^863\d\d\.\d{6}$")
            self.assertAlmostEqual(float(later["retry"]),
                                   float(later["next"]) + 86400, places=5)
            client.ask("RESET login:t")

    def test_peek_says_what_consume_would_and_changes_nothing(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            client.ask("RESET lock:p", "CONSUME lock:p 2")
            for _ in range(3):
                self.check(client, "PEEK lock:p",
                           "ALLOW limit=lock level=2 capacity=3 next=T retry=0"
                           " blocked=0 from=memory")
                self.check(client, "PEEK lock:p 2",
                           "DENY limit=lock level=2 capacity=3 next=T retry=T"
                           " blocked=0 from=memory")
                self.check(client, "PEEK lock:p -1",
                           "ALLOW limit=lock level=2 capacity=3 next=T retry=0"
                           " blocked=0 from=memory")

    def test_a_block_shows_and_reset_ends_it(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            client.ask("RESET lock:b", "CONSUME lock:b 2")
            self.check(client, "CONSUME lock:b 2",
                       "DENY limit=lock level=2 capacity=3 next=T retry=T"
                       " blocked=T from=memory")
            self.check(client, "CONSUME lock:b 1",
                       "DENY limit=lock level=2 capacity=3 next=T retry=T"
                       " blocked=T from=memory")
            self.check(client, "CONSUME lock:b -1",
                       "ALLOW limit=lock level=1 capacity=3 next=T retry=0"
                       " blocked=T from=memory")
            self.check(client, "RESET lock:b", "OK")
            self.check(client, "PEEK lock:b 3",
                       "ALLOW limit=lock level=0 capacity=3 next=0 retry=0"
                       " blocked=0 from=memory")

    def test_a_limit_in_shadow_allows_and_says_shadow_deny(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            self.check(client, "RESET quiet:1:x", "OK")
            self.check(client, "CONSUME quiet:1:x 2",
                       "ALLOW limit=quiet level=2 capacity=2 next=T retry=0"
                       " blocked=0 from=memory")
            for line in "CONSUME quiet:1:x", "PEEK quiet:1:x", "CONSUME quiet:1:x 9":
                self.check(client, line,
                           "ALLOW limit=quiet level=2 capacity=2 next=T retry=0"
                           " blocked=0 from=memory shadow=deny")
        self.assertEqual(daemon.stats()["shadow_denied"], 4)

    def test_unmatched_keys_are_answered_as_the_setting_says(self):
        verdicts = {"allow": f"ALLOW {UNMATCHED}", "deny": f"DENY {UNMATCHED}",
                    "error": ERRORS["nolimit"]}
        for setting, verdict in verdicts.items():
            daemon = self.start(setting)
            for client in self.each_way(daemon):
                for line in "CONSUME other", "CONSUME other 1000000000", "PEEK other":
                    self.check(client, line, verdict)
                self.check(client, "RESET other",
                           ERRORS["nolimit"] if setting == "error" else "OK")
                self.assertEqual(client.ask_many("EXPLAIN other")[-1],
                                 "limit -: no limit matches")
                self.assertEqual(client.ask("PING"), "PONG")

    def test_explain_says_what_matched_and_what_did_not(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            client.ask("RESET win1:x", "CONSUME win1:x 3")
            lines = masked("\n".join(client.ask_many("EXPLAIN win1:x")).encode())
            self.assertEqual(lines.split("\n"), [
                "key win1:x",
                "not login: no match (prefix login:*)",
                "not lock: no match (prefix lock:*)",
                "limit window: match (glob win?:*)",
                "store memory",
                "bucket level=3 capacity=4 empty=T blocked=0 from=memory window=T"])
            self.assertEqual(client.ask_many("EXPLAIN login:never-seen"), [
                "key login:never-seen",
                "limit login: match (prefix login:*)",
                "store memory",
                "bucket level=0 capacity=5 empty=0 blocked=0 from=memory "
                "recharge=86400.000000 block=0"])

    def test_limits_are_listed_in_their_order(self):
        for client in self.each_way(self.start()):
            self.assertEqual(client.ask_many("LIMITS"), LIMITS_ANSWER)

    def test_stats_are_names_and_numbers_and_they_count(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            client.ask("PING") # it is counted by now
            before = daemon.stats()
            client.ask("CONSUME lock:s 3", "CONSUME lock:s", "PEEK lock:s",
                       "RESET lock:s", "CONSUME other", "nonsense")
            after = daemon.stats()
            # Gauges go down as well, and the machine decides what waits.
            others = ("uptime_seconds", "clients", "memory_buckets",
                      "clients_waiting", "clients_moved", "longest_wait_us", "waited_us",
                      "received_bytes", "sent_bytes")
            grown = {name: after[name] - before[name] for name in after
                     if after[name] != before[name] and name not in others}
            self.assertEqual(grown, {
                "allowed": 2, "denied": 1, "peeks": 1, "resets": 1,
                "unmatched": 1, "bad_lines": 1, "connections": 1})
            self.assertEqual(after["workers"], 4)
            self.assertEqual(after["limits"], 4)

    def test_help_names_every_verb(self):
        for client in self.each_way(self.start()):
            lines = client.ask_many("HELP")
            self.assertEqual(
                [line.split()[0] for line in lines],
                ["CONSUME", "PEEK", "MCONSUME", "MPEEK", "CHARGE", "TAKE", "WAIT", "HOLD",
                 "RELEASE", "RESET", "EXPLAIN",
                 "LIMITS", "STATS", "STATUS", "TOP", "MONITOR", "CACHE", "FORGET", "AUTH", "PING", "READY", "HELP", "QUIT"])

    def test_quit_closes_after_all_is_answered_and_what_follows_is_not_done(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            client.send("CONSUME login:q\nHELP\nPING\nQUIT\nCONSUME login:q\nPING\n")
            lines = client.rest().decode().split("\n")
            self.assertTrue(lines[0].startswith("ALLOW limit=login level=1 "))
            self.assertEqual(lines[-4:], ["QUIT                  close the connection",
                                          "END", "PONG", ""])
            self.assertIn(" level=1 ", daemon.ask("PEEK login:q"))
            daemon.ask("RESET login:q")

    def test_verbs_are_taken_in_any_case(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            for word in "ping", "PING", "PiNg", "pInG":
                self.assertEqual(client.ask(word), "PONG")
            for word in "consume", "Consume", "CONSUME", "cONSUMe":
                self.assertTrue(client.ask(f"{word} login:case").startswith("ALLOW"))
            self.assertTrue(client.ask("pEEk login:case").startswith("ALLOW"))
            self.assertEqual(client.ask("rESet login:case"), "OK")
            self.assertEqual(len(client.ask_many("lIMITs")), len(LIMITS_ANSWER))
            self.assertEqual(client.ask_many("eXPlain login:case")[0],
                             "key login:case")

    def test_keys_are_not_taken_in_any_case(self):
        daemon = self.start()
        self.assertTrue(daemon.ask("consume LOGIN:1").startswith("ALLOW limit=- "))
        daemon.ask("consume login:a 5")
        self.assertIn(" level=0 ", daemon.ask("peek login:A"))

    def test_crlf_and_blanks_around_words_do_not_matter(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            for line in (b"PING\r\n", b" PING\n", b"PING \n", b"\t PING \t \r\n",
                         b" " * 4092 + b"PING\n", b"PING" + b"\t" * 4092 + b"\r\n"):
                client.send(line)
                self.assertEqual(client.line(), "PONG", line[:20])
            for line in (b"PEEK login:b 6\r\n", b"PEEK\tlogin:b\t6\n",
                         b"  PEEK \t login:b  \t 6   \r\n"):
                client.send(line)
                self.assertEqual(
                    client.line(), "DENY limit=login level=0 capacity=5 next=0"
                                   " retry=never blocked=0 from=memory")


class ErrorsTest(ProtocolCase):
    def check_lines(self, client, lines, reply):
        """Each line gets that reply, and the next line is read as ever."""
        client.send(b"".join(line + b"\nPING\n" for line in lines))
        for line in lines:
            self.assertEqual(client.line(), reply, line[:60])
            self.assertEqual(client.line(), "PONG", line[:60])

    def test_all_codes_are_known_here(self):
        with open(os.path.join(ROOT, "src/protocol/errors.h"), encoding="utf-8") as file:
            codes = re.findall(r'X\([A-Z]+, "([a-z]+)"', file.read())
        # "unavailable" has a second text, for what only RESP can ask.
        self.assertEqual(list(dict.fromkeys(codes)), list(ERRORS))

    def test_bad_lines_get_their_code_and_the_connection_lives_on(self):
        for client in self.each_way(self.start()):
            for code, lines in BAD_LINES.items():
                self.check_lines(client, lines, ERRORS[code])

    def test_bad_keys(self):
        for client in self.each_way(self.start()):
            for verb in b"consume", b"peek", b"reset", b"explain":
                self.check_lines(client, [verb + b" " + key for key in BAD_KEYS],
                                 ERRORS["badkey"])
            self.check_lines(
                client, [b"consume a%cb" % byte for byte in CONTROLS],
                ERRORS["badkey"])

    def test_good_keys(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            self.check_lines(client, [b"consume " + key for key in GOOD_KEYS],
                             f"ALLOW {UNMATCHED}")
            for key in GOOD_KEYS:
                client.send(b"explain " + key + b"\n")
                self.assertEqual(client.line(), "key " + key.decode())
                while client.line() != "END":
                    pass

    def test_keys_of_every_code_point(self):
        points = [point for point in itertools.chain(
            range(0xA0, 0x3000, 7), range(0x3000, 0xD800, 211),
            range(0xE000, 0x10FFFF, 4099), [0x7FF, 0x800, 0xD7FF, 0xFFFF, 0x10FFFF])]
        with self.start().connect() as client:
            self.check_lines(client, [b"peek " + chr(point).encode()
                                      for point in points], f"ALLOW {UNMATCHED}")
            self.check_lines(
                client, [b"peek " + chr(point).encode("utf-8", "surrogatepass")
                         for point in range(0xD800, 0xE000, 31)], ERRORS["badkey"])

    def test_bad_amounts(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            for verb in b"consume", b"peek":
                self.check_lines(
                    client, [verb + b" login:x " + amount for amount in BAD_AMOUNTS],
                    ERRORS["badamount"])
            self.assertIn(" level=0 ", client.ask("peek login:x"))

    def test_odd_amounts_that_are_numbers(self):
        daemon = self.start()
        for client in self.each_way(daemon):
            for amount, level in ODD_AMOUNTS.items():
                client.send(b"reset login:x\nconsume login:x " + amount + b"\n")
                self.assertEqual(client.line(), "OK")
                self.assertIn(f"ALLOW limit=login level={level} ", client.line())

    def test_largest_amounts(self):
        for client in self.each_way(self.start()):
            self.check(client, "consume login:max 1000000000",
                       "DENY limit=login level=0 capacity=5 next=0 retry=never"
                       " blocked=0 from=memory")
            self.check(client, "consume login:max -1000000000",
                       "ALLOW limit=login level=0 capacity=5 next=0 retry=0"
                       " blocked=0 from=memory")

    def test_http_in_lines_gets_one_error_and_a_close_and_nothing_is_done(self):
        daemon = self.start()
        requests = [
            b"post / HTTP/1.1\r\n\r\n", b"Host: 127.0.0.1:14290\r\n", b"host:\n",
            b"Get / HTTP/1.1\n", b"GET\n", b"GET\t/\n",
            b"Content-Length: 5\n", b"consume: login:http\n"]
        for unix in (False, True):
            for request in requests:
                with self.subTest(request), daemon.connect(unix) as client:
                    client.send(request + b"consume login:http\n" * 5)
                    self.assertEqual(client.rest().decode(), ERRORS["http"] + "\n")
        self.assertIn(" level=0 ", daemon.ask("peek login:http"))

    def test_http_is_answered_after_what_came_before_it(self):
        with self.start().connect(unix=False) as client:
            client.send(b"PING\nbad\nPOST / HTTP/1.1\r\n" + b"x" * 300_000)
            self.assertEqual(client.rest().decode().split("\n"), [
                "PONG", ERRORS["badverb"], ERRORS["http"], ""])

    def test_a_line_of_4096_bytes_is_fine_and_one_more_is_not(self):
        def line(length):
            return b"PING" + b" " * (length - 4)

        for client in self.each_way(self.start()):
            for end in b"\n", b"\r\n":
                for length, reply in ((4095, "PONG"), (4096, "PONG"),
                                      (4097, ERRORS["toolong"]),
                                      (4098, ERRORS["toolong"]),
                                      (8192, ERRORS["toolong"]),
                                      (65536, ERRORS["toolong"]),
                                      (1_000_003, ERRORS["toolong"])):
                    client.send(line(length) + end + b"PEEK x 0\n")
                    self.assertEqual(client.line(), reply, (length, end))
                    self.assertEqual(client.line(), f"ALLOW {UNMATCHED}")

    def test_the_last_line_needs_an_end(self):
        daemon = self.start()
        for last, reply in ((b"consume login:end", ERRORS["incomplete"]),
                            (b"ping\r", ERRORS["incomplete"]),
                            (b" ", ERRORS["incomplete"]),
                            (b"get / HTTP/1.1", ERRORS["incomplete"]),
                            (b"x" * 4097, ERRORS["incomplete"]),
                            (b"x" * 4098, ERRORS["toolong"]),
                            (b"x" * 100_000, ERRORS["toolong"])):
            for address in daemon.path, ("127.0.0.1", daemon.port):
                self.assertEqual(
                    converse(address, b"PING\n" + last, last),
                    [f"PONG\n{reply}\n".encode(), f"{reply}\n".encode()], last[:20])
        self.assertEqual(converse(daemon.path, b"PING\n"), [b"PONG\n"])
        self.assertIn(" level=0 ", daemon.ask("peek login:end"))

    def test_endless_bytes_without_a_newline_cost_one_error_and_no_memory(self):
        daemon = self.start(listen={"line_timeout": "1h"})
        piece = b"consume login:endless 1 " * 43_691 # a megabyte
        for client in self.each_way(daemon):
            before = daemon.memory()
            for _ in range(128):
                client.send(piece)
                self.assertLess(daemon.memory() - before, 4 << 20)
            with daemon.connect() as other:
                self.assertEqual(other.ask("PING"), "PONG")
            client.send("\nPING\n")
            client.finish()
            self.assertEqual(client.rest().decode(), ERRORS["toolong"] + "\nPONG\n")

    def test_bad_bytes_of_one_client_cost_nobody_else_anything(self):
        daemon = self.start()
        random_bytes = random.Random(7).randbytes(1_000_000)
        with daemon.connect() as bystander:
            for unix in (False, True):
                with daemon.connect(unix) as client:
                    client.send(b"\n" + random_bytes.replace(b":", b";") + b"\nQUIT\n")
                    answers = client.rest().decode().split("\n")
                self.assertEqual(answers.pop(), "")
                self.assertEqual(
                    [answer for answer in answers if answer not in ERRORS.values()], [])
                self.assertEqual(bystander.ask("PING"), "PONG")

    def test_too_many_clients(self):
        daemon = self.start(listen={"max_clients": 1})
        with daemon.connect() as first:
            self.assertEqual(first.ask("PING"), "PONG")
            for unix in True, False:
                # One that says nothing, and some that do, in their protocol.
                with daemon.connect(unix=unix) as second:
                    self.assertEqual(second.rest().decode(), ERRORS["clients"] + "\n")
                for said, start in (b"ping\n", ""), (b"p", ""), (b"*", "-"):
                    daemon.send(signal.SIGSTOP) # until its first bytes are there
                    with daemon.connect(unix=unix) as second:
                        second.send(said)
                        daemon.send(signal.SIGCONT)
                        line, end, nothing = second.rest().decode().partition("\n")
                        self.assertEqual((line.rstrip("\r"), end, nothing),
                                         (start + ERRORS["clients"], "\n", ""))
            self.assertEqual(first.ask("PING"), "PONG")

    def test_many_more_than_too_many_clients(self):
        daemon = self.start(listen={"max_clients": 1})
        with daemon.connect() as first, contextlib.ExitStack() as stack:
            self.assertEqual(first.ask("PING"), "PONG")
            silent = [stack.enter_context(daemon.connect()) for _ in range(100)]
            for client in silent:
                self.assertEqual(client.rest().decode(), ERRORS["clients"] + "\n")
            self.assertEqual(first.ask("PING"), "PONG")
        wait_until(lambda: daemon.ask("PING") == "PONG", "room for a client")

    def test_a_reset_that_cannot_take_place_is_said(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, LIMITS, PATIENT)
        self.assertEqual(daemon.ask("reset login:r"), "OK")
        redis.kill()
        wait_until(lambda: daemon.stats()["redis_ready"] == 0, "the loss of Redis")
        self.assertEqual(daemon.ask("reset login:r"), ERRORS["unavailable"])


class Bucket:
    """What the daemon should say of one key, if no time passes.

    The store may be any: what decided is put in by name.
    """

    limits = {"login": (5, False, False), "lock": (3, True, False),
              "window": (4, False, False), "quiet": (2, False, True)}

    def __init__(self, limit, store="memory"):
        self.limit = limit
        self.store = store
        self.capacity, self.blocks, self.shadow = self.limits[limit]
        self.reset()

    def reset(self):
        self.level = 0
        self.blocked = False
        return "OK\n"

    def consume(self, amount=1):
        fits = amount <= self.capacity
        if fits and 0 < amount <= self.capacity - self.level and not self.blocked:
            self.level += amount
            return self.reply(amount, True)
        if amount < 0:
            self.level = max(0, self.level + amount)
        elif amount > 0 and fits:
            self.blocked = self.blocks
        return self.reply(amount, amount <= 0)

    def peek(self, amount=1):
        return self.reply(amount, amount <= 0 or (
            amount <= self.capacity - self.level and not self.blocked))

    def reply(self, amount, allowed):
        retry = ("0" if allowed or self.shadow else
                 "never" if amount > self.capacity else "T")
        return (f"{'ALLOW' if allowed or self.shadow else 'DENY'}"
                f" limit={self.limit} level={self.level} capacity={self.capacity}"
                f" next={'T' if self.level else 0} retry={retry}"
                f" blocked={'T' if self.blocked else 0} from={self.store}"
                f"{' shadow=deny' if self.shadow and not allowed else ''}\n")

    def explain(self, key):
        names = list(self.limits)
        place = ("store memory" if self.store == "memory" else
                 f"store redis (replies), field {key} of hash drip:{self.limit}"
                 + (":w" if self.limit == "window" else ""))
        return "".join(
            [f"key {key}\n"]
            + [f"not {name}: no match ({PATTERNS[name]})\n"
               for name in names[:names.index(self.limit)]]
            + [f"limit {self.limit}: match ({PATTERNS[self.limit]})\n",
               f"{place}\n",
               f"bucket level={self.level} capacity={self.capacity}"
               f" empty={'T' if self.level else 0}"
               f" blocked={'T' if self.blocked else 0} from={self.store}"
               f" {WORDS[self.limit]}\n",
               "END\n"])


class Script:
    """Random requests of one connection, and their responses."""

    heads = {"login": "login:", "lock": "lock:", "window": "win1:",
             "quiet": "quiet:1:"}

    def __init__(self, seed, texts, store="memory"):
        self.random = random.Random(seed)
        self.texts = texts # the responses to HELP, LIMITS and STATS
        self.buckets = {f"{head}{seed}-{i}": Bucket(limit, store)
                        for limit, head in self.heads.items() for i in range(2)}
        self.requests, self.answers = [], []

    def add(self, request, answer):
        self.requests.append(request)
        self.answers.append(answer)

    def add_decision(self):
        key, bucket = self.random.choice(list(self.buckets.items()))
        verb = self.random.choice(["consume"] * 6 + ["peek"] * 2 + ["reset", "explain"])
        if verb == "reset":
            self.add(f"reset {key}", bucket.reset())
        elif verb == "explain":
            self.add(f"explain {key}", bucket.explain(key))
        elif self.random.random() < 0.4:
            amount = self.random.choice([0, 1, 2, 3, 4, 5, 6, -1, -2, -9, 1000000000])
            self.add(f"{verb} {key} {amount}", getattr(bucket, verb)(amount))
        else:
            self.add(f"{verb} {key}", getattr(bucket, verb)())

    def add_any(self):
        draw = self.random.random()
        if draw < 0.75:
            self.add_decision()
        elif draw < 0.82:
            self.add("PING", "PONG\n")
        elif draw < 0.86:
            self.add("consume nobody", f"ALLOW {UNMATCHED}\n")
        elif draw < 0.88:
            verb = self.random.choice(list(self.texts))
            self.add(verb, self.texts[verb])
        else:
            code = self.random.choice(list(BAD_LINES))
            line = self.random.choice(BAD_LINES[code][:8])
            self.add(line.decode("latin-1"), ERRORS[code] + "\n")

    def text(self):
        ends = self.random.choices(["\n", "\r\n"], k=len(self.requests))
        return "".join(map("".join, zip(self.requests, ends))).encode("latin-1")

    def answer(self):
        return "".join(self.answers)


def long_texts(daemon):
    with daemon.connect() as client:
        return {verb: masked("\n".join(client.ask_many(verb) + ["END\n"]).encode())
                for verb in ("HELP", "LIMITS", "STATS")}


def random_sizes(seed, *sizes):
    generator = random.Random(seed)
    while True:
        yield generator.randint(1, generator.choice(sizes))


class OrderTest(ProtocolCase):
    maxDiff = 2000

    def check_scripts(self, daemon, store, connections, requests):
        texts = long_texts(daemon)
        for address in daemon.path, ("127.0.0.1", daemon.port):
            scripts = [Script(f"{address}{i}"[-6:].strip("()',."), texts, store)
                       for i in range(connections)]
            for script in scripts:
                for _ in range(requests):
                    script.add_any()
            answers = converse(address, *(script.text() for script in scripts),
                               piece_sizes=random_sizes(1, 3, 100, 5000, 200_000))
            for script, answer in zip(scripts, answers):
                if masked(answer) != script.answer(): # fast if all is well
                    self.assertEqual(masked(answer).split("\n"),
                                     script.answer().split("\n"))

    def test_pipelined_requests_are_answered_in_order(self):
        self.check_scripts(self.start(), "memory", 20, 1250)

    def test_pipelined_requests_are_answered_in_order_with_redis(self):
        # A slow machine must not make Redis miss its deadline here.
        daemon = self.redis_daemon(self.redis(), LIMITS, {
            "workers": {"count": 4}, **PATIENT})
        self.check_scripts(daemon, "redis", 20, 500)

    def test_requests_on_one_key_take_effect_in_the_order_sent(self):
        redis_daemon = self.redis_daemon(self.redis(), LIMITS, {
            "workers": {"count": 4}, **PATIENT})
        for store, daemon in ("memory", self.start()), ("redis", redis_daemon):
            bucket = Bucket("lock", store)
            script = Script("same-key", {}, store)
            script.buckets = {"lock:same": bucket}
            for _ in range(20_000 if store == "memory" else 5000):
                script.add_decision()
            [answer] = converse(daemon.path, script.text())
            self.assertEqual(masked(answer), script.answer())

    def test_one_byte_at_a_time_gives_the_same_bytes_as_all_at_once(self):
        daemon = self.start(listen={"line_timeout": "1h"})
        lines = [line for lines in BAD_LINES.values() for line in lines]
        lines += [b"consume " + key for key in BAD_KEYS + GOOD_KEYS if len(key) < 300]
        lines += [b"consume login:byte " + amount for amount in BAD_AMOUNTS[:30]]
        lines += [b"PING" + b" " * 4093, b"y" * 4500, b"LIMITS", b"help", b"stats",
                  b"PING" + b" " * 4092 + b"\r", b"EXPLAIN lock:byte"]
        lines += [b"consume lock:byte 2", b"peek login:byte"] * 3
        text = (b"reset lock:byte\nreset login:byte\n" + b"\n".join(lines)
                + b"\r\nno end")
        [whole] = converse(daemon.path, text)
        with daemon.connect() as client:
            for byte in text:
                client.send(bytes([byte]))
                wait_for_reading(client.socket)
            client.finish()
            self.assertEqual(masked(client.rest()), masked(whole))
        pieces = converse(("127.0.0.1", daemon.port), text,
                          piece_sizes=random_sizes(2, 1, 2, 3, 1000))
        self.assertEqual(masked(pieces[0]), masked(whole))


def wait_for_reading(unix_socket):
    """Until the other side has read all that was sent."""
    unread = bytearray(4)
    end = time.monotonic() + harness.PATIENCE
    while True:
        fcntl.ioctl(unix_socket, termios.TIOCOUTQ, unread)
        if struct.unpack("i", unread)[0] == 0:
            return
        if time.monotonic() > end:
            raise AssertionError("not read")
        time.sleep(0)


if __name__ == "__main__":
    harness.main()
