"""conf/container: the image's root, made as the Containerfile makes it, and run as an
engine would: read-only, as any user, as process 1, without /proc, in 64 MiB."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.request

import harness
from harness import DRIPGATE, DRIPGATED, ROOT, Client, Process, free_port, wait_until

FOLDER = os.path.join(ROOT, "conf", "container")
FILES = [os.path.join(FOLDER, name) for name in (
    "compose.yaml", "kubernetes/dripgate.yaml", "kubernetes/daemonset.yaml",
    "kubernetes/sidecar.yaml")]
USER = 4242


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def is_sanitized():
    """Whether the daemon is built with sanitizers, which need /proc and more room."""
    return "build-" in DRIPGATED


def can_unshare():
    return os.geteuid() == 0 and all(map(shutil.which, ("unshare", "setpriv", "ldd"))) and \
        subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False,
                       capture_output=True).returncode == 0


def memory_group(name):
    """A control group of our own for memory, a path; None: there is none to be had."""
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            folder = f"/sys/fs/cgroup/memory{path}/{name}"
            with contextlib.suppress(OSError):
                os.mkdir(folder)
                return folder
    return None


def remove(folder):
    """Whether an empty folder is gone."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.exists(folder)


@unittest.skipUnless(can_unshare(), "needs root, and namespaces")
@unittest.skipIf(is_sanitized(), "sanitizers need /proc")
class ImageTest(harness.Case):
    def setUp(self):
        super().setUp()
        # Its path leads through folders that any user may pass.
        self.root = tempfile.mkdtemp(prefix="dripgate-image-")
        self.addCleanup(shutil.rmtree, self.root)
        subprocess.run([os.path.join(FOLDER, "root.sh"), self.root, DRIPGATED, DRIPGATE],
                       check=True)
        os.chmod(self.root, 0o755)
        # As engines do.
        with open(os.path.join(self.root, "etc", "hosts"), "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n")
        self.port, self.admin = free_port(), free_port()

    def environment(self, **more):
        """As the Containerfile sets it, but on ports of this test."""
        values = dict(re.findall(r"(DRIPGATE_\w+)=(\S+)", read(os.path.join(FOLDER, "Containerfile"))))
        self.assertEqual((values["DRIPGATE_LISTEN_LINE"], values["DRIPGATE_ADMIN_LISTEN"]),
                         (":14290", ":14291"))
        values.update(DRIPGATE_LISTEN_LINE=f":{self.port}",
                      DRIPGATE_ADMIN_LISTEN=f":{self.admin}", **more)
        return [f"{name}={value}" for name, value in values.items()]

    def command(self, *argv, **env):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", """
            mount --bind "$0" "$0"
            mount -o remount,bind,ro "$0"
            exec env -i "$@"
            """, self.root, *self.environment(**env), shutil.which("chroot"), f"--userspec={USER}:{USER}",
                "--groups=", self.root, *argv]

    def first(self, outer):
        """The process that is 1 in the namespace that outer made."""
        def find():
            with open(f"/proc/{outer}/task/{outer}/children", encoding="ascii") as file:
                pids = file.read().split()
            return pids and os.readlink(f"/proc/{pids[0]}/exe").endswith("/dripgated") and int(pids[0])
        return wait_until(find, "process 1")

    def start(self, before=(), **env):
        """The daemon, by a command before."""
        process = Process(self.folder, "container",
                          [*before, *self.command("/usr/bin/dripgated", **env)])
        self.addCleanup(self.kill, process)
        process.first = self.first(process.pid)
        wait_until(lambda: "listening on" in process.log() or not process.is_running(), "the start")
        self.assertTrue(process.is_running(), process.log())
        return process

    def kill(self, process):
        """What is left of a test that failed: unshare does not end who changed its user."""
        if process.is_running():
            os.kill(self.first(process.pid), signal.SIGKILL)
        process.kill()

    def ask(self, *lines):
        with Client(("127.0.0.1", self.port)) as client:
            return client.ask(*lines)

    def tool(self, *arguments):
        return subprocess.run(self.command("/usr/bin/dripgate", *arguments), check=False,
                              capture_output=True, text=True, timeout=harness.PATIENCE)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}",
                                    timeout=harness.PATIENCE) as response:
            return response.status, response.read().decode()

    def stop(self, process, number=signal.SIGTERM):
        os.kill(process.first, number)
        self.assertEqual(process.wait(), 0, process.log())

    def test_it_decides_and_ends_as_process_1_of_any_user_on_a_root_that_is_read_only(self):
        process = self.start()
        status = read(f"/proc/{process.first}/status")
        self.assertRegex(status, r"(?m)^NSpid:.*\t1$")
        self.assertRegex(status, rf"(?m)^Uid:\t{USER}\t{USER}\t")
        self.assertTrue(self.ask("consume login:42").startswith("ALLOW limit=login level=1 "))
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertIn("dripgate_limit_decisions_total", self.get("/metrics")[1])
        self.stop(process)
        self.assertIn("draining", process.log())
        self.assertNotIn("error", process.log())

    def test_the_root_has_what_is_needed_and_no_more(self):
        have = sorted(os.path.relpath(os.path.join(folder, name), self.root)
                      for folder, _, names in os.walk(self.root) for name in names)
        libraries = [name for name in have if ".so" in name]
        self.assertGreater(len(libraries), 5)
        zones = [name for name in have if name.startswith("usr/share/zoneinfo/")]
        self.assertIn("usr/share/zoneinfo/Europe/Berlin", zones)
        self.assertEqual([name for name in have if name not in libraries + zones], [
            "etc/dripgate/dripgate.ini", "etc/dripgate/limits.ini", "etc/group", "etc/hosts",
            "etc/nsswitch.conf",
            "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/bin/dripgate", "usr/bin/dripgated"])
        self.assertLess(sum(os.path.getsize(os.path.join(self.root, name)) for name in have), 30 << 20)

    def test_the_check_of_its_health(self):
        [command] = re.findall(r"HEALTHCHECK .* CMD \[(.*)\]", read(os.path.join(FOLDER, "Containerfile")))
        path, *arguments = re.findall(r'"([^"]*)"', command)
        self.assertEqual(path, "/usr/bin/dripgate")
        self.assertNotEqual(self.tool(*arguments).returncode, 0)
        process = self.start()
        self.assertEqual(self.tool(*arguments).returncode, 0, self.tool(*arguments))
        self.stop(process)

    def test_a_config_map_that_changes_is_taken_over(self):
        limits = os.path.join(self.root, "etc", "dripgate", "limits")
        os.mkdir(limits)

        def put(version, capacity):
            os.mkdir(os.path.join(limits, version))
            with open(os.path.join(limits, version, "limits.ini"), "w", encoding="ascii") as file:
                file.write(f"[a]\nmatch = a\ncapacity = {capacity}\nrecharge = 1h\n")
            os.symlink(version, os.path.join(limits, "..data_tmp"))
            os.rename(os.path.join(limits, "..data_tmp"), os.path.join(limits, "..data"))

        put("..1", 5)
        os.symlink("..data/limits.ini", os.path.join(limits, "limits.ini"))
        process = self.start(DRIPGATE_LIMITS_FILE="/etc/dripgate/limits/limits.ini",
                             DRIPGATE_LIMITS_WATCH="yes")
        self.assertIn(" capacity=5 ", self.ask("peek a"))
        put("..2", 7)
        wait_until(lambda: " capacity=7 " in self.ask("peek a"), "the new limits")
        self.stop(process)

    def test_the_password_of_redis_is_in_a_file(self):
        redis = self.redis()
        redis.ask("CONFIG", "SET", "requirepass", "sesame")
        with open(os.path.join(self.root, "etc", "password"), "w", encoding="ascii") as file:
            file.write("sesame\n")
        os.chmod(file.name, 0o644)
        process = self.start(DRIPGATE_STORE_TYPE="redis", DRIPGATE_REDIS_HOST="localhost",
                             DRIPGATE_REDIS_PORT=redis.port, DRIPGATE_REDIS_SOCKET_TIMEOUT="20s",
                             DRIPGATE_REDIS_CONNECT_TIMEOUT="20s",
                             DRIPGATE_REDIS_PASSWORD_FILE="/etc/password")
        self.assertTrue(self.ask("consume login:42").endswith(" from=redis"), process.log())
        self.stop(process)

    def test_64_mib_are_enough_for_what_the_manifests_say(self):
        group = memory_group(f"dripgate-test-{os.getpid()}")
        if not group:
            self.skipTest("needs a control group for memory")
        self.addCleanup(wait_until, lambda: remove(group), "the end of the group")
        with open(os.path.join(group, "memory.limit_in_bytes"), "w", encoding="ascii") as file:
            file.write(str(64 << 20))
        manifest = read(FILES[2])
        env = dict(re.findall(r'- name: (DRIPGATE_STORE_MAX_BUCKETS|DRIPGATE_WORKERS_COUNT)\n +value: "(\d+)"',
                              manifest))
        self.assertEqual(re.findall(r"limits:\n +memory: (\w+)", manifest), ["64Mi"])
        self.assertEqual(len(env), 2)
        os.makedirs(os.path.join(self.root, "etc", "more"))
        with open(os.path.join(self.root, "etc", "more", "limits.ini"), "w", encoding="ascii") as file:
            file.write("[a]\nmatch = *\ncapacity = 5\nrecharge = 1h\n")
        process = self.start(
            ["sh", "-c", 'echo $$ >"$0" && exec "$@"', os.path.join(group, "cgroup.procs")],
            DRIPGATE_LIMITS_FILE="/etc/more/limits.ini", **env)
        self.assertIn(group.partition("memory")[2], read(f"/proc/{process.first}/cgroup"))
        count, step = int(env["DRIPGATE_STORE_MAX_BUCKETS"]), 1000
        with Client(("127.0.0.1", self.port)) as client:
            for start in range(0, count, step):
                client.send("".join(f"consume key:{i}\n" for i in range(start, start + step)))
                for _ in range(step):
                    self.assertIn(client.line()[:5], ("ALLOW", "DENY "))
            stats = dict(line.split(" ", 1) for line in self.tool("stats").stdout.splitlines())
        self.assertGreater(int(stats["memory_buckets"]), count // 2)
        self.assertLess(int(read(os.path.join(group, "memory.max_usage_in_bytes"))), 64 << 20)
        self.stop(process)

    def test_a_stop_before_it_is_ready_is_not_lost(self):
        """The kernel drops a signal for process 1 that it does not catch."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        ptrace_traceme, ptrace_detach, ptrace_syscall, clone_newpid = 0, 17, 24, 0x20000000
        argv = [*self.environment(), "/usr/bin/dripgated"]
        middle = os.fork()
        if middle == 0: # it traces process 1 of a namespace of its own
            status = 3
            with contextlib.suppress(BaseException):
                libc.unshare(clone_newpid)
                first = os.fork()
                if first == 0:
                    log = os.open(os.path.join(self.folder, "log"), os.O_WRONLY | os.O_CREAT)
                    os.dup2(log, 2)
                    os.chroot(self.root)
                    os.setuid(USER)
                    libc.ptrace(ptrace_traceme, 0, None, None)
                    os.execve(argv[-1], argv[-1:], dict(word.split("=", 1) for word in argv[:-1]))
                os.waitpid(first, 0)
                while not int(re.search(r"SigBlk:\t(\w+)", read(f"/proc/{first}/status"))[1], 16) & 1:
                    libc.ptrace(ptrace_syscall, first, None, None)
                    os.waitpid(first, 0)
                os.kill(first, signal.SIGTERM)
                libc.ptrace(ptrace_detach, first, None, None)
                signal.signal(signal.SIGALRM, lambda *_: os.kill(first, signal.SIGKILL))
                signal.alarm(harness.PATIENCE)
                status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(middle, 0)[1])
        self.assertEqual(status, 0, read(os.path.join(self.folder, "log")))


