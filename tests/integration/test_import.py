"""limits import-envoy: envoyproxy/ratelimit's configuration as limits."""

import configparser
import json
import os
import random
import subprocess

import harness
import http2
from http2 import descriptor, fields
from test_tool import DIFFERENT, DRIPGATE, ERROR, FINE, ToolCase

BILLION = 1000000000
SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800,
           "MONTH": 2592000, "YEAR": 31536000}

CONFIG = """
domain: api
descriptors:
  - key: user                      # any user
    rate_limit: {unit: minute, requests_per_unit: 2}
  - key: user
    value: admin
    rate_limit: {unlimited: true}
  - key: user
    value: guest                   # no limit of its own
  - key: user
    value: bot*
    rate_limit: {unit: Hour, requests_per_unit: 1}
    descriptors:
      - key: path
        value: /search
        rate_limit: {unit: day, requests_per_unit: 3}
        shadow_mode: true
"""


class Lookup:
    """What envoyproxy/ratelimit does: entry by entry, and never back."""

    def __init__(self, config):
        self.domain, self.root = config["domain"], self.node(config)

    def node(self, config):
        children = {}
        for child in config.get("descriptors", ()):
            name = child["key"] + ("_" + child["value"] if child.get("value") else "")
            children[name] = self.node(child)
        return config.get("rate_limit"), children

    @staticmethod
    def takes(pattern, text):
        first, *parts = pattern.split("*")
        if not text.startswith(first):
            return False
        text = text[len(first):]
        last = parts.pop()
        for part in parts:
            at = text.find(part)
            if at == -1:
                return False
            text = text[at + len(part):]
        return text.endswith(last)

    def limit(self, entries):
        limit, children = None, self.root[1]
        for i, (key, value) in enumerate(entries):
            name = f"{key}_{value}"
            node = children.get(name)
            if node is None:
                wild = [other for other in children if "*" in other and self.takes(other, name)]
                node = children[wild[0]] if wild else children.get(key)
            if node is None:
                return None
            if i == len(entries) - 1:
                limit = node[0]
            children = node[1]
            if not children:
                break
        return limit


def escaped(text, is_name=False):
    return "".join(chr(byte) if byte > 32 and byte != 127 and chr(byte) not in
                   "/%" + "=" * is_name else f"%{byte:02X}" for byte in text.encode("latin-1"))


def key_of(domain, entries):
    return escaped(domain) + "".join(
        f"/{escaped(key, True)}" + (f"={escaped(value)}" if value else "")
        for key, value in entries)


class ImportCase(ToolCase):
    def run_import(self, *files, options=(), status=FINE):
        """Its limits by name, and what it says."""
        result = self.run_tool("limits", "import-envoy", *files, *options)
        self.assertEqual(result.returncode, status, result)
        self.path = self.write("imported.ini", result.stdout)
        parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";",),
                                           delimiters=("=",))
        parser.read_string(result.stdout)
        if status != ERROR:
            # It warns of those that no key reaches there, either.
            self.assertEqual(self.run_tool("limits", "check", self.path).returncode, FINE)
        return parser, result.stderr

    def limits_of(self, keys):
        """Which limit each key gets; None: none."""
        result = subprocess.run(
            [DRIPGATE, "limits", "test", self.path, "--json"], check=False,
            input="".join(key + "\n" for key in keys), text=True, capture_output=True)
        self.assertIn(result.returncode, (FINE, DIFFERENT), result)
        found = [json.loads(line)["limit"] for line in result.stdout.splitlines()]
        return [None if name == "-" else name for name in found]

    def wrong(self, text, name="bad.yaml"):
        path = self.write(name, text)
        result = self.run_tool("limits", "import-envoy", path)
        self.assertEqual((result.returncode, result.stdout), (ERROR, ""), result)
        self.assertRegex(result.stderr, r"\A[^\n]+\n\Z")
        return result.stderr.removeprefix(path + ":")[:-1]


