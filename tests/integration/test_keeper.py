"""The buckets in memory outlive a restart."""

import os
import resource
import signal
import struct
import subprocess

import harness
from harness import fields, note, wait_until

LIMITS = """
[login]
match = login:*
capacity = 5
recharge = 1h

[short]
match = short:*
capacity = 5
recharge = 1ms

[mail]
match = mail:*
algorithm = fixed_window
capacity = 10
window = 365d
"""

HEAD = struct.Struct("=8sQQQQQQqqQQQ")


class KeeperCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.folder, "state")
        os.mkdir(self.state, 0o700)
        self.path = os.path.join(self.state, "buckets")

    def start(self, limits=LIMITS, settings=None, **options):
        settings = {"store": {"state_dir": self.state, **(settings or {})}}
        return self.daemon(limits, settings=settings, **options)

    def level(self, daemon, key):
        return int(fields(daemon.ask(f"PEEK {key} 0"))["level"])

    def fill(self, daemon):
        daemon.ask("CONSUME login:1 3", "CONSUME login:2", "CONSUME mail:1 7",
                   "CONSUME short:1")
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("buckets saved in", daemon.log())

    def check_empty(self, reason, daemon=None):
        """The next daemon says why it takes nothing over, and serves."""
        daemon = daemon or self.start()
        self.assertRegex(daemon.log(), rf"warning: buckets not taken over from {self.path}: "
                         rf"[^\n]*{reason}[^\n]*; they begin empty")
        self.assertEqual(self.level(daemon, "login:1"), 0)
        return daemon


