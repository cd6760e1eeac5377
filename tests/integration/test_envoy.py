"""Envoy's rate limit filter and dripgated: its actions, its errors, a restart.

Only where ENVOY names the program: make check-proxies, which has its examples, too.
"""

import http.client
import json
import os
import threading
import unittest

import harness
from harness import wait_until
from test_proxies import PROGRAMS, ProxyCase

EXTENSIONS = "type.googleapis.com/envoy.extensions."
FILTERS = EXTENSIONS + "filters.http."
LIMITS = """
[address]
match = web/remote_address=*
capacity = 3
rate = 3/h

[masked]
match = web/masked_remote_address=*%2F8
capacity = 3
rate = 3/h

[path]
match = web/path=*
capacity = 3
rate = 3/h

[pair]
match = web/what=pair/user=*
capacity = 3
rate = 3/h

[other]
match = web/*
capacity = 3
rate = 3/h

[load]
match = load/*
capacity = 1000000
rate = 1000000/h
"""


def header(name, key):
    return {"request_headers": {"header_name": name, "descriptor_key": key}}


def generic(value, key="generic_key"):
    return {"generic_key": {"descriptor_value": value, "descriptor_key": key}}


# Where a path goes: the descriptors of its requests.
ROUTES = {
    "/address": [{"actions": [{"remote_address": {}}]}],
    "/masked": [{"actions": [{"masked_remote_address": {"v4_prefix_mask_len": 8}}]}],
    "/header": [{"actions": [header("x-user", "user")]}],
    "/path": [{"actions": [header(":path", "path")]}],
    "/generic": [{"actions": [generic("all", "what")]}],
    "/pair": [{"actions": [generic("pair", "what"), header("x-user", "user")]}],
    "/two": [{"actions": [generic("first")]}, {"actions": [header("x-user", "user")]}],
    "/metadata": [{"actions": [{"metadata": {
        "descriptor_key": "plan", "source": "ROUTE_ENTRY",
        "metadata_key": {"key": "dripgate", "path": [{"key": "plan"}]}}}]}],
    "/override": [{"actions": [generic("override")], "limit": {"dynamic_metadata": {
        "metadata_key": {"key": "dripgate", "path": [{"key": "limit"}]}}}}],
    "/spent": [{"actions": [generic("done")]}],
    "/free": [],
}
# The same, as the filter's own configuration has it.
FILTER_ROUTES = {
    "/done": [{"actions": [generic("done")], "apply_on_stream_done": True,
               "hits_addend": {"number": 2}}],
}


