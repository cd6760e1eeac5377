"""gRPC: Envoy's rate limit service and gRPC's health service."""

import base64
import os
import signal
import ssl
import struct
import subprocess

import harness
import http2
from certificates import Authority
from http2 import descriptor, field, fields, frame

LIMITS = """
[ip]
match = web/remote_address=*
capacity = 3
rate = 3/m

[path]
match = web/path=*
capacity = 10
recharge = 1h

[hidden]
match = web/hidden=*
capacity = 1
recharge = 1h
shadow = yes

[calls]
match = calls/*
capacity = 100000
recharge = 1h
"""
OK, OVER_LIMIT = 1, 2


def ip(address="192.0.2.1", **more):
    return descriptor(("remote_address", address), **more)


def path(name, **more):
    return descriptor(("path", name), **more)


def outcome(call):
    """The overall code, and (code, limit, remaining) of each descriptor."""
    assert call.code == 0, call.headers
    message = fields(call.message)
    statuses = [dict(fields(value)) for number, value in message if number == 2]
    return dict(message)[1], [
        (status[1], dict(fields(status[2]))[1] if 2 in status else None, status.get(3, 0))
        for status in statuses]


class GrpcTest(harness.Case):
    def start(self, settings=None, limits=LIMITS, client_settings=((1, 0),)):
        self.gate = self.daemon(limits, settings)
        return self.client(client_settings)

    def client(self, settings=((1, 0),)):
        client = http2.Client(("127.0.0.1", self.gate.port), settings)
        self.addCleanup(client.close)
        return client

    def level(self, key):
        return harness.fields(self.gate.ask(f"peek {key}"))["level"]

    def test_descriptors_become_keys(self):
        client = self.start()
        self.assertEqual(outcome(client.limit("web", ip())), (OK, [(OK, 3, 2)]))
        self.assertEqual(self.level("web/remote_address=192.0.2.1"), "1")
        client.limit("calls", descriptor(("a=b/c", "1/2 %=\x01"), ("alone", "")))
        self.assertEqual(self.level("calls/a%3Db%2Fc=1%2F2%20%25=%01/alone"), "1")

    def test_a_key_is_cut_at_512_bytes(self):
        client = self.start()
        client.limit("calls", descriptor(("x", "y" * 600)))
        self.assertEqual(outcome(client.limit("calls", descriptor(("x", "y" * 700)))),
                         (OK, [(OK, 100000, 99998)]))

    def test_all_are_charged_or_none(self):
        client = self.start()
        for left in (2, 1, 0):
            self.assertEqual(outcome(client.limit("web", ip(), path("a"))),
                             (OK, [(OK, 3, left), (OK, 10, left + 7)]))
        code, (first, second) = outcome(client.limit("web", ip(), path("a")))
        self.assertEqual((code, first), (OVER_LIMIT, (OVER_LIMIT, 3, 0)))
        self.assertEqual(second[:2], (OK, 10))
        self.assertEqual(self.level("web/path=a"), "3")

    def test_a_response_says_unit_name_and_reset(self):
        client = self.start()
        for _ in range(4):
            call = client.limit("web", ip())
        status = dict(fields(dict(fields(call.message))[2]))
        self.assertEqual(dict(fields(status[2])), {1: 3, 2: 2, 3: b"ip"})
        self.assertIn(dict(fields(status[4]))[1], (18, 19))

    def test_hits(self):
        client = self.start()

        def ask(more, of_descriptor=b""):
            message = http2.limit_request("web", path("h", more=of_descriptor), more=more)
            return outcome(client.call(http2.LIMIT, message))

        def hits(number):
            return field(3, field(1, number) if number else b"")

        self.assertEqual(ask(field(3, 4)), (OK, [(OK, 10, 6)]))
        self.assertEqual(ask(field(3, 0)), (OK, [(OK, 10, 5)]))
        self.assertEqual(ask(field(3, 4), hits(2)), (OK, [(OK, 10, 3)]))
        self.assertEqual(ask(b"", hits(0)), (OK, [(OK, 10, 3)]))
        self.assertEqual(ask(b"", hits(5) + field(4, 1)), (OK, [(OK, 10, 8)]))
        self.assertEqual(ask(field(3, 4000000000))[0], OVER_LIMIT)

    def test_equal_descriptors_add_up(self):
        client = self.start()
        self.assertEqual(outcome(client.limit("web", ip(), ip())),
                         (OK, [(OK, 3, 1), (OK, 3, 1)]))

    def test_what_has_no_limit_or_only_a_shadow_passes(self):
        client = self.start()
        self.assertEqual(outcome(client.limit("else", ip())), (OK, [(OK, None, 0)]))
        self.assertEqual(outcome(client.limit("web", ip(), descriptor(("x", "y")))),
                         (OK, [(OK, 3, 2), (OK, None, 0)]))
        for _ in range(3):
            code, statuses = outcome(client.limit("web", descriptor(("hidden", "1"))))
        self.assertEqual((code, statuses[0][0]), (OK, OK))

    def test_fields_in_any_order(self):
        client = self.start()
        message = field(9, b"new") + field(2, ip()) + field(3, 2) + field(1, "web")
        self.assertEqual(outcome(client.call(http2.LIMIT, message)), (OK, [(OK, 3, 1)]))

    def test_errors(self):
        client = self.start()
        many = [ip(str(i)) for i in range(17)]
        for call, code, text in (
                (client.limit("", ip()), 2, "rate limit domain must not be empty"),
                (client.limit("web"), 2, "rate limit descriptor list must not be empty"),
                (client.limit("web", *many), 2, "more than 16 descriptors"),
                (client.call(http2.LIMIT, b"\xff\xff"), 2, "not a RateLimitRequest"),
                (client.call("/x.Y/Z", b""), 12, "there is no such method"),
                (client.call(http2.HEALTH, field(1, "x")), 5, "unknown service"),
                (client.limit("web", ip(), content_type="text/plain"), 13,
                 "content-type must be application/grpc"),
                (client.limit("web", ip(), grpc_timeout="x"), 13, "grpc-timeout is no time"),
                (client.limit("web", ip(), grpc_timeout="1n"), 4, "came too late"),
                (client.call(http2.LIMIT, b"x" * 66000), 8,
                 "messages are longer than 65536 bytes")):
            self.assertEqual((call.code, call.headers["grpc-message"]), (code, text))
        self.assertEqual(self.level("web/remote_address=192.0.2.1"), "0")
        self.assertEqual(outcome(client.limit("web", ip(), grpc_timeout="5S"))[0], OK)

    def test_a_message_of_64_kib(self):
        client = self.start()
        rest = b"x" * (65536 - len(http2.limit_request("web", ip())) - 4)
        message = http2.limit_request("web", ip(), more=field(9, rest))
        self.assertEqual(len(message), 65536)
        stream, data = client.call_bytes(http2.LIMIT, message)
        client.send(data[:30000])  # the rest once the daemon has made room
        client.send(data[30000:])
        self.assertEqual(outcome(client.wait(stream)), (OK, [(OK, 3, 2)]))

    def test_health(self):
        client = self.start()
        self.assertEqual(fields(client.call(http2.HEALTH, b"").message), [(1, 1)])
        self.assertEqual(client.call(http2.HEALTH, field(1, "grpc.health.v1.Health")).code, 0)

    def test_health_on_fallback(self):
        client = self.start({"store": {"type": "redis"}, "admin": {"ready_on_fallback": "no"},
                             "redis": {"unix_socket_path": os.path.join(self.folder, "none")}})
        self.assertEqual(fields(client.call(http2.HEALTH, b"").message), [(1, 2)])

    def test_many_streams_at_once_are_taken_in_order(self):
        client = self.start()
        data = [client.call_bytes(http2.LIMIT, http2.limit_request("calls", ip()))
                for _ in range(100)]
        client.send(b"".join(piece for _, piece in data))
        left = [outcome(client.wait(stream))[1][0][2] for stream, _ in data]
        self.assertEqual(left, list(range(99999, 99899, -1)))

    def test_byte_by_byte(self):
        client = self.start()
        stream, data = client.call_bytes(http2.LIMIT, http2.limit_request("web", ip()))
        for i in range(len(data)):
            client.send(data[i:i + 1])
        self.assertEqual(outcome(client.wait(stream)), (OK, [(OK, 3, 2)]))

    def test_a_client_without_a_window_gets_its_response_once_it_has_one(self):
        client = self.start(client_settings=((1, 0), (4, 0)))
        stream, data = client.call_bytes(http2.LIMIT, http2.limit_request("web", ip()))
        client.send(data + frame(http2.PING, 0, 0, b"12345678"))
        while not client.pongs:
            client.read_frame()
        client.send(frame(http2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 1000)))
        self.assertEqual(outcome(client.wait(stream)), (OK, [(OK, 3, 2)]))

    def test_a_call_that_was_given_up_is_not_taken_nor_in_the_way(self):
        client = self.start()
        stream, data = client.call_bytes(http2.LIMIT, http2.limit_request("web", ip()))
        client.send(data + frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8)))
        self.assertEqual(outcome(client.limit("web", ip())), (OK, [(OK, 3, 2)]))

    def flood(self, data, count, codes=(11,)):
        """The daemon closes the client, and serves others."""
        client = self.start()
        try:
            for i in range(count):
                client.send(data(i))
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.read_to_end()
        if client.goaway:
            self.assertIn(client.goaway[1], codes)
        self.assertEqual(outcome(self.client().limit("web", ip()))[0], OK)

    def test_floods_end(self):
        request = http2.limit_request("calls", ip())
        head = http2.Client.headers(http2.LIMIT)
        body = struct.pack(">BI", 0, len(request)) + request

        def reset(i):
            stream = 2 * i + 1
            return frame(http2.HEADERS, http2.END_HEADERS, stream, head) + \
                frame(http2.DATA, 0, stream, body) + \
                frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8))

        for name, data in (
                ("ping", lambda i: frame(http2.PING, 0, 0, b"12345678")),
                ("settings", lambda i: frame(http2.SETTINGS, 0, 0)),
                ("empty data", lambda i: (frame(http2.HEADERS, 4, 1, head) if i == 0 else
                                          frame(http2.DATA, 0, 1))),
                ("reset", reset),
                ("streams", lambda i: frame(http2.HEADERS, 4, 2 * i + 1, head)),
                ("continuation", lambda i: frame(http2.CONTINUATION, 0, 1, b"") if i else
                 frame(http2.HEADERS, 0, 1, head))):
            with self.subTest(name):
                self.flood(data, 20000, (2, 7, 11))

    def test_what_is_no_http2_ends_the_connection(self):
        client = self.start()
        client.send(frame(http2.DATA, 0, 0, b"x"))
        client.read_to_end()
        self.assertEqual(client.goaway, (0, 1))

    def test_drain_says_goaway(self):
        client = self.start()
        self.assertEqual(outcome(client.limit("web", ip()))[0], OK)
        self.gate.send(signal.SIGTERM)
        client.read_to_end()
        self.assertEqual(client.goaway, (1, 0))
        self.assertEqual(self.gate.wait(), 0)

    def test_tls(self):
        authority = Authority(self.folder)
        certificate, key = authority.issue("IP:127.0.0.1")
        self.gate = self.daemon(LIMITS, {"listen": {
            "tls": "yes", "cert_file": certificate, "key_file": key}})
        context = ssl.create_default_context(cafile=authority.path)

        def connect(*protocols):
            context.set_alpn_protocols(protocols)
            return http2.Client(("127.0.0.1", self.gate.port), wrap=lambda socket:
                                context.wrap_socket(socket, server_hostname="127.0.0.1"))

        for protocols, chosen in ((("grpc-exp", "h2"), "h2"),
                                  (("h2", "http/1.1"), "http/1.1"), (("x",), None)):
            client = connect(*protocols)
            self.addCleanup(client.close)
            self.assertEqual(client.socket.selected_alpn_protocol(), chosen)
            self.assertEqual(outcome(client.limit("web", ip()))[0], OK)

    def test_users(self):
        secret = subprocess.run([harness.DRIPGATE, "hash"], check=True, input="s3cret\n",
                                text=True, capture_output=True).stdout.strip()
        users = os.path.join(self.folder, "users")
        with open(users, "w", encoding="utf-8") as file:
            file.write(f"web {secret} verbs=decide keys=web/*\n")
        client = self.start({"listen": {"users": users}})
        login = "Basic " + base64.b64encode(b"web:s3cret").decode()
        self.assertEqual(client.limit("web", ip()).code, 16)
        self.assertEqual(client.limit("calls", ip(), authorization=login).code, 7)
        self.assertEqual(outcome(client.limit("web", ip(), authorization=login))[0], OK)
        self.assertEqual(client.limit("web", ip()).code, 16)

    def test_limits_in_redis(self):
        redis = self.redis()
        self.gate = self.redis_daemon(redis, LIMITS)
        self.redis_level(self.gate, "calls/1")
        client = self.client()
        for left in (2, 1, 0):
            self.assertEqual(outcome(client.limit("web", ip(), path("a"))),
                             (OK, [(OK, 3, left), (OK, 10, left + 7)]))
        code, (first, _) = outcome(client.limit("web", ip(), path("a")))
        self.assertEqual((code, first), (OVER_LIMIT, (OVER_LIMIT, 3, 0)))
        self.assertEqual(self.level("web/path=a"), "3")


if __name__ == "__main__":
    harness.main()
