"""Routes: what /check makes of the requests that proxies ask about."""

import http.client
import json
import re
import signal
import subprocess

import harness
from test_http import DAY, HttpCase, Unix

LIMITS = """
[ip]
match = ip:*
capacity = 5
recharge = 1d

[user]
match = user:*
capacity = 2
recharge = 1d
block = 1h

[tenant]
match = tenant:*
capacity = 9
recharge = 1d

[route:login]
path = /login
method = POST
keys = user:$header.x-user
required = yes

[route:api]
path = /api/{tenant}/*
keys = ip:$client user:$header.x-user tenant:$path.tenant

[route:cost]
path = /cost
keys = tenant:cost
amount = $header.x-cost
amount_max = 4

[route:free]
path = /free/*
"""


class RouteCase(HttpCase):
    def unix(self):
        connection = Unix(self.gate.path)
        self.addCleanup(connection.close)
        return connection

    def check(self, connection, target="/", method="GET", deny="", **headers):
        """Ask as nginx does."""
        return self.ask(connection, f"/check{deny}", X_Original_URI=target,
                        X_Original_Method=method, **headers)

    def level(self, key):
        return int(re.search(r" level=(\d+)", self.gate.ask(f"peek {key}"))[1])

    def gate_with(self, limits=LIMITS, settings=None, **options):
        self.gate = self.start(limits, settings, **options)
        return self.connection(self.http_port)


