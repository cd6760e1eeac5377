"""Limits and settings: read from files, complained of, matched, reloaded."""

import ctypes
import fnmatch
import os
import random
import re
import signal
import subprocess
import threading
import time

import harness
from certificates import Authority
from harness import DRIPGATED, PATIENT, fields, wait_until

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24

FINE = "[fine]\nmatch = fine\ncapacity = 1\nrecharge = 1s\n"


def limit(name="a", **words):
    """A section, with these words changed, added or (None) left out."""
    words = {"match": "a:*", "capacity": 5, "recharge": "60s", **words}
    return f"[{name}]\n" + "".join(
        f"{word} = {value}\n" for word, value in words.items() if value is not None)


# What is wrong, in which line, and what the complaint says of it.
BAD_LIMITS = {
    "unknown word": (limit(capcity=5), 5,
                     "unknown word 'capcity', did you mean 'capacity'?"),
    "unlike any word": (limit(xyzzy=5), 5, "unknown word 'xyzzy'"),
    "wrong case": (limit(Match="a"), 5, "did you mean 'match'?"),
    "word twice": (limit() + "capacity = 6\n", 5, "capacity is given twice"),
    "section twice": (limit() + limit(), 5, "[a]: is defined above already"),
    "no match": (limit(match=None), 1, "match is missing"),
    "no capacity": (limit(capacity=None), 1, "capacity is missing"),
    "no recharge": (limit(recharge=None), 1, "recharge (or rate) is missing"),
    "no word": ("[a]\n", 1, "match is missing"),
    "recharge and rate": (limit(rate="1/s"), 1, "exclude each other"),
    "window in a bucket": (limit(window="1s"), 1, "window does not go with"),
    "block in a window": (limit(algorithm="fixed_window", recharge=None,
                                window="1s", block="1s"), 1,
                          "block does not go with"),
    "recharge in a window": (limit(algorithm="fixed_window", window="1s"), 1,
                             "recharge does not go with"),
    "no window": (limit(algorithm="fixed_window", recharge=None), 1,
                  "window is missing"),
    "empty match": (limit(match=""), 2, "match is empty"),
    "broken regex": (limit(match="~a("), 2, "match, at byte 3: "),
    "regex with \\C": (limit(match="~\\C"), 2, "match, at byte "),
    "broken glob": (limit(match="a[b"), 2, "a [ without a ]"),
    "glob with a lone backslash": (limit(match="a\\"), 2, "lone backslash"),
    "unknown algorithm": (limit(algorithm="token_bucket"), 5,
                          "algorithm must be leaky_bucket, fixed_window, sliding_window or concurrent"),
    "unknown on_error": (limit(on_error="maybe"), 5, "on_error must be"),
    "unknown shadow": (limit(shadow="maybe"), 5, "shadow must be yes or no"),
    "too much at once": (limit(capacity=1000000000, recharge="1h"), 1,
                         "capacity times recharge must stay below"),
    "name with a dot": (limit("a.b"), 1, "a limit's name is 1 to 64 of"),
    "name of 65": (limit("n" * 65), 1, "a limit's name is 1 to 64 of"),
    "no name": (limit(""), 1, "a limit's name is 1 to 64 of"),
    "no section": ("match = a\n" + limit(), 1, "before the first [section]"),
    "not a pair": (limit() + "nonsense\n", 5, "neither [section] nor name = value"),
    "section without an end": ("[a\nmatch = a\n", 1, "needs a ']'"),
    "something after a section": ("[a] b\n", 1, "nothing may follow"),
    "NUL": (limit() + "block = 1s\0\n", 5, "holds a NUL byte"),
    "long line": (limit() + "block = " + "1" * 32768 + "s\n", 5, "longer than"),
    "quote without an end": (limit(match='"a'), 2, "the quote that begins"),
    "text after a quote": (limit(match="'a'*"), 2, "only a comment may follow"),
    "last of many": (FINE + "\n; comment\n\n" + limit(capacity=0), 10,
                     "[a]: capacity must be a whole number from 1 to 1000000000"),
    **{f"capacity {value}": (limit(capacity=value), 3,
                             "capacity must be a whole number")
       for value in ("0", "-1", "1000000001", "5.5", "1e3", "0x5", "nan", "+5", "",
                     "5 5", "99999999999999999999")},
    **{f"recharge {value}": (limit(recharge=value), 4, "recharge must be")
       for value in ("60", "", "s", "-1s", "0s", "0.5us", "1.s", "1e3s", "nan", "60 s",
                     "60S", "1w", "60000d", "99999999999999999999s")},
    **{f"rate {value}": (limit(recharge=None, rate=value), 4, "rate must be")
       for value in ("60", "60/", "/h", "0/s", "-1/s", "1.5/s", "60/x", "60h",
                     "1000001/s", "60 / h")},
    **{f"block {value}": (limit(block=value), 5, "block must be")
       for value in ("5", "-5s", "nan", "60000d")},
}

GOOD_LIMITS = {
    "a byte order mark": b"\xef\xbb\xbf" + limit().encode(),
    "CRLF": limit().replace("\n", "\r\n").encode(),
    "no last newline": limit().encode()[:-1],
    "comments and blanks": b"\n; x\n  # y\n\n" + limit().encode() + b"; end",
    "indented": limit().replace("\nc", "\n\t c").encode(),
    "colons": limit().replace(" =", ":").encode(),
    "a comment after a value": limit(capacity="5 ; drops").encode(),
    "the largest": limit(capacity=1000000000, recharge="1us", block="52124d").encode(),
    "the smallest": limit(capacity=1, recharge="1us").encode(),
    "a name of 64": limit("n" * 64).encode(),
    "a long regex": limit(match="~^" + "(a|b)?" * 300 + "$").encode(),
    "a long comment": limit().encode() + b"; " + b"x" * 8000 + b"\n",
    "quotes": limit(match='"a ; b"', capacity="'5'").encode(),
    "synonyms": limit(shadow="True", deny_cache="off").encode(),
}


