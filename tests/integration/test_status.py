"""dripgate why and dripgate status: what an operator asks first."""

import json
import signal
import socket
import subprocess
import time

import harness
from harness import DRIPGATE, PATIENT, wait_until
from test_http import LIMITS, HttpCase


class StatusCase(HttpCase):
    def tool(self, daemon, *arguments):
        return subprocess.run([DRIPGATE, "-c", daemon.config_path, *arguments],
                              capture_output=True, text=True, check=False,
                              timeout=harness.PATIENCE)

    def tool_json(self, daemon, *arguments):
        result = self.tool(daemon, *arguments, "--json")
        return result.returncode, json.loads(result.stdout)


class WhyTest(StatusCase):
    def test_a_key_that_is_allowed(self):
        daemon = self.start()
        daemon.ask("CONSUME login:7 2")
        result = self.tool(daemon, "why", "login:7")
        verdict, empty, *evidence = result.stdout.splitlines()
        self.assertEqual((result.returncode, verdict, empty),
                         (0, "login:7 is allowed by limit login (2 of 5 drops).", ""))
        with daemon.connect() as client:
            self.assertEqual(evidence[:-1], client.ask_many("EXPLAIN login:7")[:-1])
        self.assertEqual(
            self.tool(daemon, "why", "other").stdout.splitlines()[0],
            "other is allowed: no limit matches it.")

    def test_a_key_that_is_denied(self):
        daemon = self.start()
        daemon.ask("CONSUME login:7 5")
        result = self.tool(daemon, "why", "login:7")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"^login:7 is denied by limit login, whose bucket is full "
                         r"\(5 of 5 drops\), until [0-9: -]+ \(\d+\.\d s\); "
                         r"dripgate reset login:7 lifts it\.\n\nkey login:7\n")
        daemon.ask("CONSUME login:7")
        status, found = self.tool_json(daemon, "why", "login:7")
        self.assertEqual((status, found["allowed"], found["limit"], found["denied"]["limit"]),
                         (1, False, "login", "login"))
        self.assertRegex(found["verdict"], r"; denied since [0-9:]+, \d\.\d times a second; ")
        self.assertEqual(self.tool(daemon, "reset", "login:7").returncode, 0)
        self.assertEqual(self.tool(daemon, "why", "login:7").returncode, 0)

    def test_a_key_whose_limit_charges_another(self):
        daemon = self.daemon("[user]\nmatch = user:*\ncapacity = 9\nrate = 1/d\nalso = daily:$1\n"
                             "[daily]\nmatch = daily:*\ncapacity = 2\nrate = 1/d\n")
        self.assertEqual(self.tool(daemon, "why", "user:7").stdout.splitlines()[0],
                         "user:7 is allowed by limit daily of daily:7 (0 of 2 drops).")
        daemon.ask(*["CONSUME user:7"] * 3)
        result = self.tool(daemon, "why", "user:7")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"^user:7 is denied by limit daily of daily:7, whose bucket is full "
                         r"\(2 of 2 drops\), until .*; denied since .*; dripgate reset daily:7 lifts it\.\n")
        self.assertRegex(result.stdout, r"\nalso daily:7: limit daily level=2 .* decides=DENY\n")
        _, found = self.tool_json(daemon, "why", "user:7")
        self.assertEqual((found["key"], found["decider"], found["limit"]), ("user:7", "daily:7", "daily"))

    def test_a_block_and_a_fallback(self):
        daemon = self.daemon(LIMITS, {
            "store": {"type": "redis"},
            "redis": {"port": harness.free_port(), **PATIENT["redis"]}})
        daemon.ask(*["CONSUME lock:1"] * 3)
        result = self.tool(daemon, "why", "lock:1")
        self.assertEqual(result.returncode, 1)
        self.assertIn(" by limit lock, which blocks it (2 of 2 drops), until ", result.stdout)
        self.assertIn(", as on_error says, since Redis does not respond.\n", result.stdout)

    def test_what_cannot_be_known(self):
        daemon = self.start(settings={"limits": {"unmatched": "error"}})
        for arguments in (("why", "other"), ("why", "two words"), ("why", "a\nRESET b"),
                          ("-s", "/nowhere", "why", "a")):
            result = self.tool(daemon, *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)


