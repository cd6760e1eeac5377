"""Limits of Turnstile in the set of limits, beside ours."""

import contextlib
import json
import urllib.parse

import control
from control import NEVER
from harness import fields, wait_until
from test_distribution import Distributor
from test_http import Raw, Unix
from test_tool import DIFFERENT, ERROR, LimitsCase
from turnstile_members import MATCHES, MEMBERS, PATHS, URIS

OURS = b"login match=login:* capacity=5 recharge=1d"
NAME = "8c4b3f2e-6d1a-4b0c-9a55-0f2f3a1c7e"


def text(value):
    return bytes([0xA0 + len(value)]) + value.encode()


def member(uuid, uri, /, value=2, unit="day", **others):
    """A limit as Turnstile packs it."""
    more = b"".join(text(name) + packed for name, packed in others.items())
    return (bytes([0x85 + len(others)]) + text("limit_class") +
            text("turnstile.limits:Limit") + text("uuid") + text(uuid) +
            text("uri") + text(uri) + text("value") + bytes([value]) +
            text("unit") + text(unit) + more)


LIMIT = member("u", "/x")
HOSTILE = {
    "deep": (b"\x81" * 4000, "is no MessagePack of Turnstile"),
    "long": (b"\xdf\xff\xff\xff\xff", "is no MessagePack of Turnstile"),
    "long text": (b"\x81\xdb\xff\xff\xff\xffx", "is no MessagePack of Turnstile"),
    "torn": (LIMIT[:-1], "is no MessagePack of Turnstile"),
    "more": (LIMIT + b"\0", "is no MessagePack of Turnstile"),
    "twice": (member("u", "/x", uri=text("/y")), "has twice the field 'uri'"),
    "type": (member("u", "/x", use=b"\xc3"), "use must be a list of texts"),
    "NaN": (member("u", "/x").replace(b"value\x02", b"value\xcb\x7f\xf8" + bytes(6)),
            "value must be a whole number"),
    "unknown": (member("u", "/x", burst=b"\x01"), "has an unknown field 'burst'"),
    "lines": (member("u\nroot match=*", "/x"), "uuid has a text that is empty"),
    "neither": (b"\xff\xfe", "is not one line of UTF-8 text"),
}


class TurnstileCase(control.ControlCase):
    def gate(self, *members, **settings):
        self.put(*members)
        return self.follower(settings)

    @staticmethod
    def lines(daemon):
        with daemon.connect() as client:
            return client.ask_many("LIMITS")

    def check(self, daemon, target, method="GET"):
        """The status of what a proxy asks."""
        connection = Unix(daemon.path)
        try:
            connection.request("GET", "/check", headers={
                "X-Original-URI": target, "X-Original-Method": method})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    @staticmethod
    def check_at_once(daemon, target, method, count):
        """The same of as many: none of them leaks before the last one is asked about."""
        client = Raw(daemon.path)
        with contextlib.closing(client):
            client.send(f"GET /check HTTP/1.1\r\nHost: x\r\nX-Original-URI: {target}\r\n"
                        f"X-Original-Method: {method}\r\n\r\n" * count)
            return [client.response()[0] for _ in range(count)]


class DaemonTest(TurnstileCase):
    def test_their_limits_decide_beside_ours(self):
        daemon = self.gate(OURS, *MEMBERS)
        self.assertEqual([line.split()[0] for line in self.lines(daemon)],
                         ["login", *(f"{NAME}{i:02}" for i in range(1, 6))])
        self.assertIn("limits: member 7: is left out, since its limit_class is "
                      "'__main__:Other'", daemon.log())
        self.assertEqual(fields(daemon.ask("CONSUME login:1"))["limit"], "login")
        # One in 37 s; its key has no names.
        self.assertEqual([self.check(daemon, f"/files/{i}") for i in range(3)],
                         [200, 429, 429])
        # Seven an hour of each year and name, if both parameters are there.
        target = "/reports/2026/annual?format&page=1"
        self.assertEqual([self.check(daemon, target) for i in range(8)],
                         7 * [200] + [429])
        self.assertEqual(self.check(daemon, "/reports/2027/annual?format&page=1"), 200)
        self.assertEqual(fields(daemon.ask(f"PEEK {NAME}03:2026:annual"))["level"], "7")
        # The verbs, in upper case.
        self.assertEqual(self.check_at_once(daemon, "/v1/users/7/mail/in", "PUT", 11),
                         10 * [200] + [429])
        self.assertEqual(self.check(daemon, "/v1/users/7/mail/in", "GET"), 200)

    def test_all_that_apply_are_charged_or_none(self):
        daemon = self.gate(member("a", "/{x}", value=1), member("b", "/{x}", value=3),
                           member("c", "/{y}", value=9, continue_scan=b"\xc2"),
                           member("d", "/{z}", value=9))
        self.assertEqual([self.check(daemon, "/1") for i in range(3)], [200, 429, 429])
        self.assertEqual([fields(daemon.ask(f"PEEK {key}"))["level"] for key in "abcd"],
                         ["1", "1", "1", "0"])

    def test_a_request_with_too_many_keys_is_an_error(self):
        members = [member(f"u{i}", f"/{{a{i}}}/*(rest)" if i % 2 else "/a/{x}") for i in
                   range(9)]
        members += [member(f"v{i}", f"/{{b{i}}}/{{c:[a-c]+}}") for i in range(8)]
        daemon = self.gate(*members)
        self.assertIn("would get 17 keys; with more than 16 it is refused", daemon.log())
        self.assertEqual(self.check(daemon, "/a/b"), 400)
        self.assertEqual(self.check(daemon, "/b/b"), 200)

    def test_hostile_members_change_nothing(self):
        daemon = self.gate(OURS, LIMIT)
        for name, (bad, reason) in HOSTILE.items():
            with self.subTest(name):
                self.put(OURS, bad)
                self.publish("reload:immediate")
                self.wait_for_log(daemon, f"limits: member 2: {reason}")
                self.assertEqual(len(self.lines(daemon)), 2)
        self.put(MEMBERS[5])
        self.publish("reload:immediate")
        self.wait_for_log(daemon, "key 'limits' has no limit that is read")
        self.assertEqual(len(self.lines(daemon)), 2)

    def test_they_are_kept_for_a_start_without_redis(self):
        self.put(OURS, *MEMBERS)
        state = {"control": {"state_dir": self.state_dir()}}
        daemon = self.follower(state)
        said = self.lines(daemon)
        daemon.stop()
        self.server.kill()
        again = self.follower(state, loaded=False)
        self.assertEqual(self.lines(again), said)
        self.assertEqual([self.check(again, "/files/1") for i in range(2)], [200, 429])

    def test_a_distributor_copies_them_as_they_are(self):
        slave, master = self.server, self.redis()
        with master.connect() as link:
            for score, written in enumerate([OURS, *MEMBERS]):
                link.ask("ZADD", "limits", score, written)
        self.started(Distributor(self.folder, f"""
[config]
poll = {NEVER}
[master]
unix_socket_path = {master.path}
[slave:a]
unix_socket_path = {slave.path}
"""))
        wait_until(lambda: slave.ask("ZCARD", "limits") == 7, "the copy")
        daemon = self.follower()
        self.assertEqual(len(self.lines(daemon)), 6)