class Fleet(harness.Case):
    """What is common to the tests below."""

    def run_dripgated(self, *arguments, **options):
        return subprocess.run([DRIPGATED, *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False,
                              timeout=harness.PATIENCE, errors="backslashreplace",
                              **options)

    def check_config(self, daemon, **options):
        """What --check says of the files of a daemon."""
        return self.run_dripgated("-c", daemon.config_path, "--check", **options)

    def not_started(self, limits=harness.LIMITS, settings=None):
        """The files of a daemon that is not needed itself."""
        daemon = self.daemon(limits, settings)
        daemon.kill()
        return daemon

    def set_limits(self, daemon, text):
        """Put other limits in force, and wait until all workers have them."""
        before = daemon.stats()["reloads"]
        daemon.write_limits(text)
        log = daemon.reload()
        self.assertNotIn("not reloaded", log)
        wait_until(lambda: daemon.stats()["reloads"] == before + 1,
                   "the workers to take over")


class ComplaintsTest(Fleet):
    def check_refused(self, files, complaint, line=None, path=None, most=1):
        """Neither --check nor a start takes the files, and both say why, in so many
        lines at most."""
        place = " error: " + re.escape(path or files.limits_path) \
            + (f":{line}" if line else r"(?::\d+)?") \
            + (r"(?::\d+)?: " if path or not line else r":\d+: ")
        checked = self.check_config(files)
        started = self.run_dripgated("-c", files.config_path)
        for result in checked, started:
            self.assertEqual(result.returncode, 1, result)
            self.assertEqual(result.stdout, "")
            self.assertRegex(result.stderr, place)
            self.assertIn(complaint, re.split(place, result.stderr, maxsplit=1)[1])
            lines = result.stderr.removesuffix("\n").split("\n")
            self.assertLessEqual(len(lines), most, result.stderr)
            for text in lines:
                self.assertTrue(text.isprintable(), repr(text))

    def test_bad_limits_are_refused_with_file_and_line(self):
        files = self.not_started()
        for name, (text, line, complaint) in BAD_LIMITS.items():
            with self.subTest(name):
                files.write_limits(text)
                self.check_refused(files, complaint, line, most=3)

    def test_good_limits_are_taken(self):
        files = self.not_started()
        for name, text in GOOD_LIMITS.items():
            with self.subTest(name), open(files.limits_path, "wb") as file:
                file.write(text)
                file.flush()
                result = self.check_config(files)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(result.stdout, f"{files.limits_path}: 1 limits, fine\n")

    def test_a_missing_limits_file(self):
        files = self.not_started()
        os.unlink(files.limits_path)
        self.check_refused(files, "No such file or directory")

    def test_a_limits_file_that_leads_nowhere(self):
        files = self.not_started()
        os.unlink(files.limits_path)
        os.symlink(files.limits_path, files.limits_path)
        self.check_refused(files, "Too many levels of symbolic links")

    def test_a_directory_for_a_limits_file(self):
        files = self.not_started()
        os.unlink(files.limits_path)
        os.mkdir(files.limits_path)
        self.check_refused(files, "Is a directory")

    def test_a_limits_file_that_could_be_waited_for(self):
        files = self.not_started()
        os.unlink(files.limits_path)
        os.mkfifo(files.limits_path)
        self.check_refused(files, "not a regular file")
        files.settings["limits"]["file"] = "/dev/zero"
        files.write_config()
        self.check_refused(files, "not a regular file", path="/dev/zero")

    def test_settings_that_could_be_waited_for(self):
        files = self.not_started()
        os.unlink(files.config_path)
        os.mkfifo(files.config_path)
        self.check_refused(files, "not a regular file", path=files.config_path)

    def test_an_unreadable_limits_file(self):
        files = self.not_started()
        os.chmod(files.limits_path, 0)
        libc = ctypes.CDLL(None)

        def be_no_superuser():
            libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
            libc.prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0)

        probe = subprocess.run(["cat", files.limits_path], check=False,
                               capture_output=True, preexec_fn=be_no_superuser)
        if probe.returncode == 0:
            self.skipTest("whoever runs this may read any file")
        result = self.check_config(files, preexec_fn=be_no_superuser)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{files.limits_path}: Permission denied", result.stderr)

    def test_limits_files_without_limits(self):
        files = self.not_started()
        for text in "", "\n", "; nothing\n", "\ufeff":
            files.write_limits(text)
            self.check_refused(files, "no limits in it")

    def test_binary_limits_files(self):
        files = self.not_started()
        with open(DRIPGATED, "rb") as file:
            binary = file.read(100_000)
        generator = random.Random(3)
        for text in [binary, binary.replace(b"\0", b""), b"\0", b"\xff\xfe[\0a\0]\0",
                     b"[\x1b[31m\x07]\nmatch = a\n", b"[a]\n\x1b[31m = 1\n",
                     b"[a]\nmatch = ~\x1b[\n", b"[a]\nmatch = [\x1b\n",
                     b"[a]\nmatch = ~\xff\n",
                     *[generator.randbytes(3000).replace(b"\0", b"") for _ in range(50)]]:
            with open(files.limits_path, "wb") as file:
                file.write(text)
            self.check_refused(files, "", most=21)

    def test_bad_settings_are_refused_with_file_and_line(self):
        files = self.not_started()
        for text, line, complaint in [
                ("[redis]\nprot = 1\n", 2, "unknown; do you mean port?"),
                ("[redis]\nxyzzy = 1\n", 2, "unknown"),
                ("\n[rediss]\nport = 1\n", 2, "unknown; do you mean redis?"),
                ("[listen]\nline = :1\n[listne]\n", 3, "do you mean listen?"),
                ("[xyzzy]\n", 1, "unknown"),
                ("[redis]\nport = 1\nport = 1\n", 3, "given twice"),
                ("[redis]\n[log]\n[redis]\n", 3, "given twice"),
                ("[redis]\nport = 0\n", 2, "a whole number from 1 to 65535"),
                ("[redis]\nport = 65536\n", 2, "a whole number from 1 to 65535"),
                ("[redis]\nport = 6379x\n", 2, "a whole number from 1 to 65535"),
                ("[redis]\nport =\n", 2, "a whole number from 1 to 65535"),
                ("[redis]\nsocket_timeout = 50\n", 2, "a time with its unit"),
                ("[redis]\nsocket_timeout = 0\n", 2, "a time with its unit"),
                ("[redis]\nsocket_timeout = 2h\n", 2, "a time with its unit"),
                ("[redis]\nhost =\n", 2, "1 to 255 characters"),
                ("[store]\ntype = sqlite\n", 2, "sqlite is not memory | redis"),
                ("[store]\non_full = no\n", 2, "deny | allow"),
                ("[limits]\nunmatched = denied\n", 2, "allow | deny | error"),
                ("[log]\nlevel = verbose\n", 2, "error | warning | info | debug"),
                ("[workers]\ncount = 257\n", 2, "a whole number from 0 to 256"),
                ("[workers]\ncount = -1\n", 2, "a whole number from 0 to 256"),
                ("[listen]\nunix = /" + "x" * 107 + "\n", 2, "0 to 107 characters"),
                ("port = 1\n", 1, "before the first [section]"),
                ("[redis]\nport\n", 2, "neither [section] nor name = value")]:
            with self.subTest(text):
                with open(files.config_path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.check_refused(files, complaint, line, path=files.config_path)

    def test_a_path_that_is_too_long_for_a_socket_is_refused(self):
        files = self.not_started()
        with open(files.config_path, "w", encoding="utf-8") as file:
            file.write("[listen]\nunix = " + "x" * 107 + "\n")
        self.assertEqual(self.complaints(self.check_config(files)),
                         [f"{files.config_path}: File name too long"])

    def complaints(self, result):
        """What is complained of, without the time."""
        self.assertEqual(result.returncode, 1, result)
        return re.findall(r"(?m)^\S+ error: (.*)$", result.stderr)

    def test_all_errors_of_a_file_are_told_at_once(self):
        files = self.not_started()
        files.write_limits("[a]\nmatch = a\ncapcity = 5\nrate = 1/h\n"
                           "[b]\nmatch = b\ncapacity = 0\nrecharge = 1\n[c\n")
        for result in self.check_config(files), \
                self.run_dripgated("-c", files.config_path):
            self.assertEqual([text.split(": ")[0] for text in self.complaints(result)], [
                f"{files.limits_path}:{place}" for place in ("3:1", "7:12", "8:12", "9:1")])
        files.settings["redis"] = {"prot": 1, "port": 0, "host": "a"}
        files.settings["lisen"] = {"line": "x"}
        files.write_config()
        for result in self.check_config(files), \
                self.run_dripgated("-c", files.config_path):
            complaints = self.complaints(result)
            self.assertEqual([text.partition("] ")[2].partition(":")[0]
                              for text in complaints], ["prot", "port", ""])
            self.assertIn("[lisen]: unknown; do you mean listen?", complaints[2])

    def test_what_may_be_a_mistake_is_warned_of(self):
        text = limit("a") + limit("b", match="a:b:*") + limit("c", match="^c")
        daemon = self.daemon(text)
        warnings = [
            f"{daemon.limits_path}:10:9: [c]: match = ^c looks like a regular expression, "
            "but has no ~ before it",
            f"{daemon.limits_path}:5:1: [b]: no key reaches it: [a] before it matches all "
            "that it matches"]
        result = self.check_config(daemon)
        self.assertEqual((result.returncode, result.stdout),
                         (0, f"{daemon.limits_path}: 3 limits, fine\n"))
        for log in result.stderr, daemon.log(), daemon.reload():
            self.assertEqual(re.findall(r"(?m)^\S+ warning: (.*)$", log), warnings)

    def test_more_than_twenty_errors_are_counted(self):
        files = self.not_started()
        files.write_limits("".join(limit(f"n{i}", capacity=0) for i in range(25)))
        complaints = self.complaints(self.check_config(files))
        self.assertEqual(len(complaints), 21)
        self.assertEqual(complaints[-1], "and 5 more")

    def test_a_password_is_never_shown(self):
        files = self.not_started()
        files.settings["redis"] = {"password": "sesame" * 700}
        files.write_config()
        result = self.check_config(files)
        self.assertIn("[redis] password: it is not 0 to 4096 characters", result.stderr)
        self.assertNotIn("sesame", result.stderr)
        files.settings["redis"]["password"] = "sesame"
        files.write_config()
        dump = self.run_dripgated("-c", files.config_path, "--dump-config")
        self.assertNotIn("sesame", dump.stdout + dump.stderr)

    def test_missing_settings_and_wrong_arguments(self):
        missing = os.path.join(self.folder, "nowhere.ini")
        result = self.run_dripgated("-c", missing, "--check")
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{missing}: No such file or directory", result.stderr)
        for arguments in ["--nonsense"], ["-c"], ["surplus"], ["-c", missing, "surplus"]:
            result = self.run_dripgated(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn("usage: dripgated", result.stderr)
        self.assertIn("usage: dripgated", self.run_dripgated("--help").stdout)
        self.assertRegex(self.run_dripgated("--version").stdout,
                         r"\Adripgated \d+\.\d+\.\d+\nbuilt with (\w+ [\w.-]+, ){3}.*\bopenssl 3\..*gRPC\n\Z")

    def test_addresses_that_cannot_be_listened_on(self):
        first = self.daemon()
        for settings, complaint in [
                ({"line": f"127.0.0.1:{first.port}"}, "Address already in use"),
                ({"unix": first.path}, "Address already in use"),
                ({"line": "", "unix": ""}, "nothing to listen on")]:
            daemon = self.daemon(settings={"listen": settings}, wait=False)
            self.assertEqual(daemon.wait(), 1)
            self.assertIn(complaint, daemon.log())
        self.assertEqual(first.ask("PING"), "PONG")

    def test_what_can_never_be_listened_on_does_not_pass_the_check(self):
        regular = os.path.join(self.folder, "regular")
        with open(regular, "w", encoding="ascii") as file:
            file.write("of value")
        for settings, complaint in [
                ({"line": "nonsense"}, "nonsense has no port: write HOST:PORT"),
                ({"line": "localhost:99999"}, "the port is not from 1 to 65535"),
                ({"line": "no-such-name.invalid:80"}, "not known|name resolution"),
                ({"line": "192.0.2.1:24431"}, "Cannot assign requested address"),
                ({"unix": "/nonexistent/folder/socket"}, "No such file or directory"),
                ({"unix": regular}, f"{regular}: exists, and is not a socket"),
                ({"unix_mode": "rwx"}, "rwx is not an octal number"),
                ({"unix_mode": "1777"}, "1777 is not an octal number"),
                ({"unix_group": "no-such-group"}, "there is no group no-such-group")]:
            daemon = self.daemon(settings={"listen": settings}, wait=False)
            self.assertEqual(daemon.wait(), 1)
            for text in daemon.log(), self.check_config(daemon).stderr:
                self.assertRegex(text, complaint)
                self.assertEqual(text.count("\n"), 1 + ("listening on" in text))
        with open(regular, encoding="ascii") as file:
            self.assertEqual(file.read(), "of value")

    def test_addresses_as_people_write_them(self):
        for address in "localhost:{}", ":{}", "*:{}", "{}", "127.0.0.1:{}":
            with self.subTest(address):
                port = harness.free_port()
                line = address.format(port)
                daemon = self.daemon(settings={"listen": {"line": line, "unix": ""}})
                with harness.Client(("127.0.0.1", port)) as client:
                    self.assertEqual(client.ask("PING"), "PONG")
                self.assertEqual(self.check_config(daemon).returncode, 0)
                tool = subprocess.run(
                    [harness.DRIPGATE, "-c", daemon.config_path, "peek", "login:x"],
                    capture_output=True, text=True, check=False)
                self.assertIn("limit=login", tool.stdout, tool.stderr)
                self.assertEqual(daemon.stop(), 0)

    def test_the_mode_of_the_unix_socket(self):
        for mode, umask, expected in ("", 0o22, 0o755), ("", 0o77, 0o700), \
                ("0666", 0o77, 0o666), ("660", 0o22, 0o660):
            daemon = self.daemon(settings={"listen": {"unix_mode": mode}}, umask=umask)
            self.assertEqual(os.stat(daemon.path).st_mode & 0o777, expected)
            self.assertEqual(daemon.ask("PING"), "PONG")
            self.assertEqual(daemon.stop(), 0)


# Another value for each setting.
OTHER_SETTINGS = {
    ("listen", "line"): "127.0.0.1:1", ("listen", "unix"): "/tmp/other",
    ("listen", "unix_mode"): "0660", ("listen", "unix_group"): "0",
    ("listen", "max_clients"): 77, ("listen", "idle_timeout"): "7m",
    ("listen", "line_timeout"): "77s", ("listen", "allow_inline_limits"): "no",
    ("http", "listen"): "127.0.0.1:2", ("http", "hosts"): "a.example b.example",
    ("http", "headers"): "legacy", ("http", "client_header"): "Forwarded",
    ("http", "trusted_proxies"): "10.0.0.0/8 fd00::/8",
    ("policy", "listen"): "127.0.0.1:4",
    ("admin", "listen"): "127.0.0.1:3", ("admin", "ready_on_fallback"): "no",
    ("workers", "count"): 7,
    ("limits", "file"): None, ("limits", "unmatched"): "deny",
    ("limits", "source"): "redis", ("limits", "allow_empty"): "yes", ("limits", "watch"): "yes",
    ("store", "type"): "redis", ("store", "prefix"): "other:",
    ("store", "max_buckets"): 777, ("store", "on_full"): "allow",
    ("store", "state_dir"): "/tmp/other", ("store", "snapshot"): "7s",
    ("store", "hide_limits"): "yes",
    ("redis", "url"): None,  # not beside host
    ("redis", "host"): "a", ("redis", "port"): 1,  # the first of the hosts
    ("redis", "unix_socket_path"): None,  # not beside sentinels
    ("redis", "db"): 7, ("redis", "topology"): "sentinel",
    ("redis", "hosts"): "a:1 b:2", ("redis", "master_name"): "other", ("redis", "partitions"): 7,
    ("redis", "sentinel_username"): "other", ("redis", "sentinel_password"): "other",
    ("redis", "sentinel_tls"): "yes",
    ("redis", "username"): "other",
    ("redis", "password"): "other", ("redis", "socket_timeout"): "77ms",
    ("redis", "connect_timeout"): "777ms", ("redis", "inflight"): 7,
    ("redis", "wait_replicas"): 7,
    ("redis", "script"): "function",
    ("control", "channel"): "other", ("control", "limits_key"): "other",
    ("control", "reload_spread"): "7s", ("control", "node_name"): "other",
    ("control", "errors_key"): "other", ("control", "errors_channel"): "other",
    ("control", "poll"): "7s", ("control", "state_dir"): "/tmp/other",
    ("control", "host"): "other", ("control", "port"): 777,
    ("control", "unix_socket_path"): "/tmp/other", ("control", "db"): 7,
    ("control", "username"): "other", ("control", "password"): "other",
    ("control", "socket_timeout"): "7s", ("control", "connect_timeout"): "77s",
    ("grpc", "headers"): "legacy", ("grpc", "charge_all"): "yes",
    ("grpc", "denied_body"): "too many",
    ("log", "level"): "debug", ("log", "format"): "json",
}


def other_settings(folder):
    """All, with TLS, and files for it."""
    authority = Authority(folder)
    certificate, key = authority.issue("DNS:other")
    settings = dict(OTHER_SETTINGS)
    settings["store", "key_secrets"] = os.path.join(folder, "secrets")
    with open(settings["store", "key_secrets"], "w", encoding="utf-8") as file:
        file.write(32 * "x" + "\n")
    settings["listen", "users"] = os.path.join(folder, "users")
    with open(settings["listen", "users"], "w", encoding="utf-8") as file:
        file.write("default nopass verbs=all keys=*\n")
    for section in "listen", "http", "admin":
        settings.update({(section, "tls"): "yes", (section, "cert_file"): certificate,
                         (section, "key_file"): key,
                         (section, "client_ca_file"): authority.path})
    for section in "redis", "control":
        settings[section, "password_file"] = None # not beside password
        settings.update({(section, "tls"): "yes", (section, "cert_file"): certificate,
                         (section, "key_file"): key, (section, "ca_file"): authority.path,
                         (section, "server_name"): "other", (section, "verify"): "no"})
    return settings


def read_dump(text):
    """{(section, name): (value, whether it is reloadable)}"""
    settings = {}
    for section, body in re.findall(r"(?m)^\[(\w+)\]\n((?:.+\n)+)", text):
        for help_line, name, value in re.findall(r"; (.*)\n(\w+) = ?(.*)\n", body):
            settings[section, name] = value, help_line.endswith(" (reloadable)")
    return settings


class SettingsTest(Fleet):
    def test_dumped_settings_are_accepted_and_dumped_the_same(self):
        others = other_settings(self.folder)
        for settings in {}, {
                section: {name: value for (its_section, name), value
                          in others.items() if value and its_section == section}
                for section, _ in others if section != "limits"}:
            files = self.not_started()
            for section, values in settings.items():
                files.settings.setdefault(section, {}).update(values)
            files.write_config()
            dump = self.run_dripgated("-c", files.config_path, "--dump-config")
            self.assertEqual((dump.returncode, dump.stderr), (0, ""))
            dumped = read_dump(dump.stdout)
            self.assertEqual(set(dumped), set(others))
            for section, values in settings.items():
                for name, value in values.items():
                    if not name.endswith("password"):
                        self.assertEqual(dumped[section, name][0], str(value))
            with open(files.config_path, "w", encoding="utf-8") as file:
                file.write(dump.stdout)
            again = self.run_dripgated("-c", files.config_path, "--dump-config")
            self.assertEqual(*(re.sub(r"(?m)^; (\(set\) )?from .*\n", "", text)
                               for text in (again.stdout, dump.stdout)))
            self.assertEqual(self.check_config(files).returncode, 0)

    def test_dumped_settings_are_accepted_wherever_they_are_kept(self):
        folder = os.path.join(self.folder, "conf")
        os.mkdir(folder)
        for name, text in ("d.ini", "[limits]\nfile = l.ini\n"), ("l.ini", FINE):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        for directory, config in (self.folder, "conf/d.ini"), (folder, "d.ini"):
            dump = self.run_dripgated("-c", config, "--dump-config", cwd=directory)
            for place in folder, self.folder:
                with open(os.path.join(place, "x.ini"), "w", encoding="utf-8") as file:
                    file.write(dump.stdout)
                result = self.run_dripgated("-c", os.path.join(place, "x.ini"), "--check")
                self.assertEqual(result.returncode, 0, result)

    def test_the_defaults_can_be_dumped_and_are_those_of_the_manual(self):
        dump = self.run_dripgated("-c", os.devnull, "--dump-config")
        dumped = {place: value for place, (value, _) in read_dump(dump.stdout).items()}
        self.assertEqual(dumped["listen", "line"], "127.0.0.1:14290")
        self.assertEqual(dumped["listen", "max_clients"], "10000")
        self.assertEqual(dumped["listen", "idle_timeout"], "5m")
        self.assertEqual(dumped["store", "max_buckets"], "1000000")
        self.assertEqual(dumped["redis", "socket_timeout"], "50ms")
        self.assertEqual(dumped["redis", "connect_timeout"], "250ms")
        self.assertEqual(dumped["limits", "file"], "/etc/dripgate/limits.ini")

    def test_settings_that_cannot_be_reloaded_are_named_in_the_log(self):
        daemon = self.daemon(settings={"log": {"level": "info"}})
        dump = read_dump(self.run_dripgated(
            "-c", daemon.config_path, "--dump-config").stdout)
        others = {place: value for place, value in other_settings(self.folder).items()
                  if value is not None}
        for (section, name), value in others.items():
            daemon.settings.setdefault(section, {})[name] = value
        daemon.write_config()
        log = daemon.reload()
        named = set(re.findall(r"\[(\w+)\] (\w+) changed: takes effect at the next", log))
        self.assertEqual(named, {place for place, (_, reloadable) in dump.items()
                                 if not reloadable and place in others})
        self.assertNotIn("password = ", log)
        self.assertTrue(daemon.ask("peek nobody").startswith("DENY limit=- "))
        self.assertTrue(daemon.ask("peek login:x").endswith(" from=memory"))

    def test_reloadable_settings_are_reloaded(self):
        daemon = self.daemon()
        other = daemon.limits_path + ".other"
        with open(other, "w", encoding="utf-8") as file:
            file.write(FINE)
        for unmatched, reply in (("error", "ERR nolimit "), ("deny", "DENY limit=- "),
                                 ("allow", "ALLOW limit=- ")):
            daemon.settings["limits"] = {"file": other, "unmatched": unmatched}
            daemon.write_config()
            daemon.reload()
            self.assertTrue(daemon.ask("consume nobody").startswith(reply))
        wait_until(lambda: "limit=fine " in daemon.ask("peek fine"), "the other file")
        daemon.settings["log"] = {"level": "error"}
        daemon.settings["limits"]["unmatched"] = "deny"
        daemon.write_config()
        before = daemon.log()
        daemon.send(signal.SIGHUP)
        wait_until(lambda: daemon.ask("peek nobody").startswith("DENY"), "the reload")
        os.unlink(other)
        self.assertIn(" error: limits not reloaded: ", daemon.reload())
        self.assertNotIn(" info: ", daemon.log()[len(before):])


class ReloadTest(Fleet):
    def test_other_limits_are_taken_over_and_buckets_stay(self):
        daemon = self.daemon(limit(capacity=5, recharge="1h"),
                             {"workers": {"count": 4}})
        daemon.ask("consume a:1 3")
        self.set_limits(daemon, limit(capacity=10, recharge="1h") + FINE)
        self.assertIn("info: reloaded: 2 limits in force", daemon.log())
        self.assertTrue(daemon.ask("peek a:1 7").startswith(
            "ALLOW limit=a level=3 capacity=10 "))
        self.set_limits(daemon, limit(capacity=2, recharge="1h"))
        self.assertTrue(daemon.ask("peek a:1").startswith(
            "DENY limit=a level=2 capacity=2 "))
        self.set_limits(daemon, limit("b", capacity=2, recharge="1h"))
        self.assertTrue(daemon.ask("peek a:1").startswith(
            "ALLOW limit=b level=0 capacity=2 "))

    def test_bad_limits_leave_the_old_ones_in_force(self):
        daemon = self.daemon(FINE, {"limits": {"unmatched": "deny"}})
        with daemon.connect() as client:
            before = client.ask_many("LIMITS")
            daemon.settings["limits"]["unmatched"] = "allow"
            daemon.write_config()
            for name in list(BAD_LIMITS)[::4]:
                text, line, complaint = BAD_LIMITS[name]
                daemon.write_limits(text)
                log = daemon.reload()
                self.assertRegex(log, r" error: (limits not reloaded: )?" + re.escape(
                    f"{daemon.limits_path}:{line}:") + r"\d+: ")
                self.assertIn(complaint, log)
                self.assertIn("; the previous 1 stay in force\n", log)
            os.unlink(daemon.limits_path)
            self.assertIn("No such file or directory", daemon.reload())
            os.mkfifo(daemon.limits_path)
            self.assertIn("not a regular file", daemon.reload())
            os.unlink(daemon.limits_path)
            daemon.write_limits("")
            self.assertIn("no limits in it", daemon.reload())
            # Nor are the settings: all of a reload, or nothing.
            self.assertTrue(client.ask("peek nobody").startswith("DENY limit=- "))
            self.assertEqual(client.ask_many("LIMITS"), before)
            self.assertEqual(daemon.stats()["reloads"], 0)
        self.set_limits(daemon, FINE)
        self.assertTrue(daemon.ask("peek nobody").startswith("ALLOW limit=- "))

    def test_each_reload_is_counted_once_good_or_bad(self):
        daemon = self.daemon(FINE, {"workers": {"count": 3}})

        def counted():
            stats = daemon.stats()
            return stats["reloads"], stats["reload_errors"]

        self.assertEqual(counted(), (0, 0))
        self.set_limits(daemon, limit() + FINE)
        self.assertEqual(counted(), (1, 0))
        daemon.write_limits("nonsense")
        daemon.reload()
        self.assertEqual(counted(), (1, 1))
        daemon.settings["listen"]["max_cleints"] = 1
        daemon.write_config()
        daemon.reload()
        self.assertEqual(counted(), (1, 2))
        del daemon.settings["listen"]["max_cleints"]
        daemon.write_config()
        self.set_limits(daemon, FINE)
        self.assertEqual(counted(), (2, 2))

    def test_all_that_is_wrong_is_said_before_what_follows(self):
        daemon = self.daemon(FINE)
        daemon.write_limits(limit(capacity=0) + limit("b", recharge=1))
        log = daemon.reload().removesuffix("\n").split("\n")
        self.assertEqual([line.partition(" ")[2].partition(": [")[0] for line in log], [
            f"error: {daemon.limits_path}:3:12", f"error: {daemon.limits_path}:8:12",
            "error: limits not reloaded: 2 errors; the previous 1 stay in force"])
        daemon.settings["listen"].update(max_cleints=1, max_clients=0)
        daemon.write_config()
        log = daemon.reload()
        self.assertIn("max_cleints: unknown", log)
        self.assertIn("max_clients: 0 is not", log)
        self.assertIn("settings not reloaded: 2 errors; the previous ones stay in force", log)

    def test_bad_settings_leave_limits_and_settings_as_they_were(self):
        daemon = self.daemon(FINE)
        daemon.settings["limits"]["unmatched"] = "deny"
        daemon.settings["listen"]["max_cleints"] = "1"
        daemon.write_config()
        daemon.write_limits(limit())
        log = daemon.reload()
        self.assertIn("not reloaded: " + daemon.config_path, log)
        self.assertIn("do you mean max_clients?", log)
        self.assertTrue(daemon.ask("peek nobody").startswith("ALLOW limit=- "))
        self.assertTrue(daemon.ask("peek a:1").startswith("ALLOW limit=- "))
        os.unlink(daemon.config_path)
        self.assertIn("No such file or directory", daemon.reload())

    def test_a_reload_under_load_shows_the_old_or_the_new_limits_and_no_error(self):
        def limits(capacity):
            return "".join(limit(f"n{i}", match=f"n{i}:*", capacity=capacity)
                           for i in range(50))

        daemon = self.daemon(limits(5), {"workers": {"count": 4}})
        over = threading.Event()
        wrong = []

        def ask_all_the_time(unix):
            with daemon.connect(unix) as client:
                while not over.is_set() and not wrong:
                    client.send("".join(f"peek n{i}:x\n" for i in range(50))
                                + "LIMITS\n" + "explain n49:x\nconsume nobody\n" * 10)
                    for i in range(50):
                        reply = client.line()
                        if not re.match(f"ALLOW limit=n{i} level=0 capacity=[57] ",
                                        reply):
                            wrong.append(reply)
                    capacities = {re.search(r"capacity=\d+", line)[0]
                                  for line in client.until_end()}
                    if len(capacities) != 1:
                        wrong.append(capacities)
                    for _ in range(10):
                        if client.until_end()[0] != "key n49:x":
                            wrong.append("explain")
                        if not client.line().startswith("ALLOW limit=- "):
                            wrong.append("unmatched")

        def ask(unix):
            try:
                ask_all_the_time(unix)
            except Exception as error: # pylint: disable=broad-except
                wrong.append(repr(error))

        threads = [threading.Thread(target=ask, args=[i % 2 == 0]) for i in range(6)]
        for thread in threads:
            thread.start()
        try:
            for i in range(60):
                if i % 10 == 9:
                    daemon.write_limits(limits(5) + limit(capacity="many"))
                    self.assertIn("not reloaded", daemon.reload())
                else:
                    daemon.write_limits(limits(7 if i % 2 == 0 else 5))
                    self.assertNotIn("not reloaded", daemon.reload())
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])

    def test_a_reload_while_redis_thinks_does_not_change_what_was_asked(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, limit(capacity=5, recharge="1h"),
                                   PATIENT)
        with daemon.connect() as client:
            client.ask("consume a:1")
            redis.send(signal.SIGSTOP)
            # The responses to all wait in one queue, behind that of Redis.
            client.send("consume a:1\nexplain nobody\nconsume nobody\nexplain a:1\n"
                        "PING\n" * 20 + "explain nobody\n")
            wait_until(lambda: daemon.stats()["unmatched"] >= 40, "the questions")
            for capacity in 6, 7, 8:
                self.set_limits(daemon, limit(capacity=capacity, recharge="1h"))
            client.send("consume a:1\n")
            redis.send(signal.SIGCONT)
            for i in range(20):
                self.assertTrue(client.line().startswith(
                    "ALLOW limit=a level=" if i < 4 else "DENY limit=a level=5 "))
                self.assertEqual(
                    client.until_end(),
                    ["key nobody", "not a: no match (prefix a:*)",
                     "limit -: no limit matches"])
                self.assertTrue(client.line().startswith("ALLOW limit=- "))
                self.assertEqual([line.split(" ")[0] for line in client.until_end()],
                                 ["key", "limit", "store", "bucket"])
                self.assertEqual(client.line(), "PONG")
            # When nothing else needs the limits of that time any more.
            self.assertEqual(client.until_end()[1], "not a: no match (prefix a:*)")
            self.assertTrue(client.line().startswith("ALLOW limit=a level=6 capacity=8 "))

    def test_many_reloads_at_once_are_survived(self):
        daemon = self.daemon(FINE)
        for _ in range(200):
            daemon.send(signal.SIGHUP)
        daemon.write_limits(limit())
        daemon.send(signal.SIGHUP)
        wait_until(lambda: daemon.ask("peek a:1").startswith("ALLOW limit=a "),
                   "the last one")