def cluster(name, port, **more):
    return {"name": name, "connect_timeout": "1s", **more, "load_assignment": {
        "cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
            "socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]}}


def typed(kind, **more):
    return {"@type": kind, **more}


@unittest.skipUnless(PROGRAMS["envoy"], "needs ENVOY: make check-proxies")
class EnvoyActionsTest(ProxyCase):
    def config(self, denies, domain):
        http2 = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
            EXTENSIONS + "upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {}})}
        routes = [{"match": {"prefix": path},
                   "metadata": {"filter_metadata": {"dripgate": {"plan": "gold"}}},
                   "route": {"cluster": "app", "rate_limits": limits}}
                  for path, limits in ROUTES.items()]
        routes += [{"match": {"prefix": path}, "route": {"cluster": "app"},
                    "typed_per_filter_config": {"ratelimit": typed(
                        FILTERS + "ratelimit.v3.RateLimitPerRoute", rate_limits=limits)}}
                   for path, limits in FILTER_ROUTES.items()]
        routes.append({"match": {"prefix": "/"}, "route": {"cluster": "app"}})
        filters = [
            {"name": "metadata", "typed_config": typed(
                FILTERS + "set_metadata.v3.Config", metadata=[{
                    "metadata_namespace": "dripgate",
                    "value": {"limit": {"requests_per_unit": 5, "unit": "HOUR"}}}])},
            {"name": "ratelimit", "typed_config": typed(
                FILTERS + "ratelimit.v3.RateLimit", domain=domain, timeout="5s",
                failure_mode_deny=denies, enable_x_ratelimit_headers="DRAFT_VERSION_03",
                rate_limit_service={"transport_api_version": "V3", "grpc_service": {
                    "envoy_grpc": {"cluster_name": "dripgate"}}})},
            {"name": "router", "typed_config": typed(FILTERS + "router.v3.Router")}]
        manager = typed(EXTENSIONS + "filters.network.http_connection_manager.v3."
                        "HttpConnectionManager", stat_prefix="web", use_remote_address=True,
                        route_config={"virtual_hosts": [
                            {"name": "app", "domains": ["*"], "routes": routes}]},
                        http_filters=filters)
        return {
            "admin": {"address": {"socket_address": {
                "address": "127.0.0.1", "port_value": self.admin_port}}},
            "static_resources": {
                "listeners": [{"address": {"socket_address": {
                    "address": "127.0.0.1", "port_value": self.port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}],
                "clusters": [
                    cluster("dripgate", self.gate.port, typed_extension_protocol_options=http2),
                    cluster("app", self.app.server_port)]}}

    def begin(self, denies=False, domain="web", settings=None):
        self.gate = self.daemon(LIMITS, settings)
        self.admin_port = harness.free_port()
        path = os.path.join(self.folder, "envoy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.config(denies, domain), file)
        self.start("envoy", [PROGRAMS["envoy"], "-c", path, "--concurrency", "1",
                             "--disable-hot-restart", "-l", "warning"])

    def statuses(self, path, count=4, **headers):
        return [self.ask(path, **headers).status for _ in range(count)]

    def level(self, key):
        return int(harness.fields(self.gate.ask(f"peek {key}"))["level"])

    def envoy_counter(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port,
                                                timeout=harness.PATIENCE)
        connection.request("GET", f"/stats?filter={name}&usedonly")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(int(line.split(": ")[1]) for line in text.splitlines())

    def test_actions(self):
        self.begin()
        limited = [200] * 3 + [429]
        for path in "/address", "/masked", "/generic", "/metadata":
            self.assertEqual(self.statuses(path), limited, path)
        for user in "ann", "a/b c":
            self.assertEqual(self.statuses("/header", X_User=user), limited)
            self.assertEqual(self.statuses("/pair", X_User=user), limited)
        self.assertEqual(self.statuses("/header"), [200] * 4)  # without it, Envoy does not ask
        self.assertEqual(self.statuses("/path/x?y=z"), limited)
        self.assertEqual(self.statuses("/free"), [200] * 4)
        for key in ("what=all", "plan=gold", "user=ann", "user=a%2Fb%20c", "what=pair/user=ann",
                    "path=%2Fpath%2Fx?y=z"):
            self.assertEqual(self.level(f"web/{key}"), 3, key)

    def test_descriptors_are_charged_together_or_each(self):
        for charges, left in (("no", 3), ("yes", 0)):
            with self.subTest(charges):
                self.begin(settings={"grpc": {"charge_all": charges}})
                self.assertEqual(self.statuses("/two", 3, X_User="a"), [200] * 3)
                self.assertEqual(self.statuses("/two", 3, X_User="b"), [429] * 3)
                self.assertEqual(self.level("web/user=b"), 3 - left)
                end = self.proxy
                end.send(15)
                end.wait()
                self.port = harness.free_port()

    def test_headers(self):
        self.begin(settings={"grpc": {"headers": "standard"}})
        response = self.ask("/generic")
        self.assertEqual(response.headers["x-ratelimit-limit"], '3, 3;w=3600;name="other"')
        self.assertEqual(response.headers["x-ratelimit-remaining"], "2")
        self.assertEqual(response.headers["x-ratelimit-reset"], "1200")
        self.assertEqual(response.headers["ratelimit"], '"other";r=2;t=1200')
        self.statuses("/generic", 2)
        response = self.ask("/generic")
        self.assertEqual(response.status, 429)
        self.assertIn(int(response.headers["retry-after"]), range(1100, 1201))

    def test_a_limit_that_comes_along(self):
        self.begin()
        self.assertEqual(self.statuses("/override", 6), [200] * 5 + [429])
        self.assertEqual(self.level("web/generic_key=override"), 0)

    def test_applied_when_the_stream_is_done(self):
        self.begin()
        self.assertEqual(self.ask("/done").status, 200)
        wait_until(lambda: self.level("web/generic_key=done") == 2, "the charge")
        self.assertEqual(self.statuses("/spent", 2), [200, 429])
        self.assertEqual(self.ask("/done").status, 200)  # too late to be denied

    def test_without_dripgated(self):
        for denies, status in ((False, 200), (True, 500)):
            with self.subTest(denies):
                self.begin(denies)
                self.assertEqual(self.ask("/generic").status, 200)
                self.gate.kill()
                self.gate.wait()
                self.assertEqual(self.statuses("/generic", 3), [status] * 3)
                self.assertEqual(self.ask("/free").status, 200)
                self.proxy.send(15)
                self.proxy.wait()
                self.port = harness.free_port()

    def test_restarts_under_load(self):
        """Each request that fails is one that Envoy has counted as such."""
        self.begin(denies=True, domain="load")
        seen, stopping = [], threading.Event()

        def load():
            while not stopping.is_set():
                seen.append(self.ask("/generic").status)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        gates = [self.gate]
        for end in "kill", "stop", "kill":
            had = len(seen)
            wait_until(lambda had=had: len(seen) > had + 50, "requests")
            getattr(self.gate, end)()
            self.gate.popen.wait()
            had = len(seen)
            wait_until(lambda had=had: 500 in seen[had:], "a failure")
            self.gate = self.daemon(LIMITS, {"listen": {
                "line": f"127.0.0.1:{gates[0].port}"}})
            gates.append(self.gate)
            had = len(seen)
            wait_until(lambda had=had: 200 in seen[had:], "the daemon")
        stopping.set()
        for thread in threads:
            thread.join()
        self.assertEqual(set(seen), {200, 500})
        self.assertEqual(seen.count(500), self.envoy_counter("ratelimit.error"))
        self.assertEqual(seen.count(200), self.envoy_counter("ratelimit.ok"))


if __name__ == "__main__":
    harness.main()
