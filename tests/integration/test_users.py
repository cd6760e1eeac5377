"""Users: who may ask what, in lines, RESP and HTTP, by certificate and by uid."""

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import unittest

import harness
from certificates import Authority
from harness import fields, wait_until

LIMITS = """
[all]
match = *
capacity = 1000000
recharge = 1h

[route:all]
path = /*
keys = login:1 $header.x-kind:1
"""


def hash_of(secret):
    return subprocess.run([harness.DRIPGATE, "hash"], check=True, input=secret + "\n",
                          text=True, capture_output=True).stdout.strip()


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.users = os.path.join(self.folder, "users")

    def write(self, text):
        with open(self.users, "w", encoding="utf-8") as file:
            file.write(text)

    def gate(self, text, settings=None):
        self.write(text)
        settings = settings or {}
        settings.setdefault("listen", {})["users"] = self.users
        return self.daemon(LIMITS, {"workers": {"count": 2}, **settings})

    def web(self):
        return f"web {hash_of('s3cret')} verbs=decide keys=login:*\n"


class LineTest(Case):
    def test_who_may_ask_what(self):
        gate = self.gate(self.web())
        with gate.connect() as client:
            self.assertEqual(client.ask("ping"), "PONG")
            self.assertEqual(client.ask("consume login:1"), "ERR noauth log in first")
            self.assertEqual(client.ask("AUTH web s3cret"), "OK")
            self.assertEqual(fields(client.ask("consume login:1"))["level"], "1")
            self.assertEqual(fields(client.ask("mconsume login:1 1 login:2 1"))["level"], "2")
            for line in ("consume ip:1", "reset login:1", "limits", "stats", "top",
                         "mconsume login:1 1 ip:1 1", "mpeek ip:1 1 login:1 1"):
                self.assertEqual(client.ask(line), "ERR noperm this user may not ask that")
        with gate.connect(unix=False) as client:
            self.assertEqual(client.ask("auth web s3cret"), "OK")
            client.send(b"consume login:1\nconsume ip:1\nconsume login:1\n")
            self.assertEqual([client.line().split()[0] for _ in range(3)],
                             ["ALLOW", "ERR", "ALLOW"])

    def test_wrong_secret_slows_the_client_down_and_nobody_else(self):
        gate = self.gate(self.web() + "default nopass verbs=stats\n")
        with gate.connect() as client, gate.connect() as other:
            start = time.monotonic()
            client.send(b"AUTH web wrong\nAUTH web s3cret\nconsume login:1\n")
            self.assertEqual(client.line(), "ERR wrongpass no user has this name and secret")
            other.ask("ping")
            self.assertEqual(client.line(), "OK")
            self.assertGreater(time.monotonic() - start, 0.9)
            self.assertTrue(client.line().startswith("ALLOW"))
            self.assertIn("could not log in as web", gate.log())
            self.assertNotIn("wrong\n", gate.log())
        stats = gate.stats()
        self.assertEqual(stats["wrong_secrets"], 1)

    def test_many_wrong_secrets_slow_their_address_down_at_new_connections_too(self):
        gate = self.gate(self.web() + "default nopass verbs=stats\n")
        said = []

        def guess():
            with gate.connect(unix=False) as client:
                said.append(client.ask("auth web guess").split()[1])
                return said[-1] == "slowdown"
        with gate.connect(unix=False) as early:
            self.assertEqual(early.ask("auth web s3cret"), "OK")
            wait_until(guess, "the refusal")
            self.assertEqual(set(said), {"wrongpass", "slowdown"})
            self.assertGreaterEqual(len(said), 11)
            stats = gate.stats()
            self.assertEqual(stats["wrong_secrets"], said.count("wrongpass"))
            self.assertGreaterEqual(stats["refused_logins"], 1)
            # Those who are in, and those elsewhere, do not notice.
            self.assertTrue(early.ask("consume login:1").startswith("ALLOW"))
            with gate.connect() as client:
                self.assertEqual(client.ask("auth web s3cret"), "OK")
        def log_in():
            with gate.connect(unix=False) as client:
                return client.ask("auth web s3cret") == "OK"
        wait_until(log_in, "the end of the pause")
        self.assertNotIn("guess", gate.log())

    def test_feed_ends_when_a_reload_takes_the_right_away(self):
        gate = self.gate(f"ops {hash_of('s')} verbs=all keys=*\n" + self.web())
        with gate.connect() as feed, gate.connect() as client:
            self.assertEqual(feed.ask("auth ops s"), "OK")
            self.assertEqual(client.ask("auth web s3cret"), "OK")
            self.assertEqual(feed.ask("monitor"), "OK")
            client.ask("consume login:1")
            self.assertTrue(feed.line().startswith("ALLOW"))
            with open(self.users, encoding="utf-8") as file:
                self.write(file.read().replace("verbs=all", "verbs=decide"))
            gate.send(1)
            self.assertEqual(feed.line(), "END")
            client.ask("consume login:1")
            self.assertEqual(feed.ask("monitor"), "ERR noperm this user may not ask that")

    def test_reload(self):
        gate = self.gate(self.web())
        with gate.connect() as client:
            self.assertEqual(client.ask("auth web s3cret"), "OK")
            self.write("web nopass\nx\n")
            gate.send(1)
            wait_until(lambda: "not reloaded" in gate.log(), "the refusal")
            self.assertIn(f"{self.users}:1: web needs verbs=", gate.log())
            self.assertIn(f"{self.users}:2: x needs", gate.log())
            self.assertTrue(client.ask("consume login:1").startswith("ALLOW"))
            self.write(f"web {hash_of('other')} verbs=all keys=*\n")
            gate.send(1)
            wait_until(lambda: client.ask("consume login:1").startswith("ERR noauth"),
                       "the new users")

    def test_bad_file_is_refused_at_the_start(self):
        gate = self.gate(self.web())
        self.write("web nopass\n")
        done = subprocess.run([harness.DRIPGATED, "-c", gate.config_path, "--check"],
                              check=False, text=True, capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("users:1: web needs verbs=", done.stderr)


class RespTest(Case):
    def cli(self, gate, *words, login=()):
        return subprocess.run(["redis-cli", "-s", gate.path, *login, *words], check=False,
                              text=True, capture_output=True, timeout=harness.PATIENCE).stdout

    def test_redis_cli(self):
        gate = self.gate(self.web())
        login = "--no-auth-warning", "--user", "web", "--pass", "s3cret"
        self.assertIn("NOAUTH Authentication required.", self.cli(gate, "CONSUME", "login:1"))
        self.assertIn("1", self.cli(gate, "CONSUME", "login:1", login=login).split())
        self.assertIn("NOPERM", self.cli(gate, "RESET", "login:1", login=login))
        self.assertIn("1", self.cli(gate, "-3", "CONSUME", "login:1", login=login))

    @staticmethod
    def command(*words):
        return b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)

    def talk(self, gate, *commands):
        with gate.connect() as client:
            client.send(b"".join(self.command(*words) for words in (*commands, ("QUIT",))))
            return client.rest().decode()

    def test_transactions(self):
        """Refused when it is queued, as by Redis, and then nothing is done."""
        gate = self.gate(self.web())
        transaction = ("MULTI",), ("CONSUME", "login:1"), ("CONSUME", "ip:1"), ("EXEC",)
        text = self.talk(gate, *transaction)
        self.assertEqual(text.count("-NOAUTH"), 2, text)
        self.assertIn("-EXECABORT", text)
        login = "AUTH", "web", "s3cret"
        text = self.talk(gate, login, *transaction, ("PEEK", "login:1"))
        self.assertTrue(text.startswith(
            "+OK\r\n+OK\r\n+QUEUED\r\n-NOPERM this user has no permissions to ask that\r\n"
            "-EXECABORT "), text)
        self.assertIn("*9\r\n:1\r\n:0\r\n", text)
        for words in ("RESET", "login:1"), ("CL.THROTTLE", "ip:1", "1", "1", "1"), ("STATS",), \
                ("TTL", "login:1"), ("CONSUME", "ip:1", "1", "MAP"):
            text = self.talk(gate, login, ("MULTI",), words, ("EXEC",))
            self.assertIn("-NOPERM", text)
            self.assertIn("-EXECABORT", text)
        text = self.talk(gate, login, ("MULTI",), ("CONSUME", "login:1", "1", "MAP"),
                         ("PING",), ("HELLO",), ("CLIENT", "ID"), ("EXEC",))
        self.assertNotIn("\r\n-", text)
        self.assertIn("*4\r\n", text)

    def test_right_that_is_lost_before_exec(self):
        gate = self.gate(self.web())
        with gate.connect() as client:
            client.send(b"".join(self.command(*words) for words in (
                ("AUTH", "web", "s3cret"), ("MULTI",), ("CONSUME", "login:1"))))
            self.assertEqual([client.line().strip() for _ in range(3)],
                             ["+OK", "+OK", "+QUEUED"])
            with open(self.users, encoding="utf-8") as file:
                self.write(file.read().replace("login:*", "ip:*"))
            gate.send(1)
            wait_until(lambda: self.talk(gate, ("AUTH", "web", "s3cret"), ("PEEK", "login:1"))
                       .count("-NOPERM"), "the reload")
            client.send(self.command("EXEC"))
            self.assertEqual(client.line().strip(), "*1")
            self.assertTrue(client.line().startswith("-NOPERM"))

    def test_hello_and_reset(self):
        gate = self.gate(self.web())
        text = self.talk(gate, ("HELLO", "3", "AUTH", "web", "s3cret"), ("CONSUME", "login:1"),
                         ("RESET",), ("CONSUME", "login:1"), ("HELLO", "2", "AUTH", "web", "x"))
        self.assertTrue(text.startswith("%7\r\n"), text)
        self.assertIn("*9\r\n:1\r\n", text)
        self.assertIn("+RESET\r\n-NOAUTH Authentication required.\r\n-WRONGPASS", text)

    def test_default_user(self):
        gate = self.gate(f"default {hash_of('x')} verbs=decide keys=*\n")
        self.assertIn("*9\r\n:1\r\n",
                      self.talk(gate, ("AUTH", "x"), ("CONSUME", "login:1")))