class ManifestTest(harness.Case):
    def parse(self, path):
        """The documents of a YAML file."""
        try:
            import yaml # not of the standard library
        except ImportError:
            ruby = shutil.which("ruby")
            if not ruby:
                self.skipTest("needs PyYAML or Ruby")
            import json
            return json.loads(subprocess.run(
                [ruby, "-ryaml", "-rjson", "-e",
                 "puts YAML.load_stream(File.read(ARGV[0])).to_json", path],
                check=True, capture_output=True, text=True).stdout)
        with open(path, encoding="utf-8") as file:
            return list(yaml.safe_load_all(file))

    def containers(self):
        """(file, container) of each dripgate of the Kubernetes manifests."""
        found = []
        for path in FILES[1:]:
            for document in self.parse(path):
                self.assertIn("apiVersion", document)
                self.assertIn("name", document["metadata"])
                spec = document.get("spec", {}).get("template", {}).get("spec", {})
                for container in spec.get("containers", []) + spec.get("initContainers", []):
                    if container["name"] == "dripgate":
                        found.append((document, spec, container))
        self.assertEqual(len(found), 2)
        return found

    def check_environment(self, env):
        """Each is a setting, and its value one that the daemon takes."""
        result = subprocess.run(
            [DRIPGATED, "-c", os.path.join(ROOT, "conf", "dripgate.ini"), "--dump-config"],
            env={**os.environ, **env}, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreaterEqual(len(env), 3)
        for name in env:
            self.assertIn(f"\n; from {name}\n", result.stdout)

    def test_the_settings_are_settings(self):
        for _, _, container in self.containers():
            self.check_environment({each["name"]: each["value"] for each in container["env"]
                                    if not each["name"].endswith("PASSWORD_FILE")})
        [compose] = self.parse(FILES[0])
        env = dict(compose["services"]["dripgate"]["environment"])
        del env["DRIPGATE_REDIS_PASSWORD_FILE"]
        self.check_environment(env)

    def test_the_version_is_that_of_the_programs(self):
        version = subprocess.run([DRIPGATED, "--version"], capture_output=True, text=True,
                                 check=True).stdout.split()[1]
        for path in FILES:
            for image in re.findall(r"image: (dripgate.*)", read(path)):
                self.assertEqual(image, f"dripgate:{version}")

    def test_the_probes_and_mounts_lead_somewhere(self):
        for document, spec, container in self.containers():
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            self.assertEqual(ports["admin"], 14291)
            for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                                ("readinessProbe", "/readyz")):
                self.assertEqual(container[probe]["httpGet"], {"path": path, "port": "admin"})
            self.assertEqual({mount["name"] for mount in container["volumeMounts"]},
                             {volume["name"] for volume in spec["volumes"]})
            notes = document["spec"]["template"]["metadata"]["annotations"]
            self.assertEqual((notes["prometheus.io/port"], notes["prometheus.io/path"]),
                             ("14291", "/metrics"))
            self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
            self.assertGreater(spec["terminationGracePeriodSeconds"], 10)

    def test_the_limits_of_the_config_map_are_limits(self):
        [limits] = [document["data"]["limits.ini"] for document in self.parse(FILES[1])
                    if document["kind"] == "ConfigMap"]
        path = os.path.join(self.folder, "limits.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(limits)
        subprocess.run([DRIPGATE, "limits", "check", path], check=True, capture_output=True)


if __name__ == "__main__":
    harness.main()