class StatusTest(StatusCase):
    def test_all_is_well(self):
        daemon = self.start()
        daemon.ask(*["CONSUME login:7"] * 7)
        result = self.tool(daemon, "status")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"^daemon    \S+, for \d+ s: buckets are in memory\n"
                         r"limits    4, since \d+ s ago \([0-9a-f]{8}\)\n"
                         r"requests  5 allowed, 2 denied, 0 decided by on_error \(0\.0 %\)\n")
        self.assertEqual(self.ask(self.connection(self.admin_port), "/status").content.split()[0],
                         b"daemon")

    def test_a_reload_and_one_that_is_refused(self):
        daemon = self.start()
        daemon.write_limits(LIMITS.replace("capacity = 5", "capacity = 7"))
        daemon.reload()
        status, found = self.tool_json(daemon, "status")
        self.assertEqual(status, 0)
        self.assertRegex(found["limits"]["changes"],
                         r"^\+0 ~1 -0: login capacity 5 -> 7 \([0-9a-f]{8}\)$")
        self.assertTrue(found["limits"]["digest"].startswith(
            found["limits"]["changes"][-9:-1]))
        daemon.write_limits("[login]\n")
        daemon.reload()
        status, found = self.tool_json(daemon, "status")
        self.assertEqual(status, 1)
        self.assertIn("[login]: match is missing", found["refused"]["reason"])
        self.assertIn("\nrefused   ", self.tool(daemon, "status").stdout)
        daemon.write_limits(LIMITS)
        daemon.reload()
        status, found = self.tool_json(daemon, "status")
        self.assertEqual((status, "refused" in found), (0, False))

    def test_a_set_in_redis_that_is_refused(self):
        redis = self.redis()
        redis.ask("ZADD", "limits", 1, "login match=login:* capacity=5 recharge=60s")
        daemon = self.redis_daemon(redis, "", {
            **PATIENT, "limits": {"source": "redis"}})
        redis.ask("ZADD", "limits", 2, "wrong match=w")
        self.tool(daemon, "reload", "--immediate")
        # It is 1 before that, too, if limits in force are late.
        wait_until(lambda: "refused" in self.tool_json(daemon, "status")[1], "the refusal")
        status, found = self.tool_json(daemon, "status")
        self.assertEqual(status, 1)
        self.assertIn("wrong", found["refused"]["reason"])
        redis.ask("ZREM", "limits", "wrong match=w")
        self.tool(daemon, "reload", "--immediate")
        wait_until(lambda: self.tool_json(daemon, "status")[0] == 0, "the limits")

    def test_redis_and_its_outage(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, LIMITS, {"redis": {
            "unix_socket_path": "", "port": redis.port, **PATIENT["redis"]}})
        daemon.ask("CONSUME login:1")
        status, found = self.tool_json(daemon, "status")
        server, = found["servers"]
        self.assertEqual((status, server["up"], server["calls"], server["name"]),
                         (0, "yes", 1, f"127.0.0.1:{redis.port}"))
        redis.kill()
        wait_until(lambda: daemon.ask("CONSUME login:1").endswith("=fallback"), "the outage")
        status, found = self.tool_json(daemon, "status")
        self.assertEqual((status, found["servers"][0]["up"], found["daemon"]["state"]),
                         (1, "no", "fallback"))
        text = self.tool(daemon, "status").stdout
        self.assertIn(": Redis does not respond, on_error decides\n", text)
        self.assertIn(f"\nredis     127.0.0.1:{redis.port} DOWN, since ", text)

    def test_no_daemon(self):
        daemon = self.start()
        daemon.stop()
        self.assertEqual(self.tool(daemon, "status").returncode, 2)
        self.assertEqual(self.tool(daemon, "status", "--json").returncode, 2)


