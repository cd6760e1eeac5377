"""gRPC: Envoy's rate limit service and gRPC's health service."""

import base64
import json
import os
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import unittest

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
ROUTES = """
[route:plan]
method = GET
host = example.com
path = /api/*
header.x-plan = free
keys = user:$query.user

[route:required]
path = /required
keys = user:$query.user
required = yes

[route:ip]
path = /ip
keys = ip:$client

[plan]
match = user:*
capacity = 2
rate = 2/m

[ip]
match = ip:*
capacity = 10
recharge = 1h
"""
OK, OVER_LIMIT = 1, 2
MINUTE, HOUR = 2, 3
SERVICES = ["envoy.service.auth.v3.Authorization", "envoy.service.ratelimit.v3.RateLimitService", "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


def override(count, unit):
    """The limit that a descriptor brings along."""
    return field(2, (field(1, count) if count else b"") + field(2, unit))


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
        self.assertIn(dict(fields(status[4]))[1], range(20))

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

    def test_a_descriptor_brings_its_limit_along(self):
        client = self.start()
        week, year = 7, 6
        for unit in (0, year, 9):
            call = client.limit("web", ip(more=override(3, unit)))
            self.assertEqual((call.code, call.headers["grpc-message"]), (
                2, "the limit of a descriptor needs a unit, at most a month"))
        for left in (1, 0):
            call = client.limit("web", ip(more=override(2, MINUTE)), path("a"))
            self.assertEqual(outcome(call), (OK, [(OK, 2, left), (OK, 10, left + 8)]))
        self.assertEqual(dict(fields(dict(fields(dict(fields(client.limit(
            "web", ip(more=override(7, HOUR))).message))[2]))[2]))[2], HOUR)
        # Denied: neither is charged.
        code, statuses = outcome(client.limit("web", ip(more=override(2, MINUTE)), path("a")))
        self.assertEqual((code, statuses[0], statuses[1][0]),
                         (OVER_LIMIT, (OVER_LIMIT, 2, 0), OK))
        self.assertEqual(self.level("web/path=a"), "2")
        # Each override has a bucket of its own, and the limit of the key its one.
        for limit in override(2, HOUR), override(3, MINUTE), override(4, week):
            self.assertEqual(outcome(client.limit("web", ip(more=limit)))[0], OK)
        self.assertEqual(outcome(client.limit("web", ip())), (OK, [(OK, 3, 2)]))
        # Equal ones add up; one of none denies.
        self.assertEqual(outcome(client.limit("web", *2 * [ip("x", more=override(9, 1))])),
                         (OK, [(OK, 9, 7)] * 2))
        self.assertEqual(outcome(client.limit("web", ip("x", more=override(0, 1)), path("a")))[0],
                         OVER_LIMIT)
        self.assertEqual(outcome(client.limit("web", ip("x", more=override(4000000000, 1))))[0],
                         OK)

    def test_a_limit_that_comes_along_has_the_bucket_of_cl_throttle(self):
        client = self.start()
        client.limit("web", ip(more=override(5, MINUTE)))
        with harness.RedisClient(self.gate.path) as other:
            self.assertEqual(other.ask("CL.THROTTLE", "web/remote_address=192.0.2.1//5/minute",
                                       4, 5, 60)[:3], [0, 5, 3])

    def test_limits_that_come_along_may_be_forbidden(self):
        client = self.start({"listen": {"allow_inline_limits": "no"}})
        self.assertEqual(outcome(client.limit("web", ip(more=override(9, MINUTE)))),
                         (OK, [(OK, 3, 2)]))

    def test_a_long_key_keeps_the_limit_that_comes_along(self):
        client = self.start()
        for end in "y", "z":
            for limit in override(5, MINUTE), override(6, MINUTE):
                code, ((_, capacity, left),) = outcome(client.limit("calls", descriptor(
                    ("x", 600 * "y" + end), more=limit)))
                self.assertEqual((code, left), (OK, capacity - 1 - (end == "z")))

    def test_all_are_charged(self):
        for store in "memory", "redis":
            with self.subTest(store):
                if store == "redis":
                    self.gate = self.redis_daemon(self.redis(), LIMITS,
                                                  {"grpc": {"charge_all": "yes"}})
                    self.redis_level(self.gate, "calls/1")
                    client = self.client()
                else:
                    client = self.start({"grpc": {"charge_all": "yes"}})
                for left in (2, 1, 0):
                    self.assertEqual(outcome(client.limit("web", ip(), path("a"))),
                                     (OK, [(OK, 3, left), (OK, 10, left + 7)]))
                for left in (6, 5):
                    self.assertEqual(outcome(client.limit("web", ip(), path("a"))),
                                     (OVER_LIMIT, [(OVER_LIMIT, 3, 0), (OK, 10, left)]))
                self.assertEqual(self.level("web/path=a"), "5")
                self.assertEqual(outcome(client.limit("web", path("a"), ip("192.0.2.2"))),
                                 (OK, [(OK, 10, 4), (OK, 3, 2)]))
                self.assertEqual(self.gate.stats()["denied"], 2)

    def test_headers_for_envoy_to_add(self):
        def headers(call):
            return {name.decode(): value.decode() for name, value in (
                (dict(fields(header))[1], dict(fields(header))[2])
                for number, header in fields(call.message) if number == 3)}

        client = self.start()
        self.assertEqual(headers(client.limit("web", ip())), {})
        client = self.start({"grpc": {"headers": "all"}})
        self.assertEqual(headers(client.limit("web", ip(), path("a"))), {
            "ratelimit-policy": '"ip";q=3;w=60', "ratelimit": '"ip";r=2;t=20',
            "x-ratelimit-limit": "3", "x-ratelimit-remaining": "2", "x-ratelimit-reset": "20",
            "x-dripgate-from": "memory"})
        client.limit("web", ip(more=field(3, field(1, 2))))
        denied = headers(client.limit("web", ip()))
        self.assertIn(int(denied["retry-after"]), range(1, 21))
        self.assertEqual(denied["x-ratelimit-remaining"], "0")
        client = self.start({"grpc": {"headers": "legacy"}})
        self.assertEqual(list(headers(client.limit("web", ip()))), [
            "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
            "x-dripgate-from"])
        self.assertEqual(headers(client.limit("else", ip())), {"x-dripgate-from": "none"})

    def test_a_body_for_envoy_to_respond_with(self):
        def body(call):
            return dict(fields(call.message)).get(5)

        client = self.start({"grpc": {"denied_body": '"Slow down, please."'}})
        self.assertIsNone(body(client.limit("web", ip(more=field(3, field(1, 3))))))
        self.assertEqual(body(client.limit("web", ip())), b"Slow down, please.")
        client = self.start()
        self.assertIsNone(body(client.limit("web", ip(more=field(3, field(1, 3))))))
        self.assertIsNone(body(client.limit("web", ip())))

    def test_equal_descriptors_add_up(self):
        client = self.start()
        self.assertEqual(outcome(client.limit("web", ip(), ip())),
                         (OK, [(OK, 3, 1), (OK, 3, 1)]))

    def test_descriptors_that_a_limit_normalizes_get_their_figures(self):
        client = self.start(limits=LIMITS.replace("rate = 3/m", "rate = 3/m\nnormalize = ip"))
        self.assertEqual(outcome(client.limit("web", ip("2001:DB8::1"))), (OK, [(OK, 3, 2)]))
        self.assertEqual(outcome(client.limit("web", ip("0:0::1"), path("p"), ip("::1"), ip("2001:db8:0::1"))),
                         (OK, [(OK, 3, 1), (OK, 10, 9), (OK, 3, 1), (OK, 3, 1)]))
        self.assertEqual(outcome(client.limit("web", ip("0::1"), ip("::1"))),
                         (OVER_LIMIT, [(OVER_LIMIT, 3, 0), (OVER_LIMIT, 3, 0)]))

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
                (client.limit("web", ip(), content_type="application/grpc+json"), 13,
                 "content-type must be application/grpc"),
                *((client.limit("web", ip(), grpc_timeout=timeout), 13,
                   "grpc-timeout is no time") for timeout in ("S", "1d", "x1S", "123456789S")),
                (client.limit("web", ip(), authorization="x" * 513), 16,
                 "authorization is no login"),
                (client.limit("web", ip(), grpc_timeout="1n"), 4, "came too late"),
                (client.call(http2.LIMIT, b"x" * 66000), 8,
                 "messages are longer than 65536 bytes")):
            self.assertEqual((call.code, call.headers["grpc-message"]), (code, text))
        self.assertEqual(self.level("web/remote_address=192.0.2.1"), "0")
        self.assertEqual(outcome(client.limit("web", ip(), grpc_timeout="5S"))[0], OK)

    def test_types_of_messages(self):
        client = self.start()
        for kind in "application/grpc", "application/grpc;a=b", "application/grpc+proto":
            self.assertEqual(outcome(client.limit("web", ip(kind), content_type=kind))[0], OK)

    def test_a_call_may_end_with_trailers(self):
        client = self.start()
        stream = client.open(http2.LIMIT)
        client.send(client.message_bytes(stream, http2.limit_request("web", ip())) + frame(
            http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream,
            http2.literal("grpc-timeout", "0n") + http2.literal("authorization", "x")))
        self.assertEqual(outcome(client.wait(stream)), (OK, [(OK, 3, 2)]))

    def test_frames_that_are_no_message(self):
        client = self.start()
        for path, data, code in ((http2.LIMIT, b"\0\0", 13), (http2.LIMIT, b"", 13),
                                 (http2.LIMIT, b"\1\0\0\0\0", 12),
                                 (http2.REFLECTION, b"\1\0\0\0\0", 12),
                                 (http2.REFLECTION, b"\0\0", 13)):
            stream = client.open(path)
            client.send(frame(http2.DATA, http2.END_STREAM, stream, data))
            self.assertEqual(client.wait(stream).code, code, data)
        login = http2.literal("authorization", "Basic YTpi")
        client.send(frame(http2.HEADERS, http2.END_HEADERS, client.next,
                          client.headers(http2.LIMIT) + login + login))
        client.calls[client.next] = http2.Call()
        self.assertEqual(client.wait(client.next).code, 16)

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

    def test_watch_tells_of_each_change(self):
        redis = self.redis()
        self.gate = self.redis_daemon(redis, LIMITS, {"admin": {"ready_on_fallback": "no"}})
        self.redis_level(self.gate, "calls/1")
        client = self.client()
        stream, unknown = client.begin(http2.WATCH, b""), client.begin(http2.WATCH, field(1, "x"))
        self.assertEqual([fields(client.wait_message(number, 0)) for number in (stream, unknown)],
                         [[(1, 1)], [(1, 3)]])
        since = self.gate.stats()["uptime_seconds"]
        harness.wait_until(lambda: self.gate.stats()["uptime_seconds"] > since + 1, "two looks")
        redis.kill()
        self.assertEqual(fields(client.wait_message(stream, 1)), [(1, 2)])
        # Other calls are not in the way, nor is the watch in theirs.
        self.assertEqual(client.limit("web", ip()).code, 0)
        self.redis(port=redis.port, path=redis.path)
        self.assertEqual(fields(client.wait_message(stream, 2)), [(1, 1)])
        self.gate.send(signal.SIGTERM)
        self.assertEqual([fields(message) for message in client.wait(stream).messages[3:]],
                         [[(1, 2)]])
        self.assertEqual([client.wait(number).code for number in (stream, unknown)], [14, 14])
        self.assertEqual(len(client.calls[unknown].messages), 1)
        self.assertEqual(self.gate.wait(), 0)

    def test_watches_are_bounded(self):
        client = self.start()
        streams = [client.begin(http2.WATCH, b"") for _ in range(8)]
        self.assertEqual([fields(client.wait_message(stream, 0)) for stream in streams],
                         8 * [[(1, 1)]])
        call = client.call(http2.WATCH, b"")
        self.assertEqual((call.code, call.headers["grpc-message"]), (8, "more than 8 watches"))
        client.send(frame(http2.RST_STREAM, 0, streams[0], struct.pack(">I", 8)))
        self.assertEqual(fields(client.wait_message(client.begin(http2.WATCH, b""), 0)), [(1, 1)])

    def test_a_watch_is_idle(self):
        # Longer than a client may be kept from beginning it.
        client = self.start({"listen": {"idle_timeout": "3s", "line_timeout": "3s"}})
        client.wait_message(client.begin(http2.WATCH, b""), 0)
        client.read_to_end()
        self.assertEqual(self.gate.stats()["clients_idle"], 1)

    def test_health_on_fallback(self):
        client = self.start({"store": {"type": "redis"}, "admin": {"ready_on_fallback": "no"},
                             "redis": {"unix_socket_path": os.path.join(self.folder, "none")}})
        self.assertEqual(fields(client.call(http2.HEALTH, b"").message), [(1, 2)])

    def test_reflection(self):
        client = self.start()
        for path in http2.REFLECTION, http2.REFLECTION.replace("v1", "v1alpha"):
            stream = client.open(path)

            def ask(request, number, stream=stream):
                """The field of that number of the response."""
                response = fields(client.ask(stream, request))
                self.assertEqual(response[1], (2, request))
                self.assertEqual(response[2][0], number)
                return response[2][1]

            services = [dict(fields(value))[1].decode()
                        for _, value in fields(ask(field(7, ""), 6))]
            self.assertEqual(sorted(services), SERVICES)
            files = {}
            for service in services:
                file = fields(dict(fields(ask(field(4, service), 4)))[1])
                files[dict(file)[1].decode()] = file
            for name, file in list(files.items()):
                for number, wanted in file:
                    if number == 3 and wanted.decode() not in files:
                        found = fields(dict(fields(ask(field(3, wanted), 4)))[1])
                        self.assertEqual(found[0], (1, wanted))
                        files[wanted.decode()] = found
                self.assertEqual(dict(fields(dict(fields(ask(field(3, name), 4)))[1]))[1].decode(),
                                 name)
            self.assertEqual(dict(files["google.proto"])[2], b"google.protobuf")
            for symbol in ("google.protobuf.Duration", "grpc.health.v1.Health.Watch",
                           "envoy.service.ratelimit.v3.RateLimitResponse.Code"):
                ask(field(1, "host") + field(4, symbol), 4)
            for request, code in ((field(4, "google.protobuf.Dura"), 5), (field(3, ""), 5),
                                  (field(4, "google"), 5), (field(5, field(1, "x")), 5),
                                  (b"", 3), (field(1, "host"), 3)):
                self.assertEqual(dict(fields(ask(request, 7)))[1], code)
            self.assertEqual(client.finish(stream).code, 0)
        self.assertEqual(client.call(http2.REFLECTION, field(7, "")).code, 0)

    def test_reflection_byte_by_byte_and_all_at_once(self):
        client = self.start()
        stream = client.open(http2.REFLECTION)
        data = client.message_bytes(stream, field(7, ""))
        for byte in data:
            client.send(bytes([byte]))
        client.wait_message(stream, 0)
        client.send(data * 9 + client.message_bytes(stream, field(7, ""), end=True))
        self.assertEqual((client.wait(stream).code, len(client.calls[stream].messages)), (0, 11))

    def test_reflection_is_bounded(self):
        client = self.start(client_settings=((1, 0), (4, 0)))
        stream = client.open(http2.REFLECTION)
        client.send(100 * client.message_bytes(stream, field(7, "")))
        harness.wait_until(lambda: self.gate.stats()["bad_lines"] == 1, "its end")
        client.send(frame(http2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 1 << 20)))
        call = client.wait(stream)
        self.assertEqual((call.code, call.headers["grpc-message"]),
                         (8, "responses are not read"))
        self.assertLess(len(call.data), 20000)
        for message, code in ((field(7, 1024 * "x"), 8), (66000 * b"x", 8)):
            call = client.call(http2.REFLECTION, message)
            self.assertEqual(call.code, code)
        stream = client.open(http2.REFLECTION)
        client.send(frame(http2.DATA, http2.END_STREAM, stream, b"\0\0\0\0\5abc"))
        self.assertEqual(client.wait(stream).code, 13)
        self.assertEqual(self.client().limit("web", ip()).code, 0)

    def test_a_drain_ends_calls_that_go_on(self):
        client = self.start()
        stream = client.open(http2.REFLECTION)
        client.ask(stream, field(7, ""))
        self.gate.send(signal.SIGTERM)
        call = client.wait(stream)
        self.assertEqual((call.code, call.headers["grpc-message"]),
                         (14, "the daemon is about to end"))
        self.assertEqual(self.gate.wait(), 0)

    def test_a_call_of_no_method_is_refused_before_it_ends(self):
        client = self.start()
        stream = client.open("/x.Y/Z")
        self.assertEqual(client.wait(stream).code, 12)
        client.send(client.message_bytes(stream, b"", end=True))
        self.assertEqual(client.limit("web", ip()).code, 0)

    def authorize(self, client, *words, **options):
        """The status of HTTP, and the headers for the client."""
        call = client.call(http2.AUTHORIZE, http2.check_request(*words, **options))
        self.assertEqual(call.code, 0, call.headers)
        (_, status), (number, response) = fields(call.message)
        response = fields(response)
        headers = {}
        for tag, value in response:
            if tag == (6 if number == 3 else 2):
                header = dict(fields(dict(fields(value))[1]))
                headers[header[1].decode()] = header[2].decode()
        if number == 3:
            self.assertEqual(status, b"")
            return 200, headers
        self.assertEqual(fields(status), [(1, 8)])
        self.body = dict(response)[3].decode()
        return dict(fields(dict(response)[1]))[1], headers

    def test_authorization_by_routes(self):
        client = self.start(limits=ROUTES)
        status, headers = self.authorize(client, "GET", "/api/x?user=a%20b", [("x-plan", "free")])
        self.assertEqual((status, headers), (200, {
            "ratelimit-policy": '"plan";q=2;w=60', "ratelimit": '"plan";r=1;t=30',
            "x-ratelimit-limit": "2", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "30",
            "x-dripgate-from": "memory"}))
        self.assertEqual(self.level("user:a%20b"), "1")
        for raw in True, False:
            status, headers = self.authorize(client, "GET", "/api//y/../x?user=a+b",
                                             [("x-plan", "free")], raw=raw)
        self.assertEqual(status, 429)
        self.assertIn(int(headers["retry-after"]), range(1, 31))
        self.assertEqual(headers["content-type"], "application/problem+json")
        self.assertIn('"violated-policies":["plan"],"status":429', self.body)
        self.assertEqual(self.authorize(client, "POST", "/api/x", [("x-plan", "free")])[0], 200)
        self.assertEqual(self.authorize(client, "GET", "/required")[0], 429)
        self.assertIn("No limit matches", self.body)
        self.assertEqual(self.authorize(client, "GET", "/nowhere"),
                         (200, {"x-dripgate-from": "none"}))
        # By HTTP it is the same bucket.
        connection = harness.Connection(("127.0.0.1", self.gate.port))
        self.addCleanup(connection.close)
        connection.socket.sendall(b"GET /check/api/x?user=a+b HTTP/1.1\r\nHost: example.com\r\n"
                                  b"x-plan: free\r\n\r\n")
        self.assertIn(b" 429 ", connection.file.readline())

    def test_authorization_of_a_client_behind_proxies(self):
        client = self.start(limits=ROUTES)

        def ask(source, forwarded, address):
            self.authorize(client, "GET", "/ip", [("x-forwarded-for", forwarded)], source=source)
            self.assertEqual(self.level(f"ip:{address}"), "1")
            self.gate.ask(f"reset ip:{address}")

        ask("192.0.2.7", "198.51.100.1", "192.0.2.7")
        ask("127.0.0.1", "198.51.100.1, 198.51.100.2", "198.51.100.2")
        ask("2001:db8::1", "", "2001:db8::1")
        ask("x", "198.51.100.3", "198.51.100.3")  # as the peer says, which is trusted

    def test_authorization_errors(self):
        client = self.start(limits=ROUTES)
        many = [(f"x-{i}", "y") for i in range(101)]
        for message, text in (
                (b"", "not a CheckRequest about a request of HTTP"),
                (http2.check_request("GET", "/ip", many), "more than 100 headers"),
                (http2.check_request("GET", "/ip", [("x", "a\nb")]),
                 "a header has control characters"),
                (http2.check_request("GET", "/\0"), "the request has control characters"),
                (http2.check_request("GET", "/" + 8192 * "x"), "a path is at most 8192 bytes"),
                (http2.check_request("GET", "/api/x?user=" + 300 * "x", [("x-plan", "free")]),
                 "a key of the route is too long"),
                (field(1, field(4, field(2, b"\x12\xff"))), "not a CheckRequest")):
            call = client.call(http2.AUTHORIZE, message)
            self.assertEqual((call.code, call.headers["grpc-message"]), (3, text))

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
        for left in (1, 0):
            self.assertEqual(outcome(client.limit("web", ip(more=override(2, HOUR)), path("b"))),
                             (OK, [(OK, 2, left), (OK, 10, left + 8)]))
        for _ in range(2):  # the second time, the deny cache says so
            code, (first, _) = outcome(client.limit(
                "web", ip(more=override(2, HOUR)), path("b")))
            self.assertEqual((code, first), (OVER_LIMIT, (OVER_LIMIT, 2, 0)))
        self.assertEqual(self.level("web/path=b"), "2")
        self.assertEqual(outcome(client.limit("web", ip(more=override(3, HOUR)))),
                         (OK, [(OK, 3, 2)]))


