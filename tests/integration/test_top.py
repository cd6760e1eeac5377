"""TOP and dripgate top: who is denied."""

import json
import subprocess

import harness
from harness import DRIPGATE, PATIENT, wait_until
from test_http import LIMITS, HttpCase


def entries(lines):
    """[{"verdict": ..., "limit": ..., ..., "key": ...}] of lines of TOP."""
    return [harness.fields(line) for line in lines]


class TopTest(HttpCase):
    def lines(self, daemon, request):
        with daemon.connect() as client:
            return client.ask_many(request)

    def top(self, daemon, *arguments):
        return subprocess.run([DRIPGATE, "-c", daemon.config_path, "top", *arguments],
                              capture_output=True, text=True, check=False,
                              timeout=harness.PATIENCE)

    def test_keys_that_are_denied_and_allowed(self):
        daemon = self.start()
        with daemon.connect() as client:
            client.ask(*["CONSUME login:7"] * 12, *["CONSUME lock:1"] * 3, "PEEK login:9",
                       "CONSUME nothing")
            found = entries(client.ask_many("TOP"))
            self.assertEqual([(entry["verdict"], entry["limit"], entry["key"])
                              for entry in found], [
                ("denied", "login", "login:7"),
                ("denied", "lock", "lock:1"), ("allowed", "login", "login:7"),
                ("allowed", "lock", "lock:1")])
            self.assertEqual([float(entry["share"]) for entry in found],
                             [0.875, 0.125, 0.7143, 0.2857])
            self.assertEqual({entry["error"] for entry in found}, {"0.000"})
            for entry in found:
                self.assertGreaterEqual(float(entry["first"]), float(entry["last"]))
            self.assertEqual(len(client.ask_many("TOP 1")), 2)
        self.assertEqual(
            self.ask(self.connection(self.admin_port), "/top").content.count(b" key="), 4)

    def test_from_all_workers_and_redis(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, LIMITS, {**PATIENT, "workers": {"count": 3}})
        for _ in range(9):
            daemon.ask("CONSUME login:7", "CONSUME lock:2")
        found = entries(self.lines(daemon, "TOP"))
        self.assertEqual([(entry["verdict"], entry["key"]) for entry in found],
                         [("denied", "lock:2"), ("denied", "login:7"),
                          ("allowed", "login:7"), ("allowed", "lock:2")])
        self.assertEqual(float(found[0]["share"]), 0.6364)

    def test_a_shadow_limit_denies_no_one(self):
        daemon = self.daemon(
            "[s]\nmatch = s\ncapacity = 1\nrecharge = 1d\nshadow = yes\n")
        daemon.ask(*["CONSUME s"] * 3)
        self.assertEqual([entry["verdict"] for entry in
                          entries(self.lines(daemon, "TOP"))], ["allowed"])

    def test_keys_of_any_bytes_are_shown_as_text(self):
        daemon = self.daemon("[any]\nmatch = *\ncapacity = 1\nrecharge = 1d\n")
        with harness.RedisClient(daemon.path) as client:
            client.ask("CONSUME", b"a \n\xff")
        line, = self.lines(daemon, "TOP")
        self.assertTrue(line.endswith(r" key=a \x0a\xff"), line)

    def test_the_command(self):
        daemon = self.start()
        result = self.top(daemon)
        self.assertEqual((result.returncode, result.stdout),
                         (0, "no key was denied lately\n"))
        daemon.ask(*["CONSUME login:7"] * 12, *["CONSUME lock:1"] * 3)
        lines = self.top(daemon).stdout.splitlines()
        self.assertEqual([line.split()[:2] for line in lines],
                         [["KEY", "LIMIT"], ["login:7", "login"], ["lock:1", "lock"]])
        self.assertIn(" 87.5 %", lines[1])
        self.assertEqual(len(self.top(daemon, "lock").stdout.splitlines()), 2)
        rows = json.loads(self.top(daemon, "--allowed", "--json").stdout)
        self.assertEqual([(row["key"], row["limit"]) for row in rows],
                         [("login:7", "login"), ("lock:1", "lock")])
        self.assertEqual(self.top(daemon, "--allowed", "--denied").returncode, 2)

    def test_many_keys_leave_the_busiest(self):
        daemon = self.daemon("[any]\nmatch = *\ncapacity = 1\nrecharge = 1d\n")
        with daemon.connect() as client:
            for i in range(40):
                client.ask(*[f"CONSUME few:{i * 100 + k}" for k in range(100)],
                           *["CONSUME busy"] * 30)
            found = [entry for entry in entries(client.ask_many("TOP 1000"))
                     if entry["verdict"] == "denied"]
        self.assertEqual([entry["key"] for entry in found], ["busy"])
        wait_until(lambda: len(self.lines(daemon, "TOP 1000")) <= 257, "a bound")


if __name__ == "__main__":
    harness.main()