class FileTest(ImportCase):
    def test_what_is_written(self):
        path = self.write("api.yaml", CONFIG)
        result = self.run_tool("limits", "import-envoy", path)
        self.assertEqual((result.returncode, result.stderr), (FINE, ""))
        self.assertEqual(result.stdout, f"""\
; {path}:6
[api_user_admin]
match = api/user=admin
action = allow

; {path}:9
[api_user_guest]
match = api/user=guest
action = allow

; {path}:11
[api_user_bot_]
match = api/user=bot*
segments = yes
algorithm = fixed_window
capacity = 1
window = 3600s

; {path}:15
[api_user_bot_path_search]
match = api/user=bot*/path=%2Fsearch
segments = yes
algorithm = fixed_window
capacity = 3
window = 86400s
shadow = yes

; {path}:4
[api_user]
match = api/user=*
segments = yes
algorithm = fixed_window
capacity = 2
window = 60s
""")

    def test_leaky_buckets(self):
        path = self.write("api.yaml", CONFIG)
        limits, _ = self.run_import(path, options=["--leaky"])
        self.assertEqual(dict(limits["api_user"]), {
            "match": "api/user=*", "segments": "yes", "capacity": "2", "rate": "2/60s"})
        self.assertEqual(limits["api_user_admin"]["action"], "allow")

    def test_all_units(self):
        path = self.write("units.yaml", json.dumps({"domain": "d", "descriptors": [
            {"key": unit, "rate_limit": {"unit": unit.lower(), "requests_per_unit": 5}}
            for unit in SECONDS]}))
        for options in ((), ("--leaky",)):
            limits, _ = self.run_import(path, options=options)
            for unit, seconds in SECONDS.items():
                self.assertEqual(
                    limits[f"d_{unit}"].get("window", limits[f"d_{unit}"].get("rate")),
                    f"5/{seconds}s" if options else f"{seconds}s")

    def test_aliases_and_merges(self):
        path = self.write("alias.yaml", """
domain: d
descriptors:
  - key: a
    rate_limit: &limit
      unit: minute
      requests_per_unit: 7
    descriptors: &below
      - {key: x, rate_limit: *limit}
  - key: b
    rate_limit:
      <<: *limit
      requests_per_unit: 8
    descriptors: *below
  - <<: [{key: c, shadow_mode: yes}, {key: ignored}]
    rate_limit: *limit
""")
        limits, _ = self.run_import(path)
        self.assertEqual({name: limits[name]["capacity"] for name in limits.sections()},
                         {"d_a": "7", "d_a_x": "7", "d_b": "8", "d_b_x": "7", "d_c": "7"})
        self.assertEqual(limits["d_c"]["shadow"], "yes")

    def test_scalars_as_yaml_has_them(self):
        path = self.write("scalars.yaml", """
domain: "d"
descriptors:
  - {key: 404, value: 12, rate_limit: {unit: "MINUTE", requests_per_unit: 1}}
  - {key: k, value: "", rate_limit: {unit: minute, requests_per_unit: 2}}
  - {key: n, value: ~, rate_limit: {unit: minute, requests_per_unit: 3}, descriptors: null}
  - {key: t, value: true, rate_limit: {unit: minute, requests_per_unit: 4}}
  - {key: "q", value: "~", rate_limit: {unit: minute, requests_per_unit: 5}}
  - {key: e, value: "\\0\\n\\u00e9$*?[x]\\\\~;\\"", rate_limit: {unit: minute, requests_per_unit: 6}}
""")
        self.run_import(path)
        self.assertEqual(self.limits_of([
            "d/404=12", "d/k", "d/k=x", "d/n=x", "d/t=true", "d/q=~", "d/q=x",
            "d/e=%00%0A\u00e9$*?[x]\\~;\"", "d/e=%00%0A\u00e9$12?[x]\\~;\"",
            "d/e=%00%0A\u00e9$*1[x]\\~;\""]),
            ["d_404_12", "d_k", "d_k", "d_n", "d_t_true", "d_q_", None,
             "d_e_x_", "d_e_x_", None])

    def test_names_are_limits_names_and_stay(self):
        config = {"domain": "d" * 60, "descriptors": [
            {"key": "k", "value": value, "rate_limit": {"unit": "day", "requests_per_unit": 1}}
            for value in ("a b", "a/b", "\u00e4", "\u00f6")]}
        path = self.write("names.yaml", json.dumps(config))
        limits, _ = self.run_import(path)
        names = limits.sections()
        self.assertEqual(len(set(names)), 4)
        config["descriptors"].insert(0, {**config["descriptors"][0], "value": "new"})
        limits, _ = self.run_import(self.write("names.yaml", json.dumps(config)))
        self.assertLess(set(names), set(limits.sections()))

    def test_files_of_one_domain_are_merged(self):
        limit = "rate_limit: {unit: day, requests_per_unit: 1}"
        one = self.write("1.yaml", f"domain: d\ndescriptors: [{{key: k, {limit}}}]")
        two = self.write("2.yaml", f"domain: d\ndescriptors: [{{key: k, value: v, {limit}}}]")
        three = self.write("3.yaml", f"domain: e\ndescriptors: [{{key: k, {limit}}}]")
        limits, _ = self.run_import(one, two, three)
        self.assertEqual(limits.sections(), ["d_k_v", "d_k", "e_k"])
        result = self.run_tool("limits", "import-envoy", one, two, one)
        self.assertEqual((result.returncode, result.stderr), (
            ERROR, f"{one}:2: k: duplicate descriptor composite key\n"))

    def test_what_is_not_carried_over_is_said(self):
        path = self.write("left.yaml", """
domain: d
descriptors:
  - key: a
    quota_mode: true
    detailed_metric: true
    value_to_metric: true
    metadata: {x: [1, {y: 2.5}]}
    rate_limit:
      unit: day
      requests_per_unit: 0
      name: one
      replaces: [{name: two}]
  - key: b
    requests_per_unit: 7
    rate_limit: {unit: day, requests_per_unit: 4294967295}
  - key: c*
    rate_limit: {unit: day, requests_per_unit: 1}
  - key: fine
    quota_mode: false
    rate_limit: {unit: day, requests_per_unit: 1}
""" + f"  - {{key: {'k' * 512}, rate_limit: {{unit: day, requests_per_unit: 1}}}}\n")
        limits, said = self.run_import(path, status=DIFFERENT)
        self.assertEqual(limits.sections(), ["d_a", "d_b", "d_fine"])
        self.assertEqual([limits[name].get("capacity") for name in limits.sections()],
                         [None, "1000000000", "1"])
        self.assertEqual(limits["d_a"]["action"], "deny")
        lines = said.splitlines()
        for line, word in ((4, "a: replaces"), (4, "a: quota_mode"), (4, "a: detailed_metric"),
                           (4, "a: value_to_metric"), (4, "a: metadata"),
                           (14, "requests_per_unit: means"),
                           (14, "b: requests_per_unit is"), (17, "c*: not carried over"),
                           (22, "k" * 512 + ": not")):
            self.assertTrue(any(one.startswith(f"{path}:{line}: {word}") for one in lines),
                            (line, word, lines))
        self.assertEqual(len(lines), 9)

    def test_errors(self):
        limit = "rate_limit: {unit: day, requests_per_unit: 1}"
        for text, said in (
                ("", "1: config file cannot have empty domain"),
                ("# nothing\n", "1: config file cannot have empty domain"),
                ("domain: ''\n", "1: config file cannot have empty domain"),
                ("- a\n", "1: must be a map"),
                ("domain: d\ndomain: e\n", "2: domain: is given twice"),
                ("domain: d\ndescriptor: []\n", "2: descriptor: unknown key"),
                ("domain: [d]\n", "1: domain: must be a text"),
                ("domain: d\ndescriptors: {}\n", "2: descriptors: must be a list"),
                ("domain: d\ndescriptors: [a]\n", "2: must be a map"),
                ("domain: d\ndescriptors:\n  - value: v\n", "3: descriptor has empty key"),
                ("domain: d\ndescriptors:\n  - [key]: v\n", "3: a name must be a text"),
                ("domain: d\ndescriptors:\n  - key: k\n    rate_limit: 5\n", "4: must be a map"),
                (f"domain: d\ndescriptors:\n  - {{key: k, {limit}}}\n  - {{key: k, {limit}}}\n",
                 "4: k: duplicate descriptor composite key"),
                (f"domain: d\ndescriptors:\n  - {{key: a_b, {limit}}}\n"
                 f"  - {{key: a, value: b, {limit}}}\n",
                 "4: a_b: duplicate descriptor composite key"),
                ("domain: d\ndescriptors:\n  - {key: k, share_threshold: true}\n",
                 "3: k: share_threshold can only be used with wildcard values"),
                ("domain: d\ndescriptors: []\n---\ndomain: e\n", "3: a second document begins"),
                ("domain: d\ndescriptors: *a\n", "2: there is no &a before it"),
                ("domain: d\ndescriptors: &a [*a]\n", "2: *a is in itself"),
                ("domain: d\0\n", "1: control characters are not allowed"),
                ("domain: [\n", "2: did not find expected node content"),
                ("domain: d\ndescriptors: " + "[" * 100000, "2: nests deeper than 64")):
            with self.subTest(text[:100]):
                self.assertTrue(self.wrong(text).startswith(said), self.wrong(text))
        for limit, said in (
                ("{unit: fortnight, requests_per_unit: 1}", "unit must be second"),
                ("{requests_per_unit: 1}", "unit must be second"),
                ("{unit: unknown}", "unit must be second"),
                ("{unit: day, unlimited: true}", "should not specify rate limit unit"),
                ("{unit: day, requests_per_unit: -1}", "requests_per_unit: must be a whole"),
                ("{unit: day, requests_per_unit: 1.5}", "requests_per_unit: must be a whole"),
                ("{unit: day, requests_per_unit: '1'}", "requests_per_unit: must be a whole"),
                ("{unit: day, requests_per_unit: 010}", "requests_per_unit: must be a whole"),
                ("{unit: day, requests_per_unit: 4294967296}", "requests_per_unit: must be a"),
                ("{unit: day, unlimited: maybe}", "unlimited: must be true or false"),
                ("{unit: day, replaces: [{}]}", "should not have an empty replaces entry"),
                ("{unit: day, replaces: x}", "replaces: must be a list")):
            with self.subTest(limit):
                text = f"domain: d\ndescriptors:\n  - key: k\n    rate_limit: {limit}\n"
                self.assertTrue(self.wrong(text).startswith("4: " + said), self.wrong(text))
        self.assertIn("No such file", self.complaint("limits", "import-envoy", "/nowhere"))
        self.assertIn("there are no limits", self.complaint(
            "limits", "import-envoy", self.write("none.yaml", "domain: d\n")))
        self.assertTrue(self.wrong("domain: d\n\033[31m: x\n").isprintable())

    def test_bombs_of_aliases_end(self):
        names = [chr(97 + i) for i in range(20)]
        below = "\n".join(
            f"  - &{name}\n    key: {name}\n    descriptors: "
            f"[{', '.join(['*' + names[i - 1]] * 10)}]" if i else f"  - &{name} {{key: {name}}}"
            for i, name in enumerate(names))
        self.assertRegex(self.wrong(f"domain: d\ndescriptors:\n{below}\n"),
                         r"^\d+: (?:too large|.*duplicate)")
        merges = "\n".join(f"  - &{name} {{<<: [{', '.join(['*' + names[i - 1]] * 10)}]}}"
                           if i else f"  - &{name} {{key: {name}}}"
                           for i, name in enumerate(names))
        self.assertRegex(self.wrong(f"domain: d\ndescriptors:\n{merges}\n"),
                         r"^\d+: (?:too large|merges nest)")

    def test_a_file_of_ten_megabytes(self):
        limit = "rate_limit: {unit: day, requests_per_unit: 1}"
        path = self.write("large.yaml", "domain: d\ndescriptors:\n" + "".join(
            f"  - {{key: k, value: v{i:040d}, {limit}}}\n" for i in range(100000)))
        self.assertGreater(os.path.getsize(path), 10 * 1000 * 1000)
        limits, _ = self.run_import(path)
        self.assertEqual(len(limits.sections()), 100000)


