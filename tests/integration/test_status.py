"""dripgate why and dripgate status: what an operator asks first."""

import json
import signal
import subprocess

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
        wait_until(lambda: self.tool_json(daemon, "status")[0] == 1, "the refusal")
        self.assertIn("wrong", self.tool_json(daemon, "status")[1]["refused"]["reason"])
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


class TailTest(StatusCase):
    def start_tail(self, daemon, *arguments):
        process = self.started(harness.Process(self.folder, f"tail-{len(self.processes)}", [
            DRIPGATE, "-c", daemon.config_path, "tail", *arguments]))
        return process

    def recording(self, daemon):
        """Wait until decisions are recorded."""
        def is_recorded():
            before = self.next(daemon)
            daemon.ask("CONSUME other:1", "CONSUME lock:warm")
            return self.next(daemon) > before
        wait_until(is_recorded, "the recording")

    def next(self, daemon, number=""):
        with daemon.connect() as client:
            last = client.ask_many(f"RECENT {number}")[-1]
        return int(harness.fields(last)["number"])

    def test_decisions_since_a_number(self):
        daemon = self.start()
        self.recording(daemon)
        first = self.next(daemon)
        daemon.ask(*["CONSUME login:7"] * 6, "PEEK login:7", "CONSUME nothing")
        with daemon.connect() as client:
            *lines, last = client.ask_many(f"RECENT {first}")
            self.assertEqual(last, f"next number={first + 6} dropped=0")
            found = [harness.fields(line) for line in lines]
            self.assertEqual(client.ask_many(f"RECENT {first + 6}"), [last])
            self.assertEqual(client.ask_many("RECENT 9223372036854775807"), [last])
            for wrong in "RECENT 0", "RECENT x", "RECENT 9223372036854775808":
                self.assertTrue(client.ask(wrong).startswith("ERR badcount "), wrong)
        self.assertEqual([(entry["verdict"], entry["limit"], entry["level"], entry["key"])
                          for entry in found],
                         [("ALLOW", "login", str(i), "login:7") for i in range(1, 6)] +
                         [("DENY", "login", "5", "login:7")])
        self.assertEqual({entry["from"] for entry in found}, {"memory"})

    def test_what_is_too_much_is_dropped_and_counted(self):
        daemon = self.start()
        self.recording(daemon)
        first = self.next(daemon)
        with daemon.connect() as client:
            for _ in range(30):
                client.ask(*["CONSUME login:7"] * 100)
            client.ask("CONSUME login:8")
            *lines, last = client.ask_many(f"RECENT {first}")
        fields = harness.fields(last)
        self.assertLessEqual(len(lines), 1024)
        self.assertEqual(len(lines) + int(fields["dropped"]), int(fields["number"]) - first)
        self.assertGreater(int(fields["dropped"]), 0)

    def test_the_command(self):
        daemon = self.start()
        tail = self.start_tail(daemon, "log*", "--denied", "--count", "2")
        wait_until(lambda: self.next(daemon) > 0, "a daemon")
        def has_ended():
            daemon.ask("CONSUME lock:1", *["CONSUME login:7"] * 6)
            return not tail.is_running()
        wait_until(has_ended, "two decisions")
        self.assertEqual(tail.wait(), 0)
        lines = tail.log().splitlines()
        self.assertEqual(len(lines), 2, lines)
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d\.\d{3} DENY  login:7 limit=login level=5 "
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