class HttpTest(Case):
    def start(self):
        self.port = harness.free_port()
        gate = self.gate(self.web() + "prom cert=unused verbs=metrics\n"
                         f"scrape {hash_of('m')} verbs=metrics\n",
                         {"admin": {"listen": f"127.0.0.1:{self.port}"}})
        return gate

    def get(self, connection, path, login=None, **headers):
        if login:
            headers["Authorization"] = login
        connection.request("GET", path, headers={k.replace("_", "-"): v
                                                 for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers

    @staticmethod
    def basic(name, secret):
        return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()

    def test_basic_and_bearer(self):
        gate = self.start()
        client = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=harness.PATIENCE)
        self.assertEqual(self.get(client, "/healthz")[0], 200)
        status, body, headers = self.get(client, "/consume?key=login:1")
        self.assertEqual(status, 401)
        self.assertIn('"code":"noauth"', body)
        self.assertEqual([value.split()[0] for value in headers.get_all("WWW-Authenticate")],
                         ["Basic", "Bearer"])
        for login in self.basic("web", "s3cret"), "Bearer web.s3cret":
            for _ in range(3):
                self.assertEqual(self.get(client, "/consume?key=login:1", login)[0], 200)
            self.assertEqual(self.get(client, "/consume?key=ip:1", login)[0], 403)
            self.assertEqual(self.get(client, "/explain?key=login:1", login)[0], 403)
        self.assertEqual(self.get(client, "/consume?key=login:1")[0], 401)
        self.assertEqual(self.get(client, "/consume?key=login:1", "Bearer web.x")[0], 401)
        client.close()

    def test_each_and_check(self):
        gate = self.start()
        login = self.basic("web", "s3cret")
        client = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=harness.PATIENCE)
        body = '{"each":[{"key":"login:1"},{"key":"ip:1"},{"key":"login:2"}]}'
        for authorization, expected in ((login, 200), ("", 401)):
            headers = {"Content-Type": "application/json"}
            if authorization:
                headers["Authorization"] = authorization
            client.request("POST", "/consume", body, headers)
            response = client.getresponse()
            text = response.read().decode()
            self.assertEqual(response.status, expected)
            self.assertEqual(text.count('"noperm"'), 1 if authorization else 0, text)
        client.close()
        client = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=harness.PATIENCE)
        # A proxy logs in; Authorization is of the original request.
        proxy = {"Proxy_Authorization": login}
        for original in None, self.basic("bob", "app"), "Digest username=x":
            for words, status in (({**proxy, "X_Kind": "login"}, 200),
                                  ({**proxy, "X_Kind": "ip"}, 403),
                                  ({"X_Kind": "login"}, 407)):
                said = self.get(client, "/check/a", original, **words)
                self.assertEqual(said[0], status)
                self.assertEqual(said[2]["WWW-Authenticate"], None)
        self.assertEqual([value.split()[0] for value in said[2].get_all("Proxy-Authenticate")],
                         ["Basic", "Bearer"])
        status, body, _ = self.get(client, "/check/a", login, Proxy_Authorization="Bearer web.x")
        self.assertEqual((status, json.loads(body)["code"]), (407, "wrongpass"))
        # Elsewhere it is of no use.
        self.assertEqual(self.get(client, "/consume?key=login:1", **proxy)[0], 401)
        client.close()

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl_and_metrics(self):
        gate = self.start()
        url = f"http://127.0.0.1:{gate.port}/consume?key=login:1"
        metrics = f"http://127.0.0.1:{self.port}/metrics"
        for words, expected in (
                (["-u", "web:s3cret", url], "200"),
                (["--oauth2-bearer", "web.s3cret", url], "200"),
                (["-u", "web:x", url], "401"),
                (["-u", "scrape:m", metrics], "200"),
                (["-u", "scrape:m", "-H", "Accept: application/openmetrics-text", metrics], "200"),
                (["-u", "web:s3cret", metrics], "403"),
                ([metrics], "401")):
            done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *words],
                                  check=True, text=True, capture_output=True)
            self.assertEqual(done.stdout, expected, words)