class SameLimitTest(ImportCase):
    """Any descriptor gets the limit that it would get there."""

    KEYS = ["a", "b=", "c/d"]
    VALUES = ["", "x", "xy", "x/y", "%", "0", "2F", " ", "x0", "yx"]
    PATTERNS = VALUES + ["x*", "*y", "*", "x*y", "*0", "*F", "*2F", "**", "x*y*"]

    def draw_node(self, rng, depth, numbers):
        children = {}
        for _ in range(rng.randrange(5)):
            key, value = rng.choice(self.KEYS), rng.choice(self.PATTERNS)
            node = {"key": key}
            if value:
                node["value"] = value
            if rng.random() < 0.7:
                node["rate_limit"] = {"unit": "day", "requests_per_unit": next(numbers)}
                if rng.random() < 0.2:
                    node["rate_limit"] = {"unlimited": True}
            if depth > 1:
                node["descriptors"] = self.draw_node(rng, depth - 1, numbers)
            children[key, value] = node
        return list(children.values())

    def test_drawn_configurations(self):
        compared = found = 0
        for seed in range(200):
            rng = random.Random(seed)
            config = {"domain": rng.choice(["d", "d/~", "*"]),
                      "descriptors": self.draw_node(rng, 3, iter(range(1, 10000)))}
            lookup = Lookup(config)
            path = self.write("drawn.yaml", json.dumps(config))
            if "rate_limit" not in json.dumps(config):
                continue
            with self.subTest(seed):
                limits, _ = self.run_import(path)
                asked = [[(rng.choice(self.KEYS), rng.choice(self.VALUES))
                          for _ in range(rng.randrange(1, 5))] for _ in range(1000)]
                names = self.limits_of([key_of(config["domain"], one) for one in asked])
                for entries, name in zip(asked, names):
                    limit = lookup.limit(entries)
                    there = None if not limit or limit.get("unlimited") else \
                        limit["requests_per_unit"]
                    here = limits[name] if name else {"action": "allow"}
                    here = {"allow": None, "deny": 0}[here["action"]] if "action" in here \
                        else int(here["capacity"])
                    self.assertEqual(here, there, (config, entries, name))
                    compared, found = compared + 1, found + (there is not None)
        self.assertGreater(compared, 100000)
        self.assertGreater(found, 5000)