class CheckTest(RouteCase):
    def several_keys_are_all_charged_or_none(self, connection):
        """Whichever of them denies."""
        for i in range(2):
            response = self.check(connection, "/api/t/x", X_User="7")
            self.assertEqual(response.status, 200)
            decision = json.loads(response.content)
            self.assertEqual((decision["limit"], decision["level"]), ("user", i + 1))
        self.assertRegex(response.headers["RateLimit"], r'^"user";r=0;t=86[34]\d\d$')
        for _ in range(2):  # also while the block lasts
            response = self.check(connection, "/api/t/x", X_User="7")
            self.assertEqual(response.status, 429)
            self.assertEqual(json.loads(response.content)["violated-policies"], ["user"])
        self.assertIn("blocked=3", self.gate.ask("peek user:7"))
        self.assertEqual([self.level("ip:127.0.0.1"), self.level("tenant:t")], [2, 2])
        # Without a user, the others are charged.
        self.assertEqual([self.check(connection, "/api/t/x").status for _ in range(4)],
                         [200, 200, 200, 429])
        self.assertEqual(self.check(connection, "/api/t/x", X_User="8").status, 429)
        self.assertEqual([self.level("ip:127.0.0.1"), self.level("tenant:t"),
                          self.level("user:8")], [5, 5, 0])

    def test_several_keys_in_memory(self):
        self.several_keys_are_all_charged_or_none(self.gate_with())

    def test_several_keys_in_redis(self):
        redis = self.redis()
        settings = {"store": {"type": "redis"},
                    "redis": {**harness.PATIENT["redis"], "port": str(redis.port)}}
        connection = self.gate_with(settings=settings)
        self.several_keys_are_all_charged_or_none(connection)
        # In order, if sent at once.
        client = self.raw(self.gate.path)
        client.send(b"".join(
            b"GET /check/api/%d/ HTTP/1.1\r\nHost: a\r\nX-User: p%d\r\n"
            b"X-Forwarded-For: 192.0.2.1\r\n\r\n"
            % (i % 2, i // 2) for i in range(8)))
        self.assertEqual([client.response()[0] for _ in range(8)], [200] * 5 + [429] * 3)

    def test_a_fallback_is_told(self):
        settings = {"store": {"type": "redis"}, "redis": {"port": str(harness.free_port())},
                    "http": {"headers": "none"}}
        settings["http"]["listen"] = f"127.0.0.1:{harness.free_port()}"
        self.gate = self.start(LIMITS, settings)
        response = self.check(self.unix(), "/api/t/x", X_User="1")
        self.assertEqual((response.status, response.headers["X-Dripgate-From"]),
                         (200, "fallback"))
        self.assertIsNone(response.headers["RateLimit"])

    def test_statuses_and_headers(self):
        connection = self.gate_with()
        for deny, status in (("", 429), ("?deny=403", 403), ("?deny=401", 401)):
            response = self.check(connection, "/login", "POST", deny)
            self.assertEqual(response.status, status)  # required
        for _ in range(2):
            response = self.check(connection, "/login", "POST", "?deny=403", X_User="a")
            self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["RateLimit-Policy"], f'"user";q=2;w={2 * DAY}')
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertEqual(response.headers["X-Dripgate-From"], "memory")
        response = self.check(connection, "/login", "POST", "?deny=403", X_User="a")
        self.assertEqual(response.status, 403)
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        self.assertEqual(json.loads(response.content)["status"], 403)
        self.assertRegex(response.headers["Retry-After"], r"^86[34]\d\d$")
        self.assertEqual(response.headers["X-RateLimit-Remaining"], "0")
        # no key, no route
        for target in ("/free/x", "/nowhere"):
            response = self.check(connection, target)
            self.assertEqual(response.status, 200)
            self.assertIsNone(json.loads(response.content)["limit"])
        for target, code in (("/check?key=a", "badquery"), ("/check?deny=200", "baddeny"),
                             ("/check", "nooriginal")):
            response = self.ask(connection, target)
            self.assertEqual((response.status, json.loads(response.content)["code"]),
                             (400, code))

    def test_no_other_path_goes_on(self):
        connection = self.gate_with()
        for target in ("/consume/free/x?key=a", "/checks", "/checks/free/x", "/Check/free/x"):
            self.assertEqual(self.check(connection, "/free/x").status, 200)
            self.assertEqual(self.ask(connection, target).status, 404, target)

    def test_unmatched_is_for_requests_without_a_route(self):
        for unmatched, status in (("deny", 429), ("error", 404)):
            connection = self.gate_with(settings={"limits": {"unmatched": unmatched}})
            self.assertEqual(self.check(connection, "/nowhere").status, status)
            self.assertEqual(self.check(connection, "/free/").status, 200)

    def test_it_minds_no_header_of_the_original_request(self):
        connection = self.gate_with()
        headers = dict(Origin="https://evil.example", Sec_Fetch_Site="cross-site",
                       Host="shop.example.com", Cookie="a=b; c=d", Referer="https://x/",
                       Authorization="Bearer x", Content_Type="text/plain",
                       Accept_Encoding="br", X_User="q")
        self.assertEqual(self.check(connection, "/api/o/x", **headers).status, 200)
        self.assertEqual(self.level("user:q"), 1)
        # A page of another site gets nothing else.
        self.assertEqual(self.ask(connection, "/consume?key=user:q", **headers).status, 403)

    def test_any_method_and_a_body_that_is_ignored(self):
        self.gate_with()
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
            client = self.raw(self.gate.path)
            for body in (b"", b"x" * 60000):
                client.send(b"%s /check/api/b/x HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\n"
                            b"X-User: %s%d\r\nX-Forwarded-For: 192.0.2.%d\r\n"
                            b"Content-Length: %d\r\n\r\n" %
                            (method.encode(), method.encode(), len(body), len(method),
                             len(body)))
                for i in range(0, len(body), 30000):
                    client.send(body[i:i + 30000])
                self.assertIn(client.response()[0], (200, 429))
                self.assertEqual(self.level(f"user:{method}{len(body)}"), 1, method)
            client.send(b"HEAD /check/free/ HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
            for _ in range(2):
                self.assertEqual(client.response("HEAD")[0], 200)
            self.gate.ask("reset tenant:b")
            for last in range(8):
                self.gate.ask(f"reset ip:192.0.2.{last}")

    def test_bodies_of_two_clients_do_not_mix(self):
        self.gate_with()
        clients = []
        for i in range(3):
            client = self.raw(self.gate.path)
            client.send(b"POST /check/api/m/ HTTP/1.1\r\nHost: a\r\nX-User: m%d\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" % i)
            clients.append(client)
            self.gate.ask("ping")
        for i, client in enumerate(clients):
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.response()[0], 200)
            self.assertEqual(self.level(f"user:m{i}"), 1)

    def test_amount_is_a_header_within_bounds(self):
        connection = self.gate_with()
        for cost, level in (("3", 3), ("x", 4), ("100", 8)):
            self.assertEqual(self.check(connection, "/cost", X_Cost=cost).status, 200)
            self.assertEqual(self.level("tenant:cost"), level)

    def test_a_limit_in_shadow_denies_no_other(self):
        connection = self.gate_with(LIMITS.replace("block = 1h", "shadow = yes"))
        for status in [200] * 5 + [429]:
            self.assertEqual(self.check(connection, "/api/s/", X_User="1").status, status)
        self.assertEqual(int(self.gate.stats()["shadow_denied"]), 3)


class ClientTest(RouteCase):
    def test_who_is_not_trusted_says_nothing_of_its_client(self):
        http_port = harness.free_port()
        self.gate = self.daemon(LIMITS, {"http": {
            "listen": f"127.0.0.1:{http_port}", "trusted_proxies": "10.0.0.0/8 unix"},
            "admin": {"listen": ""}})
        connection = self.connection(http_port)
        for i in range(6):
            response = self.check(connection, "/api/t/", X_Forwarded_For=f"192.0.2.{i}")
            self.assertEqual(response.status, 200 if i < 5 else 429)
        self.assertEqual(self.level("ip:127.0.0.1"), 5)
        self.assertEqual(self.level("ip:192.0.2.1"), 0)
        # A trusted proxy, here a client of the Unix socket, may say it.
        proxy = self.unix()
        for spoofed in ("", "1.1.1.1, ", "10.0.0.7, ", "junk, "):
            response = self.check(proxy, "/api/u/", X_Forwarded_For=f"{spoofed}192.0.2.1")
            self.assertEqual(response.status, 200)
        self.assertEqual(self.level("ip:192.0.2.1"), 4)
        self.assertEqual(self.level("ip:1.1.1.1"), 0)

    def test_a_network_of_ipv6_is_one_client(self):
        limits = LIMITS.replace("ip:$client", "ip:$client64")
        port = harness.free_port()
        self.gate = self.daemon(limits, {"http": {"listen": f":{port}"},
                                         "admin": {"listen": ""}})
        mapped = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
        for last in ("1", "2:3:4:5"):
            self.check(mapped, "/api/t/", X_Forwarded_For=f"2001:db8::{last}")
        self.check(mapped, "/api/t/")
        mapped.close()
        self.assertEqual(self.level("ip:2001:db8::/64"), 2)
        self.assertEqual(self.level("ip:127.0.0.1"), 1)


class ToolTest(RouteCase):
    def route(self, *words):
        result = subprocess.run(
            [harness.DRIPGATE, "-c", self.gate.config_path, "route", *words],
            capture_output=True, text=True, check=False)
        self.assertEqual(result.stderr, "")
        return result.returncode, result.stdout

    def test_it_says_route_and_keys_of_a_request(self):
        self.gate_with()
        user = ["-H", "X-User: a b"]
        self.assertEqual(self.route("GET", "/api/t/x?y", *user, "-H", "X-Forwarded-For: ::9"),
                         (0, "route api\nkey ip:::9 amount=1 limit=ip\n"
                             "key user:a%20b amount=1 limit=user\n"
                             "key tenant:t amount=1 limit=tenant\n"))
        self.assertEqual(self.route("post", "https://a.example:8/login", *user),
                         (0, "route login\nkey user:a%20b amount=1 limit=user\n"))
        self.assertEqual(self.route("POST", "/login"),
                         (0, "route login\nno key, which is required: denied\n"))
        self.assertEqual(self.route("GET", "/free/x"), (0, "route free\nno key: allowed\n"))
        self.assertEqual(self.route("GET", "/login"),
                         (1, "no route matches: [limits] unmatched decides\n"))
        status, text = self.route("GET", "/api/t/", "--json")
        self.assertEqual(json.loads(text), {"routes": ["api"], "keys": [
            {"key": "ip:127.0.0.1", "amount": 1, "limit": "ip"},
            {"key": "tenant:t", "amount": 1, "limit": "tenant"}]})

    def test_it_reads_the_routes_in_redis_as_the_daemon_does(self):
        redis = self.redis()
        self.gate = self.redis_daemon(redis, LIMITS, {"limits": {"source": "redis"}}, wait=False)
        load = subprocess.run([harness.DRIPGATE, "-c", self.gate.config_path, "limits", "load",
                               self.gate.limits_path], capture_output=True, text=True,
                              check=False)
        self.assertEqual(load.returncode, 0, load.stderr)
        self.assertEqual(self.route("GET", "/free/x", "--redis"),
                         (0, "route free\nno key: allowed\n"))
        members = redis.ask("ZRANGE", "limits", 0, -1)
        self.assertIn("route:cost path=/cost keys=tenant:cost amount=$header.x-cost amount_max=4",
                      [m.decode() if isinstance(m, bytes) else m for m in members])
        harness.wait_until(lambda: self.gate.is_ready() and
                           "limits reloaded" in self.gate.log(), "the limits")
        response = self.check(self.unix(), "/free/x")
        self.assertEqual(response.status, 200)
        response = self.check(self.unix(), "/login", "POST")
        self.assertEqual(response.status, 429)
        for command, status, part in (
                (["limits", "list"], 0, "route:free"),
                (["limits", "dump"], 0, "[route:free]\npath = /free/*\n"),
                (["limits", "diff", self.gate.limits_path], 0, ""),
                (["limits", "check", self.gate.limits_path], 0, "3 limits, 4 routes, fine")):
            result = subprocess.run([harness.DRIPGATE, "-c", self.gate.config_path, *command],
                                    capture_output=True, text=True, check=False)
            self.assertEqual((result.returncode, result.stderr), (status, ""))
            self.assertIn(part, result.stdout)


class ReloadTest(RouteCase):
    def test_check_reports_each_mistake_with_its_place(self):
        gate = self.start(LIMITS)
        gate.write_limits(LIMITS + "\n[route:x]\nkeys = $who\npath = y\n\n[route:x]\n")
        result = subprocess.run([harness.DRIPGATED, "-c", gate.config_path, "--check"],
                                capture_output=True, text=True, check=False)
        lines = (LIMITS + "\n").count("\n")
        self.assertEqual(result.returncode, 1)
        for line, reason in ((lines + 2, "unknown $who"), (lines + 3, "path must start"),
                             (lines + 5, "defined above")):
            self.assertRegex(result.stdout + result.stderr,
                             rf":{line}:\d+: \[route:x\]: .*{re.escape(reason)}")

    def test_routes_are_reloaded_with_the_limits(self):
        connection = self.gate_with()
        self.assertEqual(self.check(connection, "/free/x").status, 200)
        self.gate.write_limits(LIMITS.replace("path = /free/*", "path = /free/*\nrequired=yes"))
        self.gate.reload()
        harness.wait_until(lambda: self.check(connection, "/free/x").status == 429, "it")


TWO = """
[a]
match = a:*
algorithm = fixed_window
capacity = 1000000
window = 365d
on_error = %s

[b]
match = b:*
algorithm = fixed_window
capacity = 1000000
window = 365d
on_error = %s

[route:two]
path = /two
keys = a:1 b:1
"""


class SilenceTest(harness.Case):
    def ask(self, client, count):
        client.send(b"GET /check/two HTTP/1.1\r\nHost: x\r\n\r\n" * count)

    def hear(self, client, count):
        """[(status, from)]"""
        heard = []
        for _ in range(count):
            status, said, length = int(client.line().split()[1]), None, 0
            while line := client.line().strip():
                name, _, value = line.partition(": ")
                said = value if name == "X-Dripgate-From" else said
                length = int(value) if name == "Content-Length" else length
            client.file.read(length)
            heard.append((status, said))
        return heard

    def level(self, key):
        """As Redis has it, once it replies again."""
        return harness.wait_until(lambda: self.level_now(key), "redis to reply")

    def level_now(self, key):
        reply = harness.fields(self.gate.ask(f"peek {key}"))
        return int(reply["level"]) if reply["from"] == "redis" else None

    def test_two_keys_are_charged_once_at_most_when_redis_stands_still(self):
        for on_error, status in ("allow", 200), ("deny", 429):
            server = self.redis()
            self.gate = self.redis_daemon(server, TWO % (on_error, on_error), {
                "redis": {"socket_timeout": "2s"}})
            asked = charged = 0
            with self.gate.connect() as client:
                for _ in range(3):
                    self.ask(client, 10)
                    self.assertEqual(self.hear(client, 10), [(200, "redis")] * 10)
                    charged += 10
                    self.ask(client, 10) # some are under way when it stops
                    server.send(signal.SIGSTOP)
                    self.ask(client, 10)
                    heard = self.hear(client, 20)
                    self.assertEqual(heard[-1], (status, "fallback"))
                    self.assertLessEqual({s for s, _ in heard}, {200, status})
                    asked += 30
                    server.send(signal.SIGCONT)
                    for key in "a:1", "b:1":
                        level = self.level(key)
                        self.assertGreaterEqual(level, charged)
                        self.assertLessEqual(level, asked)


if __name__ == "__main__":
    harness.main()