class ToolTest(Case):
    def tool(self, gate, *words, **env):
        return subprocess.run([harness.DRIPGATE, "-c", gate.config_path, *words], check=False,
                              text=True, capture_output=True, env={**os.environ, **env})

    def test_login(self):
        gate = self.gate(self.web())
        secret = os.path.join(self.folder, "dripgate.secret")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("s3cret\n")
        consume = "consume", "login:1"
        self.assertIn("noauth", self.tool(gate, *consume).stderr)
        done = self.tool(gate, *consume, "--user", "web", "--secret-file", secret)
        self.assertTrue(done.stdout.startswith("ALLOW"), done.stderr)
        done = self.tool(gate, *consume, "-u", "web", DRIPGATE_SECRET="s3cret")
        self.assertTrue(done.stdout.startswith("ALLOW"), done.stderr)
        done = self.tool(gate, *consume, "-u", "web", CREDENTIALS_DIRECTORY=self.folder)
        self.assertTrue(done.stdout.startswith("ALLOW"), done.stderr)
        done = self.tool(gate, "limits", "list", "-u", "web", "--secret-file", secret)
        self.assertIn("noperm", done.stderr)
        done = self.tool(gate, *consume, "-u", "web", DRIPGATE_SECRET="no")
        self.assertEqual(done.returncode, 2)
        self.assertIn("not logged in: ERR wrongpass", done.stderr)
        self.assertIn("needs a secret", self.tool(gate, *consume, "-u", "web").stderr)

    def test_warning(self):
        text = "may ask anything: set users or tls"
        line = f"0.0.0.0:{harness.free_port()}"
        exposed = self.daemon(settings={"listen": {"line": line}})
        self.assertIn(f"every client that reaches {line} {text}", exposed.log())
        self.assertNotIn(text, self.daemon().log())
        line = f"0.0.0.0:{harness.free_port()}"
        self.assertNotIn(text, self.gate(self.web(), {"listen": {"line": line}}).log())