def random_limits(generator, count):
    """(text, [(name, whether a key matches)]) of limits that overlap a lot."""
    def word():
        return "".join(generator.choices("ab:", k=generator.randint(0, 4)))

    text, rules = "", []
    for i in range(count):
        kind = generator.choice(["exact", "prefix", "glob", "regex"])
        if kind == "exact":
            pattern = word() or "a"
        elif kind == "prefix":
            pattern = word() + "*"
        elif kind == "glob":
            pattern = word() + generator.choice(["?", "*", "[ab]", "[!a]"]) + word()
        else:
            pattern = "~" + generator.choice(["^", ""]) + (word() or "b") \
                + generator.choice(["$", "", ".?$", "+$"])
        if kind == "regex":
            test = re.compile(pattern[1:]).search
        else:
            test = re.compile(fnmatch.translate(pattern)).match
        text += limit(f"n{i}", match=pattern)
        rules.append((f"n{i}", test))
    return text, rules


class MatchTest(Fleet):
    def test_the_first_limit_that_matches_is_the_one(self):
        generator = random.Random(11)
        keys = ["".join(generator.choices("ab:c", k=generator.randint(1, 6)))
                for _ in range(1500)]
        daemon = self.daemon(FINE)
        for count in 1, 5, 20, 100, 100, 100:
            text, rules = random_limits(generator, count)
            self.set_limits(daemon, text)
            replies = daemon.ask(*(f"peek {key}" for key in keys))
            expected = [next((name for name, test in rules if test(key)), "-")
                        for key in keys]
            self.assertEqual([fields(reply)["limit"] for reply in replies], expected)

    def test_special_patterns(self):
        daemon = self.daemon("".join([
            limit("star", match="a\\*b"), limit("quote", match="q\\[x\\]*"),
            limit("utf8", match="~^é.$"), limit("semi", match="s;t*"),
            limit("hash", match="#*"), limit("any", match="any:?*"),
            limit("case", match="~(?i)^CASE$"), limit("all", match="*")]))
        for key, name in [("a*b", "star"), ("axb", "all"), ("q[x]", "quote"),
                          ("q[x]y", "quote"), ("qx", "all"), ("éü", "utf8"),
                          ("é", "all"), ("éüü", "all"), ("s;t1", "semi"), ("#1", "hash"),
                          ("any:", "all"), ("any:x", "any"), ("case", "case"),
                          ("cases", "all"), ("*", "all"), ("~x", "all")]:
            self.assertIn(f" limit={name} ", daemon.ask(f"peek {key}"), key)

    def test_a_regex_that_never_ends_counts_as_a_match(self):
        daemon = self.daemon(limit("evil", match="~^(a+)+$") + limit("a", match="*"))
        key = "a" * 40 + "!"
        with daemon.connect() as client:
            self.assertIn(" limit=evil ", client.ask(f"peek {key}"))
            self.assertIn("limit evil: match (regex ~^(a+)+$; too hard to try, which"
                          " counts as a match)",
                          client.ask_many(f"explain {key}"))
            self.assertIn(" limit=a ", client.ask("peek b"))

    def test_a_thousand_limits(self):
        kinds = ["k{0}", "k{0}:*", "*:k{0}", "~^k{0}[.]"]
        text = "".join(limit(f"n{i}", match=kinds[i % 4].format(i)) for i in range(1000))
        daemon = self.daemon(FINE)
        self.set_limits(daemon, text)
        keys = ["k{0}", "k{0}:x", "x:k{0}", "k{0}.x"]
        replies = daemon.ask(*(f"peek {keys[i % 4].format(i)}" for i in range(1000)))
        self.assertEqual([fields(reply)["limit"] for reply in replies],
                         [f"n{i}" for i in range(1000)])
        with daemon.connect() as client:
            listed = client.ask_many("LIMITS")
            self.assertEqual([line.split(" ")[0] for line in listed],
                             [f"n{i}" for i in range(1000)])
            passed_over = client.ask_many("explain nobody")
            self.assertEqual(len(passed_over), 1002)
        self.assertEqual(daemon.stats()["limits"], 1000)
        daemon.write_limits(text + limit(capacity="x"))
        self.assertIn(f"{daemon.limits_path}:{1000 * 4 + 3}:12: [a]: ", daemon.reload())


