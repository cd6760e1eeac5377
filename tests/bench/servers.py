"""The processes that are measured: started for a row, and stopped after it."""

import contextlib
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import time

from rude import KINDS, RudeClients

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOAD = os.environ.get("LOAD", str(ROOT / "build/load"))
DRIPGATED = os.environ.get("DRIPGATED", str(ROOT / "build/dripgated"))
NGINX = os.environ.get("NGINX") or shutil.which("nginx", path="/usr/sbin:/usr/bin")
HAPROXY = os.environ.get("HAPROXY") or shutil.which(
    "haproxy", path="/usr/sbin:/usr/bin")
REDIS_SERVER = os.environ.get("REDIS_SERVER", "redis-server")

KEYS = 100_000

# So large that nothing is ever denied: a denial costs less than an admission.
CAPACITY = 1_000_000_000
RECHARGE_US = 1_000
ADMITS = f"capacity = {CAPACITY}\nrecharge = {RECHARGE_US}us\n"
# With the default of 50 ms, a row fails when the machine halts for that long.
PATIENCE = "1s"

LOGIN = "[login]\nmatch = login:*\n"

TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A measurement that would mean nothing."""


def cpu_seconds(pid):
    """What a process with all its threads has used, user and system."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def machine_cpu_seconds():
    """What all processes have used, and what the host took away."""
    line = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*argv):
    """Run a program that prepares a row."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{argv[0]}: {done.stdout[-500:]}{done.stderr[-500:]}")


def free_bus_port():
    """One that leaves room for the port of a cluster's bus, 10,000 above."""
    while (port := free_port()) > 55_000:
        pass
    return port


def allow_descriptors(count):
    """Let this process and those that it starts have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Failed(f"needs {count} descriptors, ulimit -Hn is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


class Server:
    """A process that is measured, and where it listens."""

    def __init__(self, name, argv, port, unix):
        self.name, self.port = name, port
        self.tcp, self.unix = f"127.0.0.1:{port}", f"unix:{unix}"
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def connect_unix(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(self.unix.removeprefix("unix:"))
        return s

    def wait(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.connect().close()
                return
            time.sleep(0.01)
        raise Failed(f"{self.name} does not start: {self.last_words()}")

    def last_words(self):
        """What became of it, for the report of a failure."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").splitlines()[-5:]
        status = self.process.poll()
        return "\n  ".join([f"{self.name} " + (
            "runs" if status is None else f"ended with {status}")] + lines)

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def thread_cpu(self):
        """{thread: what it has used}"""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return {task.name: cpu_seconds(f"{self.process.pid}/task/{task.name}")
                for task in tasks}

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def stats(self):
        """What dripgated counts."""
        with self.connect_unix() as s, s.makefile("rw") as lines:
            lines.write("STATS\n")
            lines.flush()
            words = (line.split() for line in iter(lines.readline, "END\n"))
            return {name: int(value) for name, value in words}

    def wait_for_stat(self, name, least):
        deadline = time.monotonic() + 10
        while (stats := self.stats())[name] < least:
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: {name} {stats[name]}, not {least}")
            time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Together:
    """Servers that do the work of one: their CPU time is summed."""

    def __init__(self, name, servers):
        self.name, self.servers = name, servers

    def cpu(self):
        return sum(server.cpu() for server in self.servers)

    def last_words(self):
        return "\n  ".join(server.last_words() for server in self.servers)