def python_with_grpc():
    """One that has grpcio, or None."""
    for program in sys.executable, "/usr/bin/python3":
        if shutil.which(program) and shutil.which("protoc") and subprocess.run(
                [program, "-c", "import grpc, google.protobuf"], check=False,
                capture_output=True).returncode == 0:
            return program
    return None


class OtherClientTest(harness.Case):
    @unittest.skipUnless(python_with_grpc(), "needs grpcio, protobuf and protoc")
    def test_grpcio(self):
        gate = self.daemon(LIMITS)
        done = subprocess.run(
            [python_with_grpc(), os.path.join(harness.ROOT, "tests", "integration",
                                              "grpc_client.py"), self.folder,
             str(gate.port), os.path.join(harness.ROOT, "src", "protocol", "grpc")],
            check=False, capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(said["calls"], [[OK, [[OK, 10, left]] * 2] for left in range(9, -1, -1)] +
                         [[OVER_LIMIT, [[OVER_LIMIT, 10, 0]] * 2]])
        self.assertEqual(said["at_once"], {str(OK): 3, str(OVER_LIMIT): 197})
        self.assertEqual((said["health"], said["watch"]), (1, 1))
        self.assertEqual(said["error"], ["UNKNOWN", "rate limit domain must not be empty"])


if __name__ == "__main__":
    harness.main()