class ConnectionTest(Case):
    def test_certificate(self):
        authority = Authority(self.folder)
        certificate, key = authority.issue("DNS:localhost,IP:127.0.0.1")
        gate = self.gate("test-host cert=test verbs=decide keys=*\n", {"listen": {
            "tls": "yes", "cert_file": certificate, "key_file": key,
            "client_ca_file": authority.path}})
        done = subprocess.run(
            ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{gate.port}", "-cert",
             certificate, "-key", key, "-CAfile", authority.path], check=False, text=True,
            input="consume login:1\nstats\nquit\n", capture_output=True,
            timeout=harness.PATIENCE)
        self.assertTrue(done.stdout.startswith("ALLOW"), done.stderr)
        self.assertIn("ERR noperm", done.stdout)
        with gate.connect() as client:
            self.assertTrue(client.ask("consume login:1").startswith("ERR noauth"))

    @unittest.skipUnless(os.getuid() == 0, "only root can become another user")
    def test_uid(self):
        gate = self.gate("root uid=0 verbs=all keys=*\nweb uid=4242 verbs=decide keys=login:*\n")
        self.assertTrue(gate.ask("reset a").startswith("OK"))
        for folder in self.folder, os.path.dirname(gate.path):
            os.chmod(folder, 0o755)
        os.chmod(gate.path, 0o777)
        program = ("import os, socket, sys\nos.setuid(int(sys.argv[1]))\n"
                   "s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[2])\n"
                   "s.sendall(b'consume login:1\\nstats\\nquit\\n')\n"
                   "while (b := s.recv(4096)): sys.stdout.write(b.decode())\n")

        def ask(uid):
            done = subprocess.run(["python3", "-c", program, str(uid), gate.path],
                                  check=True, text=True, capture_output=True)
            return [line.split()[:2] for line in done.stdout.splitlines()]

        self.assertEqual(ask(4242)[0][0], "ALLOW")
        self.assertEqual(ask(4242)[1], ["ERR", "noperm"])
        self.assertEqual(ask(4243), [["ERR", "noauth"]] * 2)
        with gate.connect(unix=False) as client:
            self.assertTrue(client.ask("consume login:1").startswith("ERR noauth"))


if __name__ == "__main__":
    harness.main()