class MatchTest(LimitsCase):
    def test_requests_match_as_in_turnstile(self):
        with self.server.connect() as link:
            link.ask("DEL", "limits")
            for score, written in enumerate(URIS):
                link.ask("ZADD", "limits", score, written)
        for path in PATHS:
            for method in ("GET", "POST"):
                url = urllib.parse.quote(path, safe="/+,:") + "?format=1&page"
                said = json.loads(self.run_tool(
                    "-c", self.config, "route", method, url, "--redis", "--json").stdout)
                keys = {key["key"] for key in said["keys"]}
                expected = {f"{NAME}{i:02}{values}" for i, verb, where, values in MATCHES
                            if where == path and verb in ("", method)}
                self.assertEqual(keys, expected, (method, path))


class ToolTest(LimitsCase):
    def setUp(self):
        super().setUp()
        with self.server.connect() as link:
            link.ask("DEL", "limits")
            for score, written in enumerate([OURS, *MEMBERS]):
                link.ask("ZADD", "limits", score, written)

    def imported(self):
        result = self.run_tool("-c", self.config, "limits", "import-turnstile")
        self.assertEqual(result.returncode, DIFFERENT, result)
        self.assertEqual(result.stderr, "limits: member 7 is left out, since its "
                         "limit_class is '__main__:Other'\n")
        return self.write("imported.ini", result.stdout)

    def test_what_is_imported_says_the_same(self):
        path = self.imported()
        self.limits("check", path)
        self.limits("diff", path)
        with open(path, encoding="utf-8") as file:
            self.assertIn(f"[route:{NAME}01]\npath = /v1/users/{{id}}\nkeys = {NAME}01\n"
                          f"continue = yes\n\n[{NAME}01]\nmatch = {NAME}01\n"
                          "capacity = 100\nrecharge = 10ms\n", file.read())

    def test_each_command_reads_them(self):
        path = self.imported()
        before = self.limits("list", "--redis")
        self.assertIn(f"route:{NAME}02", before)
        self.limits("load", path)
        self.assertEqual(self.limits("list", "--redis"), before)
        self.assertTrue(all(m.isascii() for m in self.server.ask("ZRANGE", "limits", 0, -1)))
        # What was there before has a number, too, byte by byte.
        with open(path, encoding="utf-8") as file:
            self.assertTrue(self.limits("show", "1").endswith(file.read()))
        self.limits("diff", "1", "2")
        self.limits("rollback", "1", "--yes")
        self.assertTrue(self.limits("show", "1").endswith(self.limits("dump")))

    def test_without_any_left_out_it_succeeds(self):
        self.server.ask("ZREM", "limits", MEMBERS[5])
        said = json.loads(self.limits("import-turnstile", "--json"))
        self.assertEqual(len(said), 11)

    def test_what_is_wrong_is_named(self):
        for bad, reason in HOSTILE.values():
            self.server.ask("DEL", "limits")
            self.server.ask("ZADD", "limits", 1, bad)
            result = self.run_tool("-c", self.config, "limits", "import-turnstile")
            self.assertEqual(result.returncode, ERROR)
            self.assertIn(f"; not a limit: {reason}", result.stdout)
            self.assertIn(f"member 1: {reason}", result.stderr)
