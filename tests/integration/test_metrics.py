"""GET /metrics: what Prometheus reads, and whether it is true."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import harness
from harness import PATIENT, ROOT, wait_until
from test_http import LIMITS, HttpCase

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

PROMTOOL = shutil.which("promtool")
OPENMETRICS = "application/openmetrics-text"


def promtool(*arguments, text=None):
    return subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True,
                          text=True, timeout=harness.PATIENCE, check=False)


class MetricsCase(HttpCase):
    def text(self, **headers):
        response = self.ask(self.connection(self.admin_port), "/metrics", **headers)
        self.assertEqual(response.status, 200)
        self.type = response.headers["Content-Type"]
        return response.content.decode()

    def values(self):
        """{'name{labels}': value}"""
        return {name: float(value) for name, value in re.findall(
            r"(?m)^([a-z_]+(?:{.*})?) (\S+)$", self.text())}

    def value(self, name):
        return self.values()[name]


class FormatTest(MetricsCase):
    @unittest.skipUnless(PROMTOOL, "Debian's prometheus has promtool")
    def test_promtool_has_nothing_to_say(self):
        redis = self.redis()
        self.start(settings={"store": {"type": "redis"},
                             "redis": {"unix_socket_path": redis.path, **PATIENT["redis"]}})
        result = promtool("check", "metrics", text=self.text())
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))
        self.assertEqual(self.type, "text/plain; version=0.0.4; charset=utf-8")

    @unittest.skipUnless(text_string_to_metric_families, "python3-prometheus-client")
    def test_openmetrics_for_those_who_accept_it(self):
        redis = self.redis()
        self.start(settings={"store": {"type": "redis"},
                             "redis": {"unix_socket_path": redis.path, **PATIENT["redis"]}})
        families = {family.name: family for family in text_string_to_metric_families(
            self.text(Accept=f"{OPENMETRICS};version=1.0.0;q=0.8,text/plain;q=0.3"))}
        self.assertEqual(self.type, f"{OPENMETRICS}; version=1.0.0; charset=utf-8")
        for name, kind, unit in (("dripgate_allowed", "counter", ""),
                                 ("dripgate_waited_seconds", "counter", "seconds"),
                                 ("dripgate_clients", "gauge", ""),
                                 ("dripgate_build", "info", ""),
                                 ("process_resident_memory_bytes", "gauge", "bytes"),
                                 ("dripgate_redis_call_duration_seconds", "histogram", "seconds")):
            self.assertEqual((families[name].type, families[name].unit), (kind, unit), name)
        for accept in "*/*", "text/plain", f"x{OPENMETRICS}", f"a/b;c={OPENMETRICS}":
            self.assertTrue(self.text(Accept=accept).startswith("# HELP dripgate_"), accept)
            self.assertEqual(self.type.split(";")[0], "text/plain")

    def test_each_counter_of_stats_is_a_metric_with_its_help(self):
        daemon = self.start()
        text = self.text()
        with open(os.path.join(ROOT, "src", "stats", "counters.h"), encoding="ascii") as file:
            rows = re.findall(r'X\((\w+), (\w+), (\w+),[\s\\]*"([^"]*)"\)', file.read())
        self.assertEqual([row[0] for row in rows], list(daemon.stats()))
        for name, kind, unit, described in rows:
            if unit == "MICROSECONDS":
                name = re.sub("us$", "seconds", name)
            name = f"dripgate_{name}" + ("_total" if kind == "COUNTER" else "")
            self.assertIn(f"# HELP {name} {described[0].upper()}{described[1:]}.\n"
                          f"# TYPE {name} {kind.lower()}\n{name} ", text)

    def test_each_other_metric_stands_in_the_manual(self):
        daemon = self.start()
        with open(os.path.join(ROOT, "src", "dripgated", "dripgated.8"),
                  encoding="ascii") as file:
            manual = file.read().partition(".Sh METRICS")[2].partition("\n.Sh ")[0]
        names = set(re.findall(r"(?m)^# TYPE dripgate_(\w+) ", self.text()))
        for name in daemon.stats():
            names -= {name, f"{name}_total", re.sub("us$", "seconds", name),
                      re.sub("us$", "seconds_total", name)}
        listed = re.findall(r"Cm ([a-z_]+)", "\n".join(
            re.findall(r"(?m)^\.It (.*)", manual)))
        self.assertEqual(sorted(re.sub("(_seconds|_total|_info)*$", "", name)
                                for name in names), sorted(listed))

    def test_only_operators_get_it(self):
        daemon = self.start()
        self.assertEqual(self.ask(self.connection(daemon.port), "/metrics").status, 404)
        self.assertEqual(self.ask(self.connection(self.http_port), "/metrics").status, 404)
        admin = self.connection(self.admin_port)
        self.assertEqual(self.ask(admin, "/metrics", method="POST").status, 405)
        response = self.ask(admin, "/metrics", method="HEAD")
        self.assertEqual((response.status, response.content), (200, b""))
        self.assertTrue(daemon.ask("METRICS").startswith("ERR badverb "),
                        daemon.ask("METRICS"))


class MeaningTest(MetricsCase):
    def test_decisions(self):
        daemon = self.start()
        daemon.ask(*["CONSUME login:7"] * 7, "PEEK login:7", "CONSUME other", "CONSUME strict:1")
        values = self.values()
        for verdict, number in ("allowed", 5), ("denied", 2):
            self.assertEqual(values[
                f'dripgate_limit_decisions_total{{limit="login",verdict="{verdict}"}}'], number)
        self.assertEqual(values["dripgate_denied_total"], 2)
        self.assertEqual(values["dripgate_unmatched_total"], 1)
        self.assertEqual(values["dripgate_decision_duration_seconds_count"], 10)
        self.assertEqual(values['dripgate_decision_duration_seconds_bucket{le="+Inf"}'], 10)
        self.assertGreater(values["dripgate_decision_duration_seconds_sum"], 0)
        self.assertNotIn("login:7", self.text())

    def test_clients_by_protocol_and_their_bytes(self):
        daemon = self.start()
        with daemon.connect() as line, daemon.connect() as resp, daemon.connect():
            before = self.values()
            sent = b"PING\nCONSUME login:1\n", b"*1\r\n$4\r\nPING\r\n"
            line.send(sent[0])
            resp.send(sent[1])
            received = [line.line() + line.line(), resp.line()]
            after = self.values()
            for protocol, number in ("line", 1), ("resp", 1), ("http", 2):
                self.assertEqual(
                    after[f'dripgate_protocol_clients{{protocol="{protocol}"}}'], number)
            self.assertEqual(after["dripgate_clients"], 5)
            again = self.values()
        wait_until(lambda: self.value('dripgate_protocol_clients{protocol="line"}') == 0,
                   "the end")
        name = "dripgate_received_bytes_total"
        scrape = again[name] - after[name]
        self.assertEqual(after[name] - before[name], scrape + sum(map(len, sent)))
        name = "dripgate_sent_bytes_total"
        self.assertGreater(after[name] - before[name], len("".join(received)))

    def test_redis_and_its_outage(self):
        redis = self.redis()
        self.start(settings={
            "store": {"type": "redis"}, "workers": {"count": 2},
            "redis": {"port": redis.port, **PATIENT["redis"]}})
        daemon = self.processes[-1]
        daemon.ask("CONSUME login:1", "CONSUME strict:1")
        server = f'server="127.0.0.1:{redis.port}"'
        values = self.values()
        calls = values[f"dripgate_redis_calls_total{{{server}}}"]
        self.assertIn(calls, (1, 2))
        self.assertEqual(
            values[f"dripgate_redis_call_duration_seconds_count{{{server}}}"], calls)
        self.assertEqual(values[f"dripgate_redis_up{{{server}}}"], 1)
        self.assertEqual(values["dripgate_decision_duration_seconds_count"], 2)
        since = values[f"dripgate_redis_up_changed_timestamp_seconds{{{server}}}"]
        redis.kill()
        wait_until(lambda: self.value(f"dripgate_redis_up{{{server}}}") == 0, "the outage")
        wait_until(lambda: daemon.ask("CONSUME login:1").endswith("=fallback"), "fallback")
        values = self.values()
        self.assertGreaterEqual(
            values['dripgate_limit_fallback_decisions_total{limit="login",reason="down"}'], 1)
        self.assertGreater(
            values[f"dripgate_redis_up_changed_timestamp_seconds{{{server}}}"], since)
        self.assertGreaterEqual(
            values[f'dripgate_redis_errors_total{{{server},kind="lost"}}'], 1)
        self.redis(port=redis.port)
        wait_until(lambda: self.value(f"dripgate_redis_up{{{server}}}") == 1, "Redis")
        values = self.values()
        self.assertEqual(values[f"dripgate_redis_reconnects_total{{{server}}}"], 2)

    def test_why_redis_did_not_decide(self):
        redis = self.redis()
        self.start(settings={"store": {"type": "redis"}, "redis": {
            "unix_socket_path": redis.path, **PATIENT["redis"], "socket_timeout": "2s"}})
        daemon = self.processes[-1]
        daemon.ask("CONSUME login:1")
        for name in redis.ask("KEYS", "*login"):
            redis.ask("HSET", name, "login:2", "no bucket")
        self.assertTrue(daemon.ask("CONSUME login:2").endswith("=fallback"))
        values = self.values()
        for reason, number in ("down", 0), ("timeout", 0), ("refused", 1):
            self.assertEqual(values['dripgate_limit_fallback_decisions_total'
                                    f'{{limit="login",reason="{reason}"}}'], number)
        self.assertEqual(values["dripgate_foreign_values_total"], 1)
        redis.ask("CLIENT", "PAUSE", "20000")
        wait_until(lambda: daemon.ask("CONSUME lock:1").endswith("=fallback"), "a time-out")
        self.assertGreaterEqual(self.value(
            'dripgate_limit_fallback_decisions_total{limit="lock",reason="timeout"}'), 1)

    def test_reloads_and_the_digest(self):
        daemon = self.start()
        before = self.values()
        digest = [name for name in before if name.startswith("dripgate_limit_set_info{")]
        daemon.write_limits("# the same\n" + LIMITS)
        daemon.reload()
        self.assertIn(digest[0], self.values())
        daemon.write_limits(LIMITS.replace("capacity = 5", "capacity = 6"))
        daemon.reload()
        daemon.write_limits("[x]\n")
        daemon.reload()
        after = self.values()
        self.assertNotIn(digest[0], after)
        self.assertEqual(after["dripgate_reloads_total"], 2)
        self.assertEqual(after["dripgate_reload_errors_total"], 1)
        self.assertGreater(after["dripgate_limit_set_loaded_timestamp_seconds"],
                           before["dripgate_limit_set_loaded_timestamp_seconds"])

    def test_limits_as_labels_are_bounded(self):
        daemon = self.start("".join(
            f"[l{i}]\nmatch = l{i}\ncapacity = 5\nrecharge = 1d\n" for i in range(503)))
        daemon.ask("CONSUME l0", "CONSUME l499", "CONSUME l500", "CONSUME l502")
        text = self.text()
        name = "dripgate_limit_decisions_total"
        for limit, number in ("l0", 1), ("l499", 1), ("*", 2):
            self.assertIn(f'\n{name}{{limit="{limit}",verdict="allowed"}} {number}\n', text)
        self.assertEqual(text.count(f'\n{name}{{limit='), 2 * 501)

    def test_the_process(self):
        daemon = self.start()
        values = self.values()
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
            threads = int(re.search(r"Threads:\s+(\d+)", file.read())[1])
        self.assertEqual(values["process_threads"], threads)
        self.assertLess(abs(values["process_open_fds"] - daemon.descriptors()), 5)
        self.assertGreater(values["process_resident_memory_bytes"], 1 << 20)
        self.assertGreaterEqual(values["process_cpu_seconds_total"], 0)
        self.assertGreater(values["process_start_time_seconds"], 1.5e9)


class LogTest(MetricsCase):
    def cost(self, daemon, number):
        """(decided, the shares) of so many lines, or more, that say what outages cost."""
        pattern = r"info: redis: back after \d+\.\d s; on_error decided (\d+) requests:? ?(.*)"
        return wait_until(
            lambda: len(found := re.findall(pattern, daemon.log())) >= number and found,
            "the line")

    def test_an_outage_is_told_with_what_it_cost(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, LIMITS, {
            **PATIENT, "workers": {"count": 2}, "redis": {
                "unix_socket_path": "", "port": redis.port, **PATIENT["redis"]}})
        daemon.ask("CONSUME login:1")
        redis.kill()
        wait_until(lambda: daemon.stats()["redis_ready"] == 0, "the outage")
        with daemon.connect() as one, daemon.connect() as two:
            for client in one, two:
                wait_until(lambda: client.ask("PEEK lock:1").endswith("=fallback"), "fallback")
            one.ask("CONSUME login:1", "CONSUME strict:1", "CONSUME nothing")
            two.ask(*["CONSUME login:2"] * 4)
        before = daemon.stats()["fallback"]
        self.redis(port=redis.port)
        count, shares = self.cost(daemon, 1)[0]
        counts = dict(share.split(" ") for share in shares.split(", "))
        self.assertEqual((counts["login"], counts["strict"]), ("5", "1"))
        self.assertEqual(list(counts)[-1], "strict")
        self.assertEqual(int(count), before)
        self.assertEqual(sum(map(int, counts.values())), before)
        self.processes[-1].kill()
        wait_until(lambda: daemon.stats()["redis_ready"] == 0, "the outage")
        time.sleep(1.1) # A shorter one so soon is not logged.
        self.redis(port=redis.port)
        count, shares = self.cost(daemon, 2)[1]
        self.assertEqual((count, shares), ("0", ""))

    def test_requests_that_fell_back_before_the_connection_ended_count(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, LIMITS, {"redis": {
            **PATIENT["redis"], "socket_timeout": "2s"}})
        wait_until(lambda: daemon.ask("CONSUME login:1").endswith("=redis"), "Redis")
        before = daemon.log().count("back after")
        redis.send(signal.SIGSTOP)
        wait_until(lambda: daemon.ask("CONSUME lock:1").endswith("=fallback"), "a time-out")
        wait_until(lambda: daemon.stats()["redis_ready"] == 0, "the connection's end")
        redis.send(signal.SIGCONT)
        wait_until(lambda: daemon.ask("PEEK login:1").endswith("=redis"), "Redis")
        self.assertRegex(self.cost(daemon, before + 1)[before][1], r"\block [1-9]")

    def test_a_start_is_no_outage(self):
        daemon = self.redis_daemon(self.redis(), LIMITS, PATIENT)
        self.assertTrue(daemon.ask("CONSUME login:1").endswith("=redis"))
        self.assertNotIn("back after", daemon.log())

    def test_a_reload_says_what_changed(self):
        daemon = self.start()
        daemon.write_limits(LIMITS.replace("capacity = 5", "capacity = 7") +
                            "[new]\nmatch = new\ncapacity = 1\nrecharge = 1s\n")
        self.assertRegex(daemon.reload(), r"info: reloaded: 5 limits in force; \+1 ~1 -0: "
                         r"login capacity 5 -> 7, \+new \([0-9a-f]{8}\)\n")

    def test_a_reload_from_redis_has_the_digest_of_the_fleet(self):
        redis = self.redis()
        redis.ask("ZADD", "limits", 1, "login match=login:* capacity=5 recharge=60s")
        daemon = self.redis_daemon(redis, "", {**PATIENT, "limits": {"source": "redis"}})
        wait_until(lambda: "limits reloaded" in daemon.log(), "the limits")
        self.assertRegex(daemon.log(), r"limits reloaded: 1 in force, from redis \S+; "
                         r"\+1 ~0 -0: \+login \([0-9a-f]{8}\)\n")
        digest = re.search(r"\+login \((.*)\)", daemon.log())[1]
        wait_until(lambda: digest in subprocess.run(
            [harness.DRIPGATE, "-c", daemon.config_path, "fleet", "--json"],
            capture_output=True, text=True, check=False, timeout=harness.PATIENCE).stdout,
            "the digest in the fleet")


class AlertTest(MetricsCase):
    ALERTS = os.path.join(ROOT, "conf", "alerts.yml")

    @unittest.skipUnless(PROMTOOL, "Debian's prometheus has promtool")
    def test_the_rules_are_right_and_fire_when_they_should(self):
        result = promtool("check", "rules", self.ALERTS)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("5 rules found", result.stdout)
        with open(os.path.join(ROOT, "tests", "integration", "alerts.yml"),
                  encoding="ascii") as file:
            text = file.read()
        path = os.path.join(self.folder, "alerts.yml")
        with open(path, "w", encoding="ascii") as file:
            file.write(text.replace("ALERTS", self.ALERTS))
        result = promtool("test", "rules", path)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        with open(self.ALERTS, encoding="ascii") as file:
            for name in re.findall(r"- alert: (\w+)", file.read()):
                self.assertIn(f"alertname: {name}\n", text)

    def test_alerts_and_panels_use_metrics_that_there_are(self):
        redis = self.redis()
        self.start(settings={"store": {"type": "redis"},
                             "redis": {"unix_socket_path": redis.path, **PATIENT["redis"]}})
        known = set(re.findall(r"(?m)^([a-z_]+)[ {]", self.text()))
        with open(self.ALERTS, encoding="ascii") as file:
            used = "".join(re.findall(r"(?ms)expr:(.*?)^        (?:for|labels):", file.read()))
        with open(os.path.join(ROOT, "conf", "grafana.json"), encoding="ascii") as file:
            board = json.load(file)
        for panel in board["panels"]:
            used += " ".join(target["expr"] for target in panel["targets"])
        self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))
        names = set(re.findall(r"\b(?:dripgate|process)_\w+", used))
        self.assertGreater(len(names), 15)
        self.assertEqual(names - known, set())


if __name__ == "__main__":
    harness.main()
