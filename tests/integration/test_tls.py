"""Redis over TLS: what is trusted, what is refused, and how the log says so."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import harness
from certificates import Authority
from harness import PATIENT, fields, free_port, wait_until

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 60s
"""


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.pair = self.authority.issue("DNS:localhost,IP:127.0.0.1")

    def server(self, *arguments, pair=None, port=None):
        """A redis-server that speaks TLS; its port."""
        certificate, key = pair or self.pair
        port = port or free_port()
        self.plain = self.redis("--tls-port", str(port), "--tls-cert-file", certificate,
                   "--tls-key-file", key, "--tls-ca-cert-file", self.authority.path,
                   "--tls-auth-clients", "no", *arguments)
        return port

    def gate(self, port, wait=True, **settings):
        settings = {"host": "127.0.0.1", "port": port, "tls": "yes",
                    "ca_file": self.authority.path, **PATIENT["redis"], **settings}
        return self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": settings},
                           wait=wait)

    def check_works(self, gate):
        self.assertIn("from=redis", gate.ask("consume login:1"))

    def check_refused(self, gate, reason):
        wait_until(lambda: reason in gate.log(), f"{reason} in {gate.log()}")
        self.assertIn("from=fallback", gate.ask("consume login:1"))


class ConnectingTest(Case):
    def test_decisions_come_over_it(self):
        gate = self.gate(self.server())
        for _ in range(20):
            self.check_works(gate)
        text = "".join(f"consume login:{i}\n" for i in range(2, 5002)).encode()
        lines = harness.converse(gate.path, *[text] * 3)
        levels = sorted(fields(line)["level"] for said in lines
                        for line in said.decode().splitlines())
        self.assertEqual(levels, ["1"] * 5000 + ["2"] * 5000 + ["3"] * 5000)

    def test_a_url(self):
        port = self.server("--requirepass", "se@same")
        self.check_works(self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": {
            **PATIENT["redis"], "url": f"rediss://:se%40same@127.0.0.1:{port}",
            "ca_file": self.authority.path}}))

    def test_a_name_is_compared(self):
        gate = self.gate(self.server(), host="localhost")
        self.check_works(gate)

    def test_a_wrong_name(self):
        pair = self.authority.issue("DNS:redis.example")
        port = self.server(pair=pair)
        self.check_refused(
            self.gate(port), "TLS: the server's certificate is refused: IP address mismatch")
        self.check_refused(
            self.gate(port, host="localhost"),
            "TLS: the server's certificate is refused: hostname mismatch")
        self.check_works(self.gate(port, server_name="redis.example"))
        self.check_works(self.gate(port, verify="no"))

    def test_a_wrong_authority(self):
        other = Authority(self.folder, "other")
        port = self.server()
        self.check_refused(self.gate(port, ca_file=other.path),
                           "TLS: the server's certificate is refused: ")
        self.check_refused(self.gate(port, ca_file=""),
                           "TLS: the server's certificate is refused: ")

    def test_a_certificate_that_has_expired(self):
        pair = self.authority.issue("IP:127.0.0.1", days=-1)
        self.check_refused(
            self.gate(self.server(pair=pair)),
            "TLS: the server's certificate is refused: certificate has expired")

    def test_a_server_that_wants_ours(self):
        port = self.server("--tls-auth-clients", "yes")
        certificate, key = self.authority.issue("DNS:gate")
        self.check_refused(self.gate(port), "TLS: ")
        self.check_works(self.gate(port, cert_file=certificate, key_file=key))
        both = os.path.join(self.folder, "both.pem")
        with open(both, "wb") as file:
            for path in (certificate, key):
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, file)
        self.check_works(self.gate(port, cert_file=both))

    def test_version_1_2(self):
        self.check_works(self.gate(self.server("--tls-protocols", "TLSv1.2")))

    def test_a_server_without_it(self):
        server = self.redis()
        gate = self.gate(server.port, connect_timeout="500ms")
        self.check_refused(gate, "(tls = no?)")
        tool = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "--timeout", "500ms",
                               "fleet"], check=False, capture_output=True, text=True)
        self.assertIn("(tls = no?)", tool.stderr)
        self.assertEqual(tool.returncode, 2)

    def test_no_tls_to_a_server_with_it(self):
        self.check_refused(self.gate(self.server(), tls="no"), "(tls = yes?)")

    def test_a_server_that_leaves_before_it_shook_hands(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def leave():
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        threading.Thread(target=leave, daemon=True).start()
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
        gate = self.gate(listener.getsockname()[1], connect_timeout="500ms")
        for _ in range(20):
            self.assertIn("from=fallback", gate.ask("consume login:1"))

    def test_a_server_that_restarts(self):
        port = self.server()
        gate = self.gate(port)
        self.check_works(gate)
        self.plain.kill()
        self.assertIn("from=fallback", gate.ask("consume login:1"))
        self.server(port=port)
        wait_until(lambda: "from=redis" in gate.ask("consume login:1"), "Redis")


class ReloadTest(Case):
    def test_files_are_read_again(self):
        trusted = os.path.join(self.folder, "trusted.pem")
        other = Authority(self.folder, "other")
        shutil.copy(other.path, trusted)
        gate = self.gate(self.server(), ca_file=trusted)
        self.check_refused(gate, "TLS: the server's certificate is refused: ")
        shutil.copy(self.authority.path, trusted)
        gate.reload()
        wait_until(lambda: "from=redis" in gate.ask("consume login:1"), "Redis")

    def test_a_bad_file_changes_nothing(self):
        trusted = os.path.join(self.folder, "trusted.pem")
        shutil.copy(self.authority.path, trusted)
        gate = self.gate(self.server(), ca_file=trusted)
        self.check_works(gate)
        os.truncate(trusted, 10)
        self.assertIn(f"settings not reloaded: [redis] ca_file: {trusted}: holds no "
                      "certificate in PEM; the previous ones stay in force", gate.reload())
        self.plain.ask("CLIENT", "KILL", "TYPE", "normal")
        wait_until(lambda: "from=redis" in gate.ask("consume login:1"), "Redis")


class CheckTest(Case):
    def check(self, *settings):
        path = os.path.join(self.folder, "check.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(["[limits]", "file = limits.ini", "[redis]", "tls = yes",
                                  *settings, ""]))
        with open(os.path.join(self.folder, "limits.ini"), "w", encoding="utf-8") as file:
            file.write(LIMITS)
        return subprocess.run([harness.DRIPGATED, "--check", "-c", path], check=False,
                              capture_output=True, text=True)

    def check_refused(self, reason, *settings):
        done = self.check(*settings)
        self.assertIn(reason, done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_files_are_checked(self):
        certificate, key = self.pair
        _, other = self.authority.issue("DNS:other")
        folder = self.authority.folder
        self.check_refused(f"[redis] ca_file: {folder}: Is a directory", f"ca_file = {folder}")
        self.check_refused("[redis] ca_file: /no/such: No such file", "ca_file = /no/such")
        self.check_refused(f"ca_file: {key}: holds no certificate in PEM", f"ca_file = {key}")
        self.check_refused("key_file: has no cert_file beside it", f"key_file = {key}")
        self.check_refused(f"cert_file: {certificate}: holds no private key",
                           f"cert_file = {certificate}")
        self.check_refused(f"key_file: {other}: is not the key of the certificate",
                           f"cert_file = {certificate}", f"key_file = {other}")
        self.check_refused("key_file: /no/such: No such file", f"cert_file = {certificate}",
                           "key_file = /no/such")
        self.check_refused("cert_file: /no/such: No such file", "cert_file = /no/such")
        self.check_refused("tls: over a Unix socket it needs server_name, or verify = no",
                           "unix_socket_path = /run/redis.sock")

    def test_files_without_tls_are_warned_of(self):
        certificate, key = self.pair
        for section, name, path in (("control", "ca_file", self.authority.path),
                                    ("listen", "cert_file", certificate),
                                    ("http", "client_ca_file", self.authority.path),
                                    ("http", "key_file", key)):
            done = self.check(f"[{section}]", f"{name} = {path}")
            self.assertIn(f"[{section}]: files of TLS have no effect without tls = yes",
                          done.stderr)
            self.assertEqual(done.returncode, 0)

    def test_a_key_with_a_passphrase(self):
        certificate, key = self.pair
        locked = os.path.join(self.folder, "locked.key")
        self.authority.run("pkcs8", "-topk8", "-in", key, "-out", locked,
                           "-passout", "pass:secret")
        self.check_refused("holds no private key in PEM without a passphrase",
                           f"cert_file = {certificate}", f"key_file = {locked}")

    def test_a_relative_path_starts_at_the_file(self):
        done = self.check("ca_file = ca/ca.pem")
        self.assertEqual(done.returncode, 0, done.stderr)


class ControlTest(Case):
    def test_limits_fleet_and_tool(self):
        port = self.server()
        gate = self.daemon(LIMITS, {
            "limits": {"source": "redis", "allow_empty": "yes"},
            "store": {"type": "redis"},
            "redis": {"host": "localhost", "port": port, "tls": "yes",
                      "ca_file": self.authority.path, **PATIENT["redis"]}})

        def tool(*words, status=0):
            done = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, *words],
                                  check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, status, done.stderr)
            return done.stdout + done.stderr

        many = "".join(f"[l{i}]\nmatch = {i}:*\ncapacity = 1\nrecharge = 1s\n"
                       for i in range(3000))
        gate.write_limits(many)
        tool("limits", "load", gate.limits_path, "--immediate")
        wait_until(lambda: "limit=l2999" in gate.ask("consume 2999:1"), "the limits")
        self.assertIn("l2999", tool("limits", "list", "--redis"))
        # What it reports comes after what it does, and a pong within a second, or not.
        wait_until(lambda: "current" in self.tool_says(gate, "fleet"), "the report")
        wait_until(lambda: "ms\n" in self.tool_says(gate, "nodes"), "a pong")

    @staticmethod
    def tool_says(gate, *words):
        return subprocess.run([harness.DRIPGATE, "-c", gate.config_path, *words],
                              check=False, capture_output=True, text=True).stdout

    def tool_of(self, port, *words):
        path = os.path.join(self.folder, "tool.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[store]\ntype = redis\n[redis]\nport = {port}\ntls = yes\n"
                       f"host = 127.0.0.1\nca_file = {self.authority.path}\n")
        return subprocess.run([harness.DRIPGATE, "-c", path, "--timeout", "500ms",
                               *words], check=False, capture_output=True, text=True)

    def listener(self):
        """A port where the test itself is the server."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return listener, listener.getsockname()[1]

    def test_the_tool_waits_for_no_handshake_for_ever(self):
        _, port = self.listener()
        done = self.tool_of(port, "fleet")
        self.assertEqual(done.returncode, 2)
        self.assertIn("TLS: no reply to the handshake in time", done.stderr)

    def test_the_tool_is_told_of_a_server_that_leaves(self):
        """At once, or once it shook hands: it is none without TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair)
        listener, port = self.listener()
        for shakes_hands in False, True:
            ends = threading.Event()

            def leave(shakes_hands=shakes_hands, ends=ends):
                while not ends.is_set():
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        if shakes_hands:
                            context.wrap_socket(client, server_side=True).close()

            thread = threading.Thread(target=leave, daemon=True)
            thread.start()
            done = self.tool_of(port, "fleet")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"Redis at 127.0.0.1:{port}: ", done.stderr)
            self.assertNotIn("tls = yes?", done.stderr)
            ends.set()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
            thread.join(harness.PATIENCE)

    def test_the_tool_cannot_load_into_a_server_that_does_not_read(self):
        """What is to be sent is more than the kernel takes."""
        port = self.server()
        gate = self.gate(port)
        gate.write_limits("".join(
            f"[l{i}]\nmatch = {i}:{'x' * 200}*\ncapacity = 1\nrecharge = 1s\n"
            for i in range(10000)))

        def load():
            """What it says when it fails; none if it was done before the server halted."""
            link = subprocess.Popen(
                [harness.DRIPGATE, "-c", gate.config_path, "--timeout", "2s", "limits", "load",
                 gate.limits_path, "--force"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True)
            self.plain.send(signal.SIGSTOP)
            try:
                _, said = link.communicate(timeout=harness.PATIENCE)
            finally:
                self.plain.send(signal.SIGCONT)
            self.assertEqual(link.returncode, 2 if said else 0)
            return said

        self.assertRegex(wait_until(load, "a failure"), "no reply(| to the handshake) in time")

    def test_the_tool_says_what_is_wrong(self):
        other = Authority(self.folder, "other")
        gate = self.gate(self.server(), ca_file=other.path)
        done = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "fleet"],
                              check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("TLS: the server's certificate is refused: ", done.stderr)


if __name__ == "__main__":
    harness.main()