class MonitorTest(StatusCase):
    def monitor(self, daemon, filters=""):
        client = daemon.connect()
        self.addCleanup(client.close)
        self.assertEqual(client.ask(f"MONITOR {filters}"), "OK")
        return client

    def lines(self, client, count):
        return [harness.fields(client.line()) for _ in range(count)]

    def test_decisions_are_shown_as_they_are_made(self):
        daemon = self.start(settings={"workers": {"count": 3}})
        client = self.monitor(daemon)
        for _ in range(2):
            daemon.ask("CONSUME login:7", "PEEK login:7", "CONSUME nothing")
        daemon.ask(*["CONSUME login:7"] * 4)
        found = self.lines(client, 6)
        self.assertEqual([(line["verdict"], line["limit"], line["level"], line["key"])
                          for line in found],
                         [("ALLOW", "login", str(i), "login:7") for i in range(1, 6)] +
                         [("DENY", "login", "5", "login:7")])
        self.assertEqual({line["from"] for line in found}, {"memory"})
        self.assertLess(abs(float(found[0]["at"]) - time.time()), harness.PATIENCE)

    def test_anything_that_the_client_sends_ends_it(self):
        daemon = self.start()
        for rest in "PING\n", "PING", "QUIT\n":
            client = self.monitor(daemon)
            client.send(rest)
            self.assertEqual(client.line(), "END")
            if rest == "PING":
                client.send("\n")
            self.assertEqual(client.line(), "" if rest == "QUIT\n" else "PONG")
        client = self.monitor(daemon)
        client.finish()
        self.assertEqual(client.rest(), b"END\n")
        client = daemon.connect()
        self.addCleanup(client.close)
        client.send("MONITOR\nPING\n")
        self.assertEqual([client.line() for _ in range(3)], ["OK", "END", "PONG"])

    def test_filters(self):
        daemon = self.start()
        client = self.monitor(daemon, "login:[78] denied")
        other = self.monitor(daemon, "ALLOWED *:9")
        daemon.ask(*["CONSUME login:7"] * 6, "CONSUME login:9", "CONSUME login:8 6")
        self.assertEqual([(line["verdict"], line["key"]) for line in self.lines(client, 2)],
                         [("DENY", "login:7"), ("DENY", "login:8")])
        self.assertEqual([(line["verdict"], line["key"]) for line in self.lines(other, 1)],
                         [("ALLOW", "login:9")])
        for wrong, code in [("[", "badglob"), ("a b", "surplus"), ("denied allowed", "surplus"),
                            ("a denied b", "surplus"), ("x" * 600, "badglob")]:
            self.assertTrue(daemon.ask(f"MONITOR {wrong}").startswith(f"ERR {code} "), wrong)

    def test_by_redis_s_protocol(self):
        daemon = self.start()
        with daemon.connect() as client:
            client.send("*2\r\n$7\r\nMONITOR\r\n$6\r\ndenied\r\n")
            self.assertEqual(client.line(), "+OK\r")
            daemon.ask(*["CONSUME login:7"] * 6)
            self.assertRegex(client.line(), r"^\+DENY limit=login .* key=login:7\r$")
            client.send("*1\r\n$4\r\nPING\r\n")
            self.assertEqual(client.line(), "+PONG\r")
            client.send("*1\r\n$5\r\nMULTI\r\n*1\r\n$7\r\nMONITOR\r\n*1\r\n$4\r\nEXEC\r\n")
            self.assertEqual([client.line()[:5] for _ in range(3)], ["+OK\r", "-ERR ", "-EXEC"])

    def test_what_is_too_much_is_dropped_and_counted(self):
        daemon = self.start()
        client = self.monitor(daemon)
        with daemon.connect() as busy:
            for _ in range(30):
                busy.ask(*["CONSUME login:7"] * 100)
        shown = dropped = 0
        while shown + dropped < 3000:
            line = client.line()
            if line.startswith("DROPPED "):
                dropped += int(line[8:])
            else:
                shown += 1
        self.assertEqual(shown + dropped, 3000)
        self.assertGreater(shown, 0)

    def test_a_client_that_does_not_read_is_closed_and_others_do_not_wait(self):
        daemon = self.start()
        client = self.monitor(daemon)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with daemon.connect() as busy:
            def is_closed():
                busy.ask(*["CONSUME login:7"] * 1000)
                return daemon.stats()["clients"] == 2
            wait_until(is_closed, "the end of the client", 3 * harness.PATIENCE)

    def test_a_drain_ends_it(self):
        daemon = self.start()
        client = self.monitor(daemon)
        daemon.send(signal.SIGTERM)
        self.assertEqual(client.rest(), b"END\n")
        self.assertEqual(daemon.wait(), 0)


class TailTest(StatusCase):
    def start_tail(self, daemon, *arguments):
        process = self.started(harness.Process(self.folder, f"tail-{len(self.processes)}", [
            DRIPGATE, "-c", daemon.config_path, "tail", *arguments]))
        return process

    def test_the_command(self):
        daemon = self.start()
        tail = self.start_tail(daemon, "log*", "--denied", "--count", "2")
        def has_ended():
            daemon.ask("CONSUME lock:1", *["CONSUME login:7"] * 6)
            return not tail.is_running()
        wait_until(has_ended, "two decisions")
        self.assertEqual(tail.wait(), 0)
        lines = tail.log().splitlines()
        self.assertEqual(len(lines), 2, lines)
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d\.\d{3} DENY  login:7 limit=login amount=1 level=5 "
                             r"capacity=5 retry=\S+ from=memory$")
        for wrong in ["--denied", "--allowed"], ["["], ["-s", "/nowhere"]:
            self.assertEqual(self.tool(daemon, "tail", *wrong).returncode, 2)

    def test_an_interrupt_ends_it_and_so_does_the_daemon(self):
        daemon = self.redis_daemon(self.redis(), LIMITS, PATIENT)
        one = self.start_tail(daemon, "--json")
        two = self.start_tail(daemon)
        def is_shown():
            daemon.ask("CONSUME lock:2")
            return '"key":"lock:2"' in one.log() and " lock:2 " in two.log()
        wait_until(is_shown, "a decision")
        self.assertRegex(one.log(), '"from":"(redis|denycache)"')
        one.send(signal.SIGINT)
        self.assertEqual(one.wait(), 0)
        daemon.stop()
        self.assertEqual(two.wait(), 2)


if __name__ == "__main__":
    harness.main()