class RestartTest(KeeperCase):
    def test_buckets_outlive_it(self):
        self.fill(self.start())
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.state), ["buckets"])
        daemon = self.start()
        self.assertRegex(daemon.log(), r"info: 3 buckets taken over from .*; 0 were drained|"
                         r"info: 3 buckets taken over from .*; 1 were drained")
        self.assertEqual([self.level(daemon, k) for k in ("login:1", "login:2", "mail:1",
                                                          "short:1")], [3, 1, 7, 0])
        self.assertIn("DENY", daemon.ask("CONSUME login:1 3"))
        # What a crash leaves must not come from before.
        self.assertEqual(os.listdir(self.state), [])
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.level(self.start(), "login:1"), 3)

    def test_blocks_go_on_to_grow(self):
        limits = ("[grown]\nmatch = g:*\ncapacity = 1\nrecharge = 1ms\n"
                  "block = 1s x3 max 1d\nblock_memory = 1h\n")
        daemon = self.start(limits)
        said = daemon.ask("consume g:1", "consume g:1 1", *["consume g:1"] * 20)
        self.assertGreater(float(fields(said[-1])["blocked"]), 0)
        wait_until(lambda: float(fields(daemon.ask("peek g:1"))["blocked"]) == 0, "its end")
        self.assertEqual(daemon.stop(), 0)
        again = self.start(limits)
        with again.connect() as client:
            said = {"verdict": "ALLOW"}
            while said["verdict"] == "ALLOW":
                client.send("consume g:1\n" * 20)
                said = [fields(client.line()) for _ in range(20)][-1]
        self.assertGreater(float(said["blocked"]), 1.5)

    def test_the_folder_is_systemds_where_none_is_set(self):
        env = {"STATE_DIRECTORY": self.state}
        self.fill(self.daemon(LIMITS, env=env))
        self.assertEqual(self.level(self.daemon(LIMITS, env=env), "login:1"), 3)

    def test_without_a_folder_nothing_is_kept(self):
        daemon = self.daemon(LIMITS)
        daemon.ask("CONSUME login:1 3")
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("buckets", daemon.log())

    def test_limits_that_changed_keep_their_drops(self):
        self.fill(self.start())
        changed = LIMITS.replace("[mail]", "[other]").replace(
            "capacity = 5\nrecharge = 1h", "capacity = 50\nrecharge = 2h")
        daemon = self.start(changed)
        reply = fields(daemon.ask("PEEK login:1 0"))
        self.assertEqual((reply["level"], reply["capacity"]), ("3", "50"))
        self.assertEqual(self.level(daemon, "mail:1"), 0)
        self.assertEqual(daemon.stop(), 0)
        # The buckets of a limit that is away for a while are there when it returns.
        self.assertEqual(self.level(self.start(), "mail:1"), 7)

    def test_a_start_that_fails_leaves_them(self):
        first = self.start()
        self.fill(first)
        for name, text in ((first.limits_path, "[x]\n"), (first.config_path, "[x]\n")):
            with open(name, encoding="utf-8") as file:
                before = file.read()
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
            with self.subTest(name):
                done = subprocess.run([harness.DRIPGATED, "-c", first.config_path], check=False,
                                      stderr=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 1)
            with open(name, "w", encoding="utf-8") as file:
                file.write(before)
        with open(first.config_path, "a", encoding="utf-8") as file:
            file.write("[http]\nlisten = 192.0.2.1:1\n") # not of this machine
        done = subprocess.run([harness.DRIPGATED, "-c", first.config_path], check=False,
                              stderr=subprocess.DEVNULL, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.level(self.start(), "login:1"), 3)

    def test_a_check_of_the_settings_takes_nothing(self):
        daemon = self.start()
        self.fill(daemon)
        subprocess.run([harness.DRIPGATED, "-c", daemon.config_path, "--check"], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertTrue(os.path.exists(self.path))

    def test_redis_keeps_its_own(self):
        server = self.redis()
        daemon = self.redis_daemon(server, settings={"store": {"state_dir": self.state}})
        daemon.ask("CONSUME login:1")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(os.listdir(self.state), [])

    def test_snapshots_are_for_a_crash(self):
        daemon = self.start(settings={"snapshot": "50ms"})
        daemon.ask("CONSUME login:1 3")
        # Two more begin after the request.
        for _ in range(2):
            before = wait_until(lambda: os.path.exists(self.path) and os.stat(self.path).st_ino,
                                "a snapshot")
            wait_until(lambda b=before: os.stat(self.path).st_mtime_ns and
                       self.inode() not in (None, b), "another")
        daemon.kill()
        self.assertEqual(self.level(self.start(), "login:1"), 3)

    def inode(self):
        try:
            return os.stat(self.path).st_ino
        except FileNotFoundError:
            return None


class BadFileTest(KeeperCase):
    def contents(self):
        with open(self.path, "rb") as file:
            return file.read()

    def replace(self, data):
        with open(self.path, "wb") as file:
            file.write(data)
        os.chmod(self.path, 0o600)

    def test_a_torn_file(self):
        self.fill(self.start())
        whole = self.contents()
        for data, reason in ((whole[:-40], "torn"), (whole[:50], "not written whole"),
                             (b"", "not written whole"), (b"\0" * len(whole), "no file of"),
                             (whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:], "torn")):
            self.replace(data)
            self.check_empty(reason).kill()

    def change(self, place, value):
        whole = self.contents()
        head = list(HEAD.unpack_from(whole))
        head[place] = value
        self.replace(HEAD.pack(*head) + whole[HEAD.size:])

    def test_one_of_another_version_or_architecture(self):
        self.fill(self.start())
        whole = self.contents()
        self.change(2, 2)
        self.check_empty("another version of dripgate").kill()
        self.replace(whole)
        self.change(1, int.from_bytes((0x0102030405060708).to_bytes(8, "little"), "big"))
        self.check_empty("another architecture").kill()

    def test_one_that_others_may_write(self):
        self.fill(self.start())
        os.chmod(self.path, 0o620)
        self.check_empty("not a file of this user alone").kill()
        self.assertTrue(os.path.exists(self.path))
        if os.geteuid() == 0:
            os.chmod(self.path, 0o600)
            os.chown(self.path, 12345, -1)
            self.check_empty("not a file of this user alone").kill()


class EndTest(KeeperCase):
    def test_a_full_disk_does_not_keep_it(self):
        daemon = self.start(preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))))
        with daemon.connect() as client:
            client.ask(*(f"CONSUME login:{i}" for i in range(5000)))
        self.assertEqual(daemon.stop(), 0)
        self.assertIn(f"warning: buckets not saved in {self.state}: File too large",
                      daemon.log())
        self.assertEqual(os.listdir(self.state), [])

    def test_a_folder_that_is_not_there_does_not_keep_it(self):
        daemon = self.start(settings={"state_dir": "/nonexistent"})
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("buckets not saved in /nonexistent: No such file", daemon.log())

    def test_a_million_buckets(self):
        daemon = self.start("[any]\nmatch = *\ncapacity = 5\nrecharge = 1h\n",
                            settings={"max_buckets": 1_300_000})
        with daemon.connect() as client:
            for start in range(0, 1_000_000, 10_000):
                client.send("".join(f"CONSUME k{i}\n" for i in range(start, start + 10_000)))
                for _ in range(10_000):
                    client.file.readline()
        self.assertEqual(daemon.stop(), 0)
        again = self.start("[any]\nmatch = *\ncapacity = 5\nrecharge = 1h\n",
                           settings={"max_buckets": 1_300_000})
        for text in (daemon.log(), again.log()):
            line = next(line for line in text.splitlines() if "1000000 buckets" in line)
            note(line)
        self.assertEqual(self.level(again, "k999999"), 1)


if __name__ == "__main__":
    harness.main()
