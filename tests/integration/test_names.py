"""Redis by name: whatever the system's resolver finds is found, and in use soon.

The daemon runs in a mount namespace of its own, with an /etc/hosts and an
/etc/resolv.conf of the test's, and name servers of the test's at 127.53.0.*.
"""

import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import threading
import unittest

import harness
from harness import fields, wait_until

SERVER, OTHER = "127.53.0.1", "127.53.0.2"

A, AAAA = 1, 28

NAMESPACE = """
mount --bind "$1/hosts" /etc/hosts &&
mount --bind "$1/resolv.conf" /etc/resolv.conf && shift && exec "$@"
"""


def may_have_a_namespace():
    return subprocess.run(["unshare", "-m", "mount", "--bind", "/etc/hosts",
                           "/etc/hosts"], check=False, capture_output=True
                          ).returncode == 0


class NameServer:
    """Replies over UDP, or does not: names maps (name, type) to addresses, to
    None (no reply), or is asked what to do."""

    def __init__(self, address, names):
        self.names = names
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.over, self.end = os.pipe()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def close(self):
        os.close(self.end)
        self.thread.join()
        os.close(self.over)
        self.socket.close()

    def run(self):
        while True:
            ready, _, _ = select.select([self.socket, self.over], [], [])
            if self.over in ready:
                return
            data, client = self.socket.recvfrom(4096)
            reply = self.reply(data)
            if reply:
                self.socket.sendto(reply, client)

    def reply(self, data):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind, = struct.unpack(">H", data[at + 1:at + 3])
        question = data[12:at + 5]
        self.asked.append((".".join(labels), kind))
        addresses = self.names.get((".".join(labels), kind), [])
        if addresses is None:
            return None
        answers = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, 4) + socket.inet_aton(each)
            for each in addresses)
        return data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(addresses), 0, 0) \
            + question + answers


@unittest.skipUnless(may_have_a_namespace(), "needs a mount namespace")
class NamesTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("hosts", "127.0.0.1 localhost\n")
        self.write("resolv.conf", "")

    def write(self, name, text):
        # In place: the file is mounted.
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def name_server(self, address, names):
        try:
            server = NameServer(address, names)
        except PermissionError:
            self.skipTest("may not be a name server")
        self.addCleanup(server.close)
        return server

    def start(self, redis, host="redis.test", **settings):
        return self.daemon(settings={
            "store": {"type": "redis"},
            "redis": {"host": host, "port": redis.port, **settings},
            "log": {"level": "info"}},
            launcher=["unshare", "-m", "sh", "-c", NAMESPACE, "sh", self.folder])

    def is_in_use(self, daemon):
        return fields(daemon.ask("consume login:x 0"))["from"] == "redis"

    def wait_for_use(self, daemon):
        wait_until(lambda: self.is_in_use(daemon), "Redis by its name")

    def test_a_name_of_etc_hosts(self):
        self.write("hosts", "127.0.0.1 redis.test\n")
        self.wait_for_use(self.start(self.redis()))

    def test_etc_hosts_may_be_filled_in_after_the_start(self):
        daemon = self.start(self.redis())
        self.assertFalse(self.is_in_use(daemon))
        wait_until(lambda: re.search("redis redis.test:[0-9]+: look-up: ", daemon.log()),
                   "the log")
        self.write("hosts", "127.0.0.1 redis.test\n")
        self.wait_for_use(daemon)
        wait_until(lambda: "replies again" in daemon.log(), "the log")

    def test_resolv_conf_may_be_filled_in_after_the_start(self):
        self.name_server(SERVER, {("redis.test", A): ["127.0.0.1"]})
        daemon = self.start(self.redis())
        self.assertFalse(self.is_in_use(daemon))
        self.write("resolv.conf", f"nameserver {SERVER}\n")
        self.wait_for_use(daemon)

    def test_a_name_server_that_is_dead_is_passed_over(self):
        good = {("redis.test", A): ["127.0.0.1"]}
        bad = {("redis.test", A): None, ("redis.test", AAAA): None}
        for names, others in (bad, good), (good, bad):
            with contextlib.ExitStack() as stack:
                for address, each in (SERVER, names), (OTHER, others):
                    server = NameServer(address, each)
                    stack.callback(server.close)
                self.write("resolv.conf", f"nameserver {SERVER}\nnameserver {OTHER}\n"
                                          "options timeout:1\n")
                daemon = self.start(self.redis())
                self.wait_for_use(daemon)
                self.assertEqual(daemon.stop(), 0)

    def test_a_server_that_does_not_know_ipv6_is_not_waited_for(self):
        self.name_server(SERVER, {("redis.test", A): ["127.0.0.1"],
                                  ("redis.test", AAAA): None})
        self.write("resolv.conf", f"nameserver {SERVER}\noptions timeout:30\n")
        # So from its start.
        self.assertTrue(self.is_in_use(self.start(
            self.redis(), **harness.PATIENT["redis"])))

    def test_a_look_up_may_take_longer_than_an_attempt(self):
        names = {("redis.test", A): None, ("redis.test", AAAA): None}
        server = self.name_server(SERVER, names)
        self.write("resolv.conf", f"nameserver {SERVER}\noptions timeout:1\n")
        daemon = self.start(self.redis(), connect_timeout="20ms")
        wait_until(lambda: "look-up: no reply in time" in daemon.log(), "the log")
        names["redis.test", A] = ["127.0.0.1"] # of which it hears a second later
        self.wait_for_use(daemon)
        self.assertIn(("redis.test", A), server.asked)

    def test_of_two_addresses_one_is_silent(self):
        redis = self.redis()
        with socket.create_server(("127.0.0.3", redis.port), backlog=0), \
                contextlib.ExitStack() as stack:
            for _ in range(2): # fill its queue
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.3", redis.port))
            for hosts in ("127.0.0.3", "127.0.0.1"), ("127.0.0.1", "127.0.0.3"):
                self.write("hosts", "".join(f"{host} redis.test\n" for host in hosts))
                daemon = self.start(redis)
                self.wait_for_use(daemon)
                self.assertEqual(daemon.stop(), 0)
            self.write("hosts", "127.0.0.3 redis.test\n")
            daemon = self.start(redis)
            wait_until(lambda: f"redis redis.test:{redis.port}: connect to 127.0.0.3: "
                               "no reply in time" in daemon.log(), "the log")

    def test_a_refused_connection_is_named(self):
        redis = self.redis()
        self.write("hosts", "127.0.0.2 redis.test\n")
        daemon = self.start(redis)
        wait_until(lambda: f"redis redis.test:{redis.port}: connect to 127.0.0.2: "
                           "Connection refused" in daemon.log(), "the log")


class AddressTest(harness.Case):
    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "needs IPv6")
    def test_an_ipv6_address_has_brackets_or_none(self):
        redis = self.redis("--bind", "127.0.0.1", "::1")
        for host in "::1", "[::1]":
            daemon = self.daemon(settings={
                "store": {"type": "redis"},
                "redis": {"host": host, "port": redis.port,
                          **harness.PATIENT["redis"]}})
            self.assertTrue(daemon.ask("consume login:x 0").endswith("from=redis"))
            tool = subprocess.run(
                [harness.DRIPGATE, "-c", daemon.config_path, "limits", "list"],
                capture_output=True, text=True, check=False)
            self.assertNotIn("Redis at", tool.stderr)
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