class Stage:
    """The servers of one row, and the folder for their files."""

    def __init__(self, transport="tcp"):
        self.transport = transport
        self.exits = contextlib.ExitStack()
        self.folder = pathlib.Path(self.exits.enter_context(
            tempfile.TemporaryDirectory(prefix="dripgate-bench.")))
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self.exits.__exit__(*exception)

    def address(self, server):
        return getattr(server, self.transport)

    def start(self, name, make_argv):
        self.count += 1
        port, path = free_bus_port(), self.folder / f"{name}{self.count}.sock"
        server = Server(name, make_argv(port, path), port, path)
        self.exits.callback(server.stop)
        return server

    def redis(self, *options):
        """The last option counts where one comes twice."""
        return self.start("redis", lambda port, path: [
            REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1",
            "--unixsocket", str(path), "--save", "", "--appendonly", "no",
            "--dir", str(self.folder),
            *(option.format(port=port) for option in options)])

    def redis_by_tls(self):
        """One that has a port for TLS and no other, and its authority's file."""
        key, certificate = self.folder / "tls.key", self.folder / "tls.crt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", key, "-out", certificate)
        return self.redis(
            "--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no",
            "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
            "--tls-ca-cert-file", str(certificate)), certificate

    def redis_cluster(self, masters):
        servers = [self.redis(
            "--cluster-enabled", "yes", "--cluster-node-timeout", "60000",
            "--cluster-config-file", f"nodes-{i}.conf") for i in range(masters)]
        run("redis-cli", "--cluster", "create", *(s.tcp for s in servers),
            "--cluster-yes")
        return Together("redis", servers)

    def dripgated(self, redis=None, limits=LOGIN + ADMITS, workers=1,
                  max_buckets=1_000_000, patience=PATIENCE, topology=None,
                  listen="", more=""):
        """${topology}: settings of [redis] that say where the servers are;
        ${more}: sections."""
        def argv(port, path):
            file = path.with_suffix(".limits.ini")
            file.write_text(limits)
            text = (f"[listen]\nline = 127.0.0.1:{port}\nunix = {path}\n"
                    f"max_clients = 11000\n{listen}[workers]\ncount = {workers}\n"
                    f"[limits]\nfile = {file}\n[store]\n"
                    f"type = {'redis' if redis else 'memory'}\n"
                    f"max_buckets = {max_buckets}\n")
            if redis:
                text += f"[redis]\nsocket_timeout = {patience}\n"
            if topology:
                text += topology
            elif redis and self.transport == "tcp":
                text += f"host = 127.0.0.1\nport = {redis.port}\n"
            elif redis:
                path_of = redis.unix.removeprefix("unix:")
                text += f"unix_socket_path = {path_of}\n"
            config = path.with_suffix(".dripgate.ini")
            config.write_text(text + more)
            return [DRIPGATED, "-c", str(config)]

        server = self.start("dripgated", argv)
        if redis:
            server.wait_for_stat("redis_ready", 1)
        return server

    def haproxy(self, server):
        """One thread, which passes bytes on to ${server}."""
        if not HAPROXY:
            raise Failed("needs haproxy")

        def argv(port, path):
            config = path.with_suffix(".haproxy.conf")
            config.write_text(
                "global\n nbthread 1\n"
                "defaults\n mode tcp\n timeout client 1m\n timeout server 1m\n"
                " timeout connect 10s\n"
                f"listen one\n bind 127.0.0.1:{port}\n"
                f" server one {server.tcp}\n")
            return [HAPROXY, "-f", str(config)]
        return self.start("haproxy", argv)

    def nginx(self, says="return 200;", limits=False):
        """It ${says} that, of what its limit_req lets through."""
        if not NGINX:
            raise Failed("needs nginx")
        zone = "limit_req_zone $arg_key zone=key:100m rate=1000000r/s;"
        use = "limit_req zone=key burst=1000000 nodelay;"

        def argv(port, path):
            folder = path.with_suffix(".d")
            folder.mkdir()
            user = "user root;" if os.geteuid() == 0 else ""
            config = path.with_suffix(".nginx.conf")
            config.write_text(
                f"daemon off; master_process off; {user} pid {folder}/pid;\n"
                "error_log stderr;\nevents { worker_connections 12000; }\n"
                "http { access_log off; keepalive_requests 1000000000;\n"
                f"{zone if limits else ''}\n"
                + "".join(f"{name}_temp_path {folder}/{name};\n" for name in (
                    "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                + f"server {{ listen 127.0.0.1:{port}; listen unix:{path};\n"
                + (f"location / {{ {use} try_files /none @ok; }}\n"
                   f"location @ok {{ {says} }}\n" if limits else
                   f"location / {{ {says} }}\n") +
                "} }\n")
            return [NGINX, "-c", str(config), "-p", str(folder)]
        return self.start("nginx", argv)

    def script(self):
        """The script as the Makefile builds it into the daemon."""
        text = "".join((ROOT / "lua" / name).read_text()
                       for name in ("common.lua", "algorithm/leaky_bucket.lua",
                                    "fields.lua", "batch.lua"))
        path = self.folder / "script.lua"
        path.write_text(text)
        return path

    def idle_clients(self, server, count):
        """Connect so many clients that say nothing."""
        for _ in range(count):
            self.exits.enter_context(server.connect())
        server.wait_for_stat("clients", count)

    def rude_clients(self, server, count, kinds=KINDS):
        """Have so many clients misbehave."""
        self.exits.callback(RudeClients(server.connect, count, kinds).stop)

    def certificate(self):
        """The lines of [listen] with a certificate of our own."""
        pair = self.folder / "tls.pem", self.folder / "tls.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=bench",
             "-out", pair[0], "-keyout", pair[1]], check=True,
            capture_output=True)
        return "tls = yes\ncert_file = {}\nkey_file = {}\n".format(*pair)


def fill(redis, key=b"login:%d"):
    """Give Redis a value of the size of a bucket for every key."""
    commands = b"".join(b"SET " + key % i + b" 1700000000000000\r\n"
                        for i in range(KEYS))
    with redis.connect() as s:
        s.sendall(commands)
        left = KEYS * len(b"+OK\r\n")
        while left > 0:
            left -= len(s.recv(65536)) or left