class SameDecisionTest(ImportCase):
    def start(self, config):
        self.run_import(self.write("api.yaml", config))
        with open(self.path, encoding="utf-8") as file:
            self.gate = self.daemon(file.read())
        client = http2.Client(("127.0.0.1", self.gate.port))
        self.addCleanup(client.close)
        return client

    def codes(self, client, entries, count):
        """The overall codes of as many calls."""
        return [fields(client.limit("api", descriptor(*entries)).message)[0][1]
                for _ in range(count)]

    def test_decisions_over_grpc(self):
        client = self.start(CONFIG.replace("minute", "year"))
        for entries, codes in (
                ((("user", "1"),), [1, 1, 2]),
                ((("user", ""),), [1, 1, 2]),
                ((("user", "2"), ("path", "/search")), [1] * 4),
                ((("user", "admin"),), [1] * 5),
                ((("user", "guest"),), [1] * 5),
                ((("user", "bot/1"),), [1, 2, 2]),
                ((("user", "bot"), ("path", "/search")), [1] * 5),
                ((("other", "1"),), [1] * 3)):
            with self.subTest(entries):
                self.assertEqual(self.codes(client, entries, len(codes)), codes)

    def test_a_response_has_the_unit(self):
        client = self.start("domain: api\ndescriptors:\n" + "".join(
            f"  - {{key: {unit}, rate_limit: {{unit: {unit}, requests_per_unit: 9}}}}\n"
            for unit in SECONDS))
        numbers = {"SECOND": 1, "MINUTE": 2, "HOUR": 3, "DAY": 4, "MONTH": 5, "YEAR": 6,
                   "WEEK": 7}
        for unit, number in numbers.items():
            status = dict(fields(dict(fields(client.limit(
                "api", descriptor((unit, "x"))).message))[2]))
            self.assertEqual(dict(fields(status[2])),
                             {1: 9, 2: number, 3: f"api_{unit}".encode()})

    def test_a_shared_threshold_is_one_for_all_values(self):
        client = self.start("""
domain: api
descriptors:
  - key: file
    value: a/*
    share_threshold: true
    rate_limit: {unit: year, requests_per_unit: 3}
    descriptors:
      - key: user
        rate_limit: {unit: year, requests_per_unit: 2}
  - key: file
    value: a/own
    rate_limit: {unit: year, requests_per_unit: 1}
""")
        self.assertEqual(self.codes(client, [("file", "a/1")], 2), [1, 1])
        self.assertEqual(self.codes(client, [("file", "a/2")], 2), [1, 2])
        self.assertEqual(self.codes(client, [("file", "a/*")], 1), [2])
        self.assertEqual(self.codes(client, [("file", "a/own")], 2), [1, 2])
        self.assertEqual(self.codes(client, [("file", "a/1"), ("user", "x")], 2), [1, 1])
        self.assertEqual(self.codes(client, [("file", "a/2"), ("user", "x")], 1), [2])
        self.assertEqual(self.codes(client, [("file", "a/2"), ("user", "y")], 3), [1, 1, 2])
        self.assertEqual(self.codes(client, [("file", "b/1")], 4), [1] * 4)


if __name__ == "__main__":
    harness.main()