class AlgorithmTest(Fleet):
    def test_rates_are_recharges(self):
        text = "".join(limit(f"n{i}", recharge=None, rate=rate) for i, rate in enumerate(
            ["60/h", "10/15m", "1/s", "3/s", "1000000/s", "1/d", "1/1.5s"]))
        with self.daemon(text).connect() as client:
            recharges = [re.search(r"recharge=(\S+)", line)[1]
                         for line in client.ask_many("LIMITS")]
        # A drop more slowly rather than one too many.
        self.assertEqual(recharges, ["60.000000", "90.000000", "1.000000", "0.333334",
                                     "0.000001", "86400.000000", "1.500000"])

    def test_who_waits_for_retry_passes(self):
        daemon = self.daemon(limit(capacity=2, recharge="50ms")
                             + limit("b", match="b:*", capacity=2, recharge="10ms",
                                     block="100ms"))
        with daemon.connect() as client:
            for _ in range(5):
                for key in "a:1", "b:1":
                    reply = client.ask(f"consume {key}")
                    while reply.startswith("ALLOW"):
                        reply = client.ask(f"consume {key}")
                    retry = float(fields(reply)["retry"])
                    self.assertGreater(retry, 0)
                    self.assertLessEqual(retry, 0.1)
                    time.sleep(retry) # what the daemon promised
                    self.assertTrue(client.ask(f"consume {key}").startswith("ALLOW"))

    def test_a_block_refuses_until_it_ends_whatever_leaks(self):
        daemon = self.daemon(limit(capacity=2, recharge="140ms", block="300ms"))
        with daemon.connect() as client:
            start = time.monotonic()
            # At once, before anything leaks.
            replies = client.ask(*["consume a:1"] * 3)
            self.assertEqual([reply.split(" ")[0] for reply in replies],
                             ["ALLOW", "ALLOW", "DENY"])
            wait_until(lambda: client.ask("peek a:1").startswith("ALLOW"),
                       "the block's end")
            self.assertGreater(time.monotonic() - start, 0.3)

    def test_a_fixed_window_starts_anew_when_it_ends(self):
        daemon = self.daemon(limit(algorithm="fixed_window", recharge=None, capacity=2,
                                   window="1s"))
        with daemon.connect() as client:
            # What comes at once falls into one window.
            for _ in range(2):
                start = time.monotonic()
                replies = [fields(reply) for reply in client.ask(*["consume a:1"] * 4)]
                self.assertEqual(
                    [(reply["verdict"], reply["level"]) for reply in replies],
                    [("ALLOW", "1"), ("ALLOW", "2"), ("DENY", "2"), ("DENY", "2")])
                self.assertLessEqual(float(replies[3]["retry"]), 1)
                self.assertEqual(replies[3]["retry"], replies[3]["next"])
                end = start + float(replies[3]["retry"])
                wait_until(lambda: client.ask("peek a:1").startswith("ALLOW"),
                           "the next window")
                self.assertGreater(time.monotonic(), end - 0.01)

    def check_full(self, on_full, verdict):
        daemon = self.daemon(limit(recharge="1h"), {
            "store": {"max_buckets": 1000, "on_full": on_full},
            "workers": {"count": 4}})
        with daemon.connect() as client:
            replies = client.ask(*(f"consume a:{i}" for i in range(1000)))
            self.assertEqual({reply[:23] for reply in replies},
                             {"ALLOW limit=a level=1 c"})
            stats = daemon.stats()
            self.assertEqual((stats["memory_buckets"], stats["memory_full"]), (1000, 0))
            replies = client.ask(*(f"consume a:{i}" for i in range(1000, 1500)))
            self.assertEqual({reply.split(" next")[0] for reply in replies}, {verdict})
            # Those that are there stay, and go on.
            replies = client.ask(*(f"consume a:{i}" for i in range(1000)))
            self.assertEqual({reply[:23] for reply in replies},
                             {"ALLOW limit=a level=2 c"})
            stats = daemon.stats()
            self.assertEqual((stats["memory_buckets"], stats["memory_full"]), (1000, 500))
            # One leaves, one gets in.
            self.assertEqual(client.ask("reset a:7"), "OK")
            self.assertIn("ALLOW limit=a level=1 ", client.ask("consume a:new"))
            self.assertIn(verdict, client.ask("consume a:another"))

    def test_a_flood_of_keys_leaves_room_to_other_limits(self):
        daemon = self.daemon(
            limit("login", match="login:*", recharge="1h") +
            limit("ip", match="ip:*", recharge="1h") +
            limit("few", match="few:*", recharge="1h", max_buckets=10),
            {"store": {"max_buckets": 1000}, "workers": {"count": 2}})
        with daemon.connect() as client:
            def let(kind, count):
                replies = client.ask(*(f"consume {kind}:{i}" for i in range(count)))
                return sum(reply.startswith("ALLOW") for reply in replies)
            self.assertEqual(let("few", 30), 10)
            self.assertEqual(let("ip", 2000), 891)
            self.assertEqual(let("login", 50), 50)
            self.assertEqual(let("ip", 891), 891)
            lines = client.ask_many("LIMITS")
        self.assertEqual(["max_buckets=10 " in line for line in lines], [False, False, True])
        stats = daemon.stats()
        self.assertEqual((stats["memory_buckets"], stats["memory_full"]), (951, 1129))

    def test_a_full_table_denies_what_it_does_not_know(self):
        self.check_full("deny", "DENY limit=a level=0 capacity=5")

    def test_a_full_table_allows_if_it_is_told_to(self):
        self.check_full("allow", "ALLOW limit=a level=0 capacity=5")


if __name__ == "__main__":
    harness.main()
