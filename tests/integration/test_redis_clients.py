"""Real clients of Redis, which know nothing but where to connect.

redis-cli, redis-benchmark, hiredis, python3-redis and node-redis are Debian's.
Those that the registries have are tried by `make check-clients`.
"""

import contextlib
import json
import os
import subprocess
import sys

import harness
from harness import wait_until

LIMITS = harness.ALL_KINDS
HIREDIS = os.environ.get("HIREDIS", os.path.join(harness.ROOT, "build", "hiredis"))

PYTHON = """
import json, sys, redis

client = redis.Redis(port=int(sys.argv[1]), client_name="test", decode_responses=True)
answers = [client.ping(), client.execute_command("CONSUME", "hot:1", 3)]
for pipeline in client.pipeline(), client.pipeline(transaction=False):
    for _ in range(50):
        pipeline.execute_command("CONSUME", "hot:1")
    answers.append([reply[1] for reply in pipeline.execute()])
answers.append(client.execute_command("CL.THROTTLE", "u", 4, 1, 3600))
try:
    client.execute_command("CONSUME")
except redis.ResponseError as error:
    answers.append(str(error))
answers += [client.execute_command("RESET", "hot:1"), client.echo("x"),
            client.info()["loading"], client.config_get("save"),
            client.client_id() > 0, client.execute_command("HELLO")[5],
            len(client.execute_command("COMMAND")) > 10]
print(json.dumps(answers))
"""

PYTHON_ANSWERS = [
    True, [1, 3, 1000, 0, 0, 0, "hot", "memory", ""],
    list(range(4, 54)), list(range(54, 104)), [0, 5, 4, -1, 3600],
    "wrong number of arguments for 'consume' command", "OK", "x", 0, {"save": ""},
    True, 2, True]

NODE = """
async function main() {
    const client = await connect(Number(process.argv[1]));
    const send = (...words) => client.sendCommand(words);
    const answers = [await send("PING"), await send("CONSUME", "hot:1", "3")];
    const many = [];
    for (let i = 0; i < 100; i++)
        many.push(send("CONSUME", "hot:1"));
    answers.push((await Promise.all(many)).map(level));
    answers.push(await send("CL.THROTTLE", "u", "4", "1", "3600"));
    await send("CONSUME").catch(error => answers.push(error.message));
    answers.push(await send("RESET", "hot:1"));
    console.log(JSON.stringify(answers));
    await client.quit();
}
const level = reply => reply[1];
main().catch(error => { console.error(error); process.exit(1); });
"""

NODE_REDIS = """
async function connect(port) {
    const client = require("redis").createClient({...options, socket: {port}, name: "test"});
    client.on("error", error => { throw error; });
    await client.connect();
    return client;
}
""" + NODE

NODE_ANSWERS = [
    "PONG", [1, 3, 1000, 0, 0, 0, "hot", "memory", ""], list(range(4, 104)), [0, 5, 4, -1, 3600],
    "ERR wrong number of arguments for 'consume' command", "OK"]


def untimed(answers):
    """The same, where a decision's time to the next drop is as expected."""
    decision = answers[1]
    if not 3500000 < decision[3] <= 3600000:
        raise AssertionError(decision)
    decision[3] = 0
    return answers


