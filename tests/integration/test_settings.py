"""Settings from the environment and the command line, beside the file or without one."""

import json
import os
import re
import signal
import subprocess
import unittest

import harness
from harness import DRIPGATED, wait_until

FOLDER = "/etc/dripgate"


def source_of(dump, section, name):
    """Where a dump says that a value is from, the value, or None and the value."""
    body = re.search(rf"(?ms)^\[{section}\]\n(.*?)(?=^\[|\Z)", dump)[1]
    source, value = re.search(
        rf"(?m)(?:^; ((?:\(set\) )?from .*)\n)?^; .*\n{name} = ?(.*)", body).groups()
    return source, value


class SettingsCase(harness.Case):
    def run_dripgated(self, *arguments, cwd=None, **variables):
        return subprocess.run([DRIPGATED, *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, cwd=cwd,
                              timeout=harness.PATIENCE, env={**os.environ, **variables})

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def dump(self, text, *arguments, cwd=None, **variables):
        path = self.write("d.ini", text)
        done = self.run_dripgated("-c", path, *arguments, "--dump-config", cwd=cwd, **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def errors(self, *arguments, **variables):
        """The reasons why it does not start."""
        done = self.run_dripgated("-c", os.devnull, "--check", *arguments, **variables)
        self.assertEqual(done.returncode, 1, done.stdout)
        return [line.partition(" error: ")[2] for line in done.stderr.splitlines()
                if " error: " in line]


class SourcesTest(SettingsCase):
    def test_file_environment_and_command_line_count_in_this_order(self):
        text = "[redis]\nport = 1\n"
        arguments = "--set", "redis.port=3"
        for given, variables, expected in (
                ((), {}, (f"from {self.folder}/d.ini:2", "1")),
                ((), {"DRIPGATE_REDIS_PORT": "2"}, ("from DRIPGATE_REDIS_PORT", "2")),
                (arguments, {"DRIPGATE_REDIS_PORT": "2"}, ("from --set redis.port", "3")),
                (arguments, {}, ("from --set redis.port", "3"))):
            with self.subTest(given=given, variables=variables):
                dump = self.dump(text, *given, **variables).stdout
                self.assertEqual(source_of(dump, "redis", "port"), expected)
        self.assertEqual(source_of(self.dump("").stdout, "redis", "port"), (None, "6379"))

    def test_every_setting_has_a_variable(self):
        dump = self.dump("").stdout
        variables = {}
        for section, body in re.findall(r"(?ms)^\[(\w+)\]\n(.*?)(?=^\[|\Z)", dump):
            for name, value in re.findall(r"(?m)^(\w+) = (.+)$", body):
                variables[f"DRIPGATE_{section}_{name}".upper()] = value.strip('"')
        self.assertGreater(len(variables), 40)
        dump = self.dump("", **variables).stdout
        self.assertEqual(set(re.findall(r"(?m)^; from (\w+)$", dump)), set(variables))

    def test_an_empty_variable_counts_as_none_and_an_empty_argument_as_empty(self):
        text = "[listen]\nline = :1\n"
        dump = self.dump(text, DRIPGATE_LISTEN_LINE="").stdout
        self.assertEqual(source_of(dump, "listen", "line")[1], ":1")
        dump = self.dump(text, "--set", "listen.line=").stdout
        self.assertEqual(source_of(dump, "listen", "line"), ("from --set listen.line", ""))

    def test_a_relative_path_starts_at_the_working_directory(self):
        place = os.path.join(os.path.realpath(self.folder), "elsewhere")
        os.mkdir(place)
        dump = self.dump("", cwd=place, DRIPGATE_LIMITS_FILE="l.ini").stdout
        self.assertEqual(source_of(dump, "limits", "file")[1], os.path.join(place, "l.ini"))

    def test_a_host_replaces_a_socket_and_a_file_a_password(self):
        text = "[redis]\nunix_socket_path = /r\npassword = old\n"
        dump = self.dump(text, DRIPGATE_REDIS_HOST="r",
                         DRIPGATE_REDIS_PASSWORD_FILE=self.write("p", "new\n")).stdout
        self.assertEqual(source_of(dump, "redis", "unix_socket_path"), (None, ""))
        self.assertEqual(source_of(dump, "redis", "password"), (None, ""))

    def test_a_url_replaces_what_counts_less_and_yields_to_what_counts_more(self):
        text = "[redis]\nunix_socket_path = /r\nport = 7\n"
        dump = self.dump(text, "--set", "redis.port=8", DRIPGATE_REDIS_URL="redis://r:9").stdout
        url = "from DRIPGATE_REDIS_URL"
        self.assertEqual(source_of(dump, "redis", "host"), (url, "r"))
        self.assertEqual(source_of(dump, "redis", "unix_socket_path"), (url, ""))
        self.assertEqual(source_of(dump, "redis", "port"), ("from --set redis.port", "8"))
        self.assertEqual(
            self.errors(DRIPGATE_REDIS_URL="redis://r:9", DRIPGATE_REDIS_PORT="8"),
            ["DRIPGATE_REDIS_PORT: DRIPGATE_REDIS_URL says it, too: remove one of them"])


class SecretsTest(SettingsCase):
    def test_a_secret_is_never_shown(self):
        url = self.write("url", "redis://:s3cret@r\n")
        for variables, source in (
                ({"DRIPGATE_REDIS_PASSWORD": "s3cret"}, "DRIPGATE_REDIS_PASSWORD"),
                ({"DRIPGATE_REDIS_URL_FILE": url}, "DRIPGATE_REDIS_URL_FILE")):
            done = self.dump("", **variables)
            self.assertNotIn("s3cret", done.stdout + done.stderr)
            self.assertEqual(source_of(done.stdout, "redis", "password"),
                             (f"(set) from {source}", ""))
        done = self.dump("", "--set", "redis.password=s3cret")
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        self.assertIn("--set redis.password: every user of this machine", done.stderr)

    def test_a_file_of_a_secret_that_is_missing_or_long_is_an_error(self):
        name = "DRIPGATE_REDIS_SENTINEL_PASSWORD_FILE"
        self.assertEqual(self.errors(**{name: "/nowhere"}),
                         [f"{name}: /nowhere: No such file or directory"])
        path = self.write("lines", "a\nb\n")
        self.assertEqual(self.errors(**{name: path}), [f"{name}: {path}: a password is one line"])

    def test_a_password_of_a_variable_opens_redis(self):
        redis = self.redis("--requirepass", "s3cret")
        gate = self.daemon(settings={"store": {"type": "redis"}, "redis": {
            "port": redis.port, "socket_timeout": "5s"}}, env={
                "DRIPGATE_REDIS_PASSWORD_FILE": self.write("password", "s3cret\n")})
        self.assertEqual(self.redis_level(gate), 1)


class MistakesTest(SettingsCase):
    def test_all_mistakes_are_said_at_once_with_what_was_meant(self):
        self.assertCountEqual(
            self.errors("--set", "redi.port=1", "--set", "redis.prt=1", "--set", "x",
                        "--set", "slave:a.host=b", "--set", "log.level=info",
                        "--set", "log.level=debug", "--set", "store.prefix=a\n",
                        DRIPGATE_RDIS_HOST="r",
                        DRIPGATE_STORE_TYPE="redi", DRIPGATE_QQ="", DRIPGATE_="x"),
            ["--set redi.port: unknown; do you mean redis?",
             "--set redis.prt: unknown; do you mean port?",
             "--set x: must be SECTION.NAME=VALUE",
             "--set slave:a.host: only a file can set it",
             "--set log.level: given twice",
             "--set store.prefix: is more than a line",
             "DRIPGATE_RDIS_HOST: unknown; do you mean DRIPGATE_REDIS_HOST?",
             "DRIPGATE_STORE_TYPE: redi is not memory | redis",
             "DRIPGATE_QQ: unknown", "DRIPGATE_: unknown"])

    def test_a_long_name_or_value_is_an_error_and_no_more(self):
        for arguments, variables in (
                (("--set", "x" * 5000 + "." + "y" * 5000 + "=1"), {}),
                (("--set", "redis.host=" + "y" * 50000), {}),
                ((), {"DRIPGATE_" + "X" * 5000: "1"}),
                ((), {"DRIPGATE_REDIS_HOST": "y" * 50000})):
            self.assertEqual(len(self.errors(*arguments, **variables)), 1)
        many = [word for _ in range(200) for word in ("--set", "log.level=info")]
        self.assertEqual(self.run_dripgated(*many).returncode, 2)

    def test_what_kubernetes_sets_for_services_is_no_mistake(self):
        dump = self.dump(
            "", DRIPGATE_SERVICE_HOST="10.0.0.1", DRIPGATE_SERVICE_PORT="1",
            DRIPGATE_SERVICE_PORT_LINE="1", DRIPGATE_PORT="tcp://10.0.0.1:1",
            DRIPGATE_PORT_1_TCP="tcp://10.0.0.1:1", DRIPGATE_PORT_1_TCP_PORT="1",
            DRIPGATE_REDIS_PORT="tcp://10.0.0.2:2", DRIPGATE_SECRET="x").stdout
        self.assertNotIn("; from ", dump)


class DaemonTest(SettingsCase):
    def test_lines_of_the_log_may_be_objects(self):
        gate = self.daemon()
        gate.settings["log"] = {"format": "json"}
        gate.write_config()
        gate.reload()
        before = len(gate.log())
        gate.write_limits("[a\"b]\nmatch = \n")
        gate.send(signal.SIGHUP)
        wait_until(lambda: "not reloaded" in gate.log()[before:], "the refusal")
        lines = [json.loads(line) for line in gate.log()[before:].splitlines()]
        self.assertEqual({tuple(line) for line in lines}, {("time", "level", "message")})
        self.assertEqual({line["level"] for line in lines}, {"error"})
        self.assertIn('[a"b]', lines[0]["message"])

    def test_a_reload_keeps_what_counts_more_than_the_file(self):
        gate = self.daemon(settings={"limits": {"unmatched": "allow"}},
                           env={"DRIPGATE_LIMITS_UNMATCHED": "deny"})
        gate.settings["limits"]["unmatched"] = "error"
        gate.settings["log"] = {"level": "debug"}
        gate.write_config()
        self.assertNotIn("not reloaded", gate.reload())
        self.assertTrue(gate.ask("peek nobody").startswith("DENY limit=- "))

    @unittest.skipIf(os.path.exists(FOLDER), f"this machine has {FOLDER}")
    def test_it_runs_without_any_file_and_reloads(self):
        port = harness.free_port()
        gate = self.started(harness.Process(
            self.folder, "bare", [DRIPGATED, "-s", f"listen.line=127.0.0.1:{port}"],
            env={"DRIPGATE_ADMIN_LISTEN": f"127.0.0.1:{harness.free_port()}"}))
        wait_until(lambda: "try: printf " in gate.log(), "dripgated")
        self.assertEqual(gate.log().count("no limits: /etc/dripgate/limits.ini does not exist"), 1)
        with harness.Client(("127.0.0.1", port)) as client:
            self.assertTrue(client.ask("consume a").startswith("ALLOW limit=- "))
        gate.send(signal.SIGHUP)
        wait_until(lambda: "reloaded: 0 limits in force" in gate.log(), "the reload")
        gate.send(signal.SIGTERM)
        self.assertEqual(gate.popen.wait(harness.PATIENCE), 0)

    @unittest.skipIf(os.path.exists(FOLDER), f"this machine has {FOLDER}")
    def test_a_file_of_limits_that_is_named_must_exist(self):
        done = self.run_dripgated("--check", DRIPGATE_LIMITS_FILE="/nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere: No such file or directory", done.stderr)


if __name__ == "__main__":
    harness.main()
