"""Clients over TLS: lines, Redis's protocol, HTTP and the tool."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import warnings

import harness
from certificates import Authority
from harness import fields, wait_until

LIMITS = """
[all]
match = *
capacity = 1000000
recharge = 1h
"""


class TlsClient(harness.Client):
    """One that trusts an authority; lines as of Client."""

    def __init__(self, address, authority, pair=None):  # pylint: disable=super-init-not-called
        context = ssl.create_default_context(cafile=authority.path)
        if pair:
            context.load_cert_chain(*pair)
        plain = socket.create_connection(address, harness.PATIENCE)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.file = self.socket.makefile("rb")


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.pair = self.authority.issue("DNS:localhost,IP:127.0.0.1")

    def gate(self, sections=("listen",), limits=LIMITS, workers=1, **settings):
        certificate, key = self.pair
        tls = {"tls": "yes", "cert_file": certificate, "key_file": key, **settings}
        return self.daemon(limits, {"workers": {"count": workers},
                                    **{name: dict(tls) for name in sections}})

    def connect(self, gate, **options):
        return TlsClient(("127.0.0.1", gate.port), self.authority, **options)

    def run_fine(self, *words, text=None):
        done = subprocess.run(words, check=False, capture_output=True, text=True, input=text,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout


class ClientsTest(Case):
    def test_lines(self):
        with self.connect(self.gate()) as client:
            self.assertEqual(client.socket.version(), "TLSv1.3")
            for level in range(1, 50):
                self.assertEqual(fields(client.ask("consume a"))["level"], str(level))

    def test_many_at_once_and_in_pieces(self):
        """More than a read of ours, more than a record of TLS, and half lines."""
        gate = self.gate()
        text = b"consume a\n" * 60000
        with self.connect(gate) as client:
            client.socket.setblocking(False)
            sent, got = 0, bytearray()
            end = time.monotonic() + harness.PATIENCE
            while got.count(b"\n") < 60000 and time.monotonic() < end:
                try:
                    if sent < len(text):
                        sent += client.socket.send(text[sent:sent + 7777])
                except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    pass
                try:
                    got += client.socket.recv(1 << 16)
                except ssl.SSLWantReadError:
                    time.sleep(0.001)
        levels = [fields(line)["level"] for line in got.decode().splitlines()]
        self.assertEqual(levels, [str(i) for i in range(1, 60001)])

    def test_a_burst_is_served_without_another_byte(self):
        """Of records that lie in TLS no socket says that they are there."""
        gate = self.gate()
        with self.connect(gate) as client:
            client.ask("ping")
            gate.send(signal.SIGSTOP)
            for count in (1000, 6000):
                client.send("consume a\n" * count)
            gate.send(signal.SIGCONT)
            for level in range(1, 7001):
                self.assertIn(f" level={level} ", client.line())

    def test_a_client_that_does_not_speak_it(self):
        gate = self.gate()
        with harness.Client(("127.0.0.1", gate.port)) as client:
            client.send("consume a\n")
            said = b""
            with contextlib.suppress(ConnectionResetError):
                said = client.rest()
        self.assertNotIn(b"ALLOW", said)
        with self.connect(gate) as client:
            self.assertIn("level=1 ", client.ask("consume a"))

    def test_half_a_handshake_is_closed_after_line_timeout(self):
        """Silent, or a byte now and then; a client that is through may be silent."""
        certificate, key = self.pair
        gate = self.daemon(LIMITS, {"listen": {
            "tls": "yes", "cert_file": certificate, "key_file": key, "line_timeout": "1s"}})
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=self.authority.path)
        with self.assertRaises(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        hello = outgoing.read()
        address = "127.0.0.1", gate.port

        def connected():
            with contextlib.suppress(OSError):  # it took a second itself
                return self.connect(gate)
        through = wait_until(connected, "a whole handshake")
        before = gate.stats()["clients_idle"]
        with through, socket.create_connection(address) as silent, \
                socket.create_connection(address) as slow:
            for byte in hello[:-1]:
                try:
                    slow.send(bytes([byte]))
                except OSError:
                    break
                time.sleep(0.05)
            else:
                self.fail("the slow one was never closed")
            silent.settimeout(harness.PATIENCE)
            self.assertEqual(silent.recv(1), b"")
            self.assertEqual(through.ask("ping"), "PONG")
        self.assertEqual(gate.stats()["clients_idle"], before + 2)

    def test_a_unix_socket_is_without(self):
        self.assertIn("level=1 ", self.gate().ask("consume a"))

    def test_what_is_offered_by_alpn_is_spoken(self):
        """HTTP/2 only if gRPC was built in."""
        gate = self.gate()
        context = ssl.create_default_context(cafile=self.authority.path)
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", gate.port), harness.PATIENCE) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            speaks = client.recv(9)[3:4] == b"\4"
            self.assertEqual(client.selected_alpn_protocol(), "h2" if speaks else None)

    def test_old_versions_are_refused(self):
        gate = self.gate()
        context = ssl.create_default_context(cafile=self.authority.path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", gate.port), harness.PATIENCE) as plain:
            with self.assertRaises((ssl.SSLError, OSError)):
                context.wrap_socket(plain, server_hostname="localhost")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", gate.port), harness.PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(b"ping\n")
                self.assertEqual(client.recv(100), b"PONG\n")

    def test_redis_cli_curl_and_openssl(self):
        gate = self.gate()
        port = str(gate.port)
        said = self.run_fine("redis-cli", "--tls", "--cacert", self.authority.path,
                             "-h", "localhost", "-p", port, "CONSUME", "a", "2")
        self.assertEqual(said.split()[1], "2")
        said = self.run_fine("curl", "-sS", "--cacert", self.authority.path,
                             f"https://localhost:{port}/consume?key=a")
        self.assertIn('"level":3', said.replace(" ", ""))
        said = self.run_fine("openssl", "s_client", "-quiet", "-verify_return_error",
                             "-CAfile", self.authority.path, "-connect", f"localhost:{port}",
                             text="consume a\nquit\n")
        self.assertIn("level=4 ", said)
        self.assertIn("openssl s_client -quiet -connect", gate.log())

    def test_the_tool_trusts_the_certificate_of_the_settings(self):
        gate = self.gate()
        gate.settings["listen"].pop("unix")
        gate.write_config()
        tool = [harness.DRIPGATE, "-c", gate.config_path]
        self.assertIn("level", self.run_fine(*tool, "consume", "a"))
        self.assertIn("all", self.run_fine(*tool, "limits", "list"))
        gate.settings["listen"]["cert_file"], _ = Authority(self.folder, "other").issue("DNS:x")
        gate.write_config()
        done = subprocess.run([*tool, "consume", "a"], check=False, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("TLS: the server's certificate is refused", done.stderr)

    def test_certificates_of_clients(self):
        gate = self.gate(client_ca_file=self.authority.path)
        with self.connect(gate, pair=self.authority.issue("DNS:client")) as client:
            self.assertIn("level=1 ", client.ask("consume a"))
        with self.assertRaises(OSError), self.connect(gate) as client:
            client.send("consume a\n")
            self.assertEqual(client.line(), "", "it was served")


class LifeTest(Case):
    def test_new_certificates_and_old_connections(self):
        gate = self.gate()
        other = Authority(self.folder, "other")
        with self.connect(gate) as old:
            old.ask("consume a")
            for path, new in zip(self.pair, other.issue("DNS:localhost")):
                shutil.copy(new, path)
            gate.reload()
            with TlsClient(("127.0.0.1", gate.port), other) as new:
                self.assertIn("level=2 ", new.ask("consume a"))
            self.assertIn("level=3 ", old.ask("consume a"))
            os.truncate(self.pair[0], 20)
            self.assertIn("cert_file", gate.reload())
            with TlsClient(("127.0.0.1", gate.port), other) as new:
                self.assertIn("level=4 ", new.ask("consume a"))

    def test_the_end(self):
        """What was received is responded to, and the end is TLS's own."""
        gate = self.gate()
        with self.connect(gate) as client:
            client.send("consume a\n" * 100)
            self.assertIn("ALLOW", client.line())
            self.assertEqual(gate.stop(), 0)
            self.assertEqual(client.rest().count(b"ALLOW"), 99)

    def test_busy_clients_move_to_another_worker(self):
        gate = self.gate(workers=2)
        clients = [self.connect(gate) for _ in range(8)]
        for client in clients:
            self.addCleanup(client.close)
        levels = [0] * len(clients)
        # Those of one worker are busy.
        busy = range(0, len(clients), 2)
        end = time.monotonic() + harness.PATIENCE
        while gate.stats()["clients_moved"] == 0 and time.monotonic() < end:
            for i in busy:
                clients[i].send(f"consume {i}\n" * 200)
            for i in busy:
                for _ in range(200):
                    levels[i] += 1
                    self.assertIn(f" level={levels[i]} ", clients[i].line())
        self.assertGreater(gate.stats()["clients_moved"], 0)
        for i, client in enumerate(clients):
            self.assertIn(f" level={levels[i] + 1} ", client.ask(f"consume {i}"))


class CheckTest(Case):
    def check_refused(self, reason, *lines):
        path = os.path.join(self.folder, "check.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
        done = subprocess.run([harness.DRIPGATED, "--check", "-c", path], check=False,
                              capture_output=True, text=True)
        self.assertIn(reason, done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_files_are_checked(self):
        self.check_refused("[listen] tls: needs cert_file", "[listen]", "tls = yes")
        self.check_refused("[http] cert_file: /no/such: No such file", "[http]", "tls = yes",
                           "cert_file = /no/such")
        self.check_refused("[admin] client_ca_file: /no/such", "[admin]", "tls = yes",
                           f"cert_file = {self.pair[0]}", f"key_file = {self.pair[1]}",
                           "client_ca_file = /no/such")


if __name__ == "__main__":
    harness.main()