def run(*argv, text="", env=None):
    done = subprocess.run([str(word) for word in argv], input=text, text=True,
                          capture_output=True, timeout=harness.PATIENCE, check=False,
                          env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise AssertionError(f"{argv[0]}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def has(*argv, env=None):
    try:
        run(*argv, env=env)
        return True
    except (AssertionError, OSError):
        return False


def debian_python():
    """The one that python3-redis is for: not always the first in the path."""
    return next((python for python in (sys.executable, "/usr/bin/python3")
                 if has(python, "-c", "import redis")), None)


class ClientCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.gate = self.daemon(LIMITS)

    def cli(self, *words, text=""):
        return run("redis-cli", "-p", self.gate.port, *words, text=text).splitlines()

    def check_node(self, script, env, options="{}"):
        script = f"const options = {options};" + script
        return untimed(json.loads(run("node", "-e", script, self.gate.port, env=env)))


class DebianTest(ClientCase):
    def test_redis_cli(self):
        words = "1 3 1000 NEXT 0 0 hot memory".split() + [""]
        first = self.cli("CONSUME", "hot:1", 3)
        self.assertEqual(first[:3] + ["NEXT"] + first[4:], words)
        self.assertEqual(self.cli("RESET", "hot:1"), ["OK"])
        self.assertEqual(self.cli("CL.THROTTLE", "u", 4, 1, 3600),
                         ["0", "5", "4", "-1", "3600"])
        self.assertIn("limit hot: match (prefix hot:*)", self.cli("EXPLAIN", "hot:1"))
        self.assertEqual(self.cli("PING"), ["PONG"])
        self.assertEqual(self.cli("CONSUME")[0],
                         "ERR wrong number of arguments for 'consume' command")

    def test_redis_cli_is_told_that_there_are_too_many_clients(self):
        self.gate = self.daemon(LIMITS, {"listen": {"max_clients": 1}})

        def refused():
            # If the machine is so busy that the first bytes come late, it is sent
            # so in a line, and complains of that.
            with contextlib.suppress(AssertionError):
                return self.cli("PING")[:1] == ["ERR clients too many clients"]

        with self.gate.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
            wait_until(refused, "the refusal")

    def test_redis_cli_takes_many_commands(self):
        lines = self.cli(text="CONSUME hot:1\n" * 50)
        self.assertEqual(lines[1::9], [str(i) for i in range(1, 51)])

    def test_redis_cli_in_resp3(self):
        self.assertEqual(self.cli("-3", "PEEK", "hot:1"), self.cli("-2", "PEEK", "hot:1"))
        fields = dict(line.split(" ") for line in self.cli("-3", "PEEK", "hot:1", 1, "MAP"))
        self.assertEqual((fields["limit"], fields["from"]), ("hot", "memory"))
        self.assertIn("proto 3", self.cli("-3", "HELLO"))

    def test_redis_cli_has_its_pipe_mode(self):
        text = "".join(f"*2\r\n$7\r\nCONSUME\r\n$5\r\nhot:{i % 10}\r\n"
                       for i in range(2000))
        self.assertIn("errors: 0, replies: 2000", self.cli("--pipe", text=text))

    def test_redis_benchmark(self):
        for words in (["-P", 16, "CONSUME", "key:__rand_int__"], ["-t", "ping_mbulk"],
                      ["-3", "-P", 16, "PEEK", "hot:1"]):
            output = run("redis-benchmark", "-p", self.gate.port, "-r", 100000,
                         "-n", 1600, "-c", 10, "--csv", *words)
            self.assertNotIn("ERR", output)
            self.assertNotIn("WARNING", output)
        stats = self.gate.stats()
        self.assertEqual((stats["allowed"], stats["peeks"], stats["bad_lines"]),
                         (1600, 1600, 0))

    def test_hiredis(self):
        lines = run(HIREDIS, self.gate.path).splitlines()
        self.assertEqual([line.split()[:3] for line in lines[:100]],
                         [["1", str(3 * (i // 10 + 1)), "1000"] for i in range(100)])
        self.assertEqual(lines[100], " 0 5 4 -1 3600")
        self.assertTrue(lines[101].startswith(" 1 1 1000 "), lines[101])
        self.assertEqual(lines[102:], [" OK"])

    def test_python_redis(self):
        python = debian_python()
        self.assertTrue(python, "no python3 has redis: make deps")
        answers = json.loads(run(python, "-c", PYTHON, self.gate.port))
        self.assertEqual(untimed(answers), PYTHON_ANSWERS)

    def test_node_redis(self):
        env = {"NODE_PATH": os.environ.get("NODE_PATH", "/usr/share/nodejs")}
        if not has("node", "-e", "require('redis')", env=env):
            self.skipTest("Debian's node-redis is not installed: make deps")
        self.assertEqual(self.check_node(NODE_REDIS, env), NODE_ANSWERS)


if __name__ == "__main__":
    harness.main()
