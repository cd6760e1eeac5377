"""Clients of Redis as they come, which know nothing but where to connect.

Each row of CLIENTS is one.  Its program gets the client's name, a port and a
key, and prints as JSON what it got for (those that end in -tls: over TLS, with
the authority's certificate in the file $CA)

    consume      CONSUME key 3
    pipeline     ten times CONSUME key in a pipeline: the levels
    transaction  three times CONSUME key in a transaction: the levels
    throttle     CL.THROTTLE key 4 1 3600

Each language's own tool installs the packages into build/clients, in their newest
versions (Java's are those of pom.xml; C's, PHP's and Ruby's are Debian's:
libhiredis-dev, php-redis, php-nrk-predis, ruby-redis).  A language whose tools are
not there is left out, and said.
Needs the registries: run it with `make check-clients`, or some of it with
CLIENTS="redis-py jedis".
"""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build", "clients"))

sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

import certificates  # noqa: E402  (found only now)
import harness  # noqa: E402

PATIENCE = 60

EXPECTED = {
    "consume": [1, 3, 1000, None, 0, 0, "hot", "memory", ""],
    "pipeline": list(range(4, 14)),
    "transaction": [14, 15, 16],
    "throttle": [0, 5, 4, -1, 3600],
}


def run(*argv, cwd=None, patience=1200):
    subprocess.run(argv, cwd=cwd, check=True, timeout=patience, stdout=sys.stderr)


def copied(name):
    """A copy of that folder where things are built."""
    path = os.path.join(BUILD, name)
    shutil.copytree(os.path.join(HERE, name), path, dirs_exist_ok=True)
    return path


def build_go():
    folder = copied("go")
    run("go", "get", "-u", ".", cwd=folder)
    run("go", "mod", "tidy", cwd=folder)
    run("go", "build", "-o", "clients", ".", cwd=folder)
    return [os.path.join(folder, "clients")]


def build_python():
    folder = os.path.join(BUILD, "python")
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        run(sys.executable, "-m", "venv", folder)
    run(python, "-m", "pip", "install", "-q", "-U", "redis", "valkey", "coredis")
    return [python, os.path.join(HERE, "python.py")]


def build_node():
    folder = os.path.join(BUILD, "node")
    os.makedirs(folder, exist_ok=True)
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder,
        "ioredis@latest", "redis@latest", "@valkey/valkey-glide@latest")
    return ["env", f"NODE_PATH={folder}/node_modules", "node", os.path.join(HERE, "node.js")]


def build_rust():
    folder = copied("rust")
    run("cargo", "build", "-q", cwd=folder)
    return [os.path.join(folder, "target", "debug", "rust-clients")]


def build_java():
    folder = copied("java")
    run("mvn", "-q", "-B", "compile", "dependency:copy-dependencies", cwd=folder)
    target = os.path.join(folder, "target")
    return ["java", "-cp", f"{target}/classes:{target}/dependency/*", "Clients"]


def build_php():
    return ["php", os.path.join(HERE, "php.php")]


def build_ruby():
    return ["ruby", os.path.join(HERE, "ruby.rb")]


def build_c():
    path = os.path.join(BUILD, "hiredis")
    run("cc", "-o", path, os.path.join(HERE, "hiredis.c"), "-lhiredis")
    return [path]


# Language: the tool that it needs, and what builds its programs.
LANGUAGES = {
    "c": ("cc", build_c), "go": ("go", build_go), "java": ("mvn", build_java),
    "node": ("npm", build_node), "php": ("php", build_php), "python": ("python3", build_python),
    "ruby": ("ruby", build_ruby), "rust": ("cargo", build_rust),
}

# Client, its language, and what it has no pipeline for.
CLIENTS = (
    ("hiredis", "c", ()),
    ("go-redis", "go", ()), ("go-redis-tls", "go", ()), ("redigo", "go", ()), ("rueidis", "go", ()), ("valkey-go", "go", ()),
    ("redis-py", "python", ()), ("redis-py-tls", "python", ()), ("valkey-py", "python", ()),
    ("coredis", "python", ()),
    ("ioredis", "node", ()), ("ioredis-resp2", "node", ()),
    ("node-redis", "node", ()), ("node-redis-resp3", "node", ()), ("valkey-glide", "node", ()),
    ("phpredis", "php", ()), ("predis", "php", ()),
    ("redis-rb", "ruby", ()),
    ("jedis", "java", ()), ("lettuce", "java", ()), ("redisson", "java", ("transaction",)),
    ("redis-rs", "rust", ()), ("fred", "rust", ()), ("fred-resp3", "rust", ()),
)


def ask(program, name, daemon, authority):
    """What is wrong with it, or None."""
    key = f"hot:{name}"
    try:
        done = subprocess.run([*program, name, str(daemon.port), key], text=True,
                              capture_output=True, timeout=PATIENCE, check=False,
                              env={**os.environ, "CA": authority})
    except subprocess.TimeoutExpired:
        return f"no answer for {PATIENCE} s"
    if done.returncode != 0 or not done.stdout:
        return (done.stderr or done.stdout).strip()[-300:] or f"exit {done.returncode}"
    answers = json.loads(done.stdout.strip().splitlines()[-1])
    missing = next(lacks for client, _, lacks in CLIENTS if client == name)
    for what, expected in EXPECTED.items():
        got = answers.get(what)
        if what == "consume" and isinstance(got, list) and len(got) > 3:
            got[3] = None  # the time until the next drop
        if what not in missing and got != expected:
            return f"{what}: {got}"
    return None


def programs(names):
    """{language: how to start its programs, or what is wrong}"""
    os.makedirs(BUILD, exist_ok=True)
    built = {}
    for language in sorted({language for name, language, _ in CLIENTS if name in names}):
        tool, build = LANGUAGES[language]
        if not shutil.which(tool):
            built[language] = f"left out: no {tool}"
            continue
        try:
            built[language] = build()
        except (OSError, subprocess.SubprocessError) as error:
            built[language] = f"not built: {error}"
    return built


class ClientsTest(harness.Case):
    def test_clients(self):
        wanted = os.environ.get("CLIENTS", "").split() or [name for name, _, _ in CLIENTS]
        built = programs(wanted)
        authority = certificates.Authority(self.folder)
        certificate, key = authority.issue("IP:127.0.0.1,DNS:localhost")
        daemon = self.daemon(harness.ALL_KINDS)
        over_tls = self.daemon(harness.ALL_KINDS, {"listen": {
            "tls": "yes", "cert_file": certificate, "key_file": key}})
        failed = []
        for name, language, _ in CLIENTS:
            if name not in wanted:
                continue
            program = built[language]
            asked = over_tls if name.endswith("-tls") else daemon
            wrong = (program if isinstance(program, str)
                     else ask(program, name, asked, authority.path))
            print(f"{name:18} {wrong or 'fine'}", flush=True)
            if wrong and not str(wrong).startswith("left out"):
                failed.append(name)
        self.assertEqual(failed, [])
        self.assertEqual(daemon.stats()["bad_lines"], 0)


if __name__ == "__main__":
    harness.main()
