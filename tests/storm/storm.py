#!/usr/bin/env python3
"""Four daemons, one Redis, and all at once: make storm.

Clients come and go, good ones and rude ones; limits are loaded, Redis stalls and dies,
daemons are restarted and killed.  What must hold all the time:

  - each request of a good client gets its own response, in order, within 20 s, as long
    as its daemon lives: at SIGTERM it responds to what it has read;
  - what a key was let through by Redis, over the whole storm, is no more than its capacity
    and what leaked, once more for each time that Redis died; and by a daemon's fallback
    no more than that for each life of the daemon;
  - clients that do the same get about the same.

And when it is over: each daemon is served by Redis and has the last limits; those that
got SIGTERM ended well; memory and descriptors of the others are back.

STORM_SECONDS is how long (600).  The seed is printed; SEED=... has the same events, as
far as the machine lets it.
"""

import asyncio
import collections
import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import harness  # noqa: E402  (found by the line above)

SECONDS = float(os.environ.get("STORM_SECONDS") or "600")
SEED = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**9))

DAEMONS = 4
RESTARTED = (2, 3) # the others live through all of it
PROCESSES = 2
CLIENTS = 24       # of a process, at a time
PATIENCE = 20

# name: (capacity, microseconds to leak a drop)
BUCKETS = {"steady": (1000, 2000), "slow": (50, 100000), "hot": (200, 500)}
KEYS = [f"{name}:{i}" for name in BUCKETS for i in range(3)]

MIB = 1 << 20
MEMORY_MORE = 48 * MIB # for a table that has filled, and what the allocator keeps
FAIR = 0.4             # the least of a client's share, of the mean


class Wrong(Exception):
    pass


#
# The clients.  Each process has its own loop; what it saw goes home at its end.
#

class Seen:
    """What the clients of a process saw."""

    def __init__(self):
        self.let = collections.Counter() # (key, store or (daemon, life)): drops
        self.counts = collections.Counter()
        self.wrong = []


class Gate:
    """The daemons, as clients see them."""

    def __init__(self, paths, lives):
        self.paths = paths
        self.lives = lives # shared: each is changed before something is done to it

    def life(self, daemon):
        return self.lives[daemon]

    async def connect(self, daemon):
        return await asyncio.open_unix_connection(self.paths[daemon], limit=1 << 20)


class Client:
    """A connection that checks its responses.  It is a context."""

    def __init__(self, gate, daemon, seen, rng):
        self.gate, self.daemon, self.seen, self.rng = gate, daemon, seen, rng
        self.life = gate.life(daemon)

    async def __aenter__(self):
        self.reader, self.writer = await self.gate.connect(self.daemon)
        return self

    async def __aexit__(self, *_):
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def is_same_life(self):
        """Odd: it was being replaced as the client came."""
        return self.life % 2 == 0 and self.gate.life(self.daemon) == self.life

    async def line(self, request):
        """The next line; None: the daemon ended."""
        try:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        except asyncio.TimeoutError:
            if not self.is_same_life():
                return None
            raise Wrong(f"daemon {self.daemon}: {request}: no response") from None
        except OSError:
            line = b""
        if line.endswith(b"\n"):
            return line[:-1].decode()
        if self.is_same_life():
            raise Wrong(f"daemon {self.daemon}: {request}: closed after {line!r}")
        return None

    def request(self):
        """(what is sent, how the response starts)"""
        kind = self.rng.random()
        if kind < 0.8:
            key = self.rng.choice(KEYS)
            amount = self.rng.choice((1, 1, 1, 2, 5))
            return f"CONSUME {key} {amount}", f" limit={key.partition(':')[0]} "
        if kind < 0.86:
            key = self.rng.choice(KEYS)
            return f"PEEK {key}", f" limit={key.partition(':')[0]} "
        if kind < 0.92:
            return "PING", "PONG"
        if kind < 0.96:
            return "CONSUME gen:1 0", " limit=gen "
        return "NONSENSE", "ERR badverb "

    def note(self, request, response):
        words = request.split()
        if words[0] != "CONSUME" or not response.startswith("ALLOW"):
            return
        store = response.rpartition("from=")[2]
        if store == "fallback":
            store = (self.daemon, self.life)
        self.seen.let[words[1], store] += int(words[2])

    async def check(self, request, start):
        """Take a response.  Return whether the daemon goes on."""
        response = await self.line(request)
        if response is None:
            return False
        if start not in response and not (
                start == "PONG" and response == start):
            raise Wrong(f"daemon {self.daemon}: {request}: {response}")
        self.note(request, response)
        self.seen.counts["responses"] += 1
        return True

    async def ask(self, count):
        """Send ${count} requests at once; return whether all were responded to."""
        requests = [self.request() for _ in range(count)]
        try:
            self.writer.write("".join(f"{r}\n" for r, _ in requests).encode())
        except OSError:
            return False
        for request, start in requests:
            if not await self.check(request, start):
                return False
        return True


async def one_at_a_time(client, until):
    while time.monotonic() < until and await client.ask(1):
        await asyncio.sleep(client.rng.random() * 0.01)


async def pipelining(client, until):
    while time.monotonic() < until and await client.ask(client.rng.randrange(1, 300)):
        pass


async def trickling(client, until):
    while time.monotonic() < until:
        request, start = client.request()
        for byte in f"{request}\n".encode():
            if client.writer.is_closing():
                break
            client.writer.write(bytes((byte,)))
            await asyncio.sleep(0.001)
        if not await client.check(request, start):
            return


async def asking_for_reports(client, until):
    while time.monotonic() < until:
        count = client.rng.randrange(1, 60)
        client.writer.write(b"LIMITS\n" * count)
        while count > 0:
            line = await client.line("LIMITS")
            if line is None:
                return
            count -= line == "END"


async def in_redis_protocol(client, until):
    while time.monotonic() < until:
        key = client.rng.choice(KEYS)
        client.writer.write(b"*2\r\n$4\r\nPEEK\r\n$%d\r\n%s\r\n" % (len(key), key.encode()))
        head = await client.line("PEEK, in Redis's protocol")
        if head is None:
            return
        if not head.startswith("*"):
            raise Wrong(f"PEEK, in Redis's protocol: {head}")
        for _ in range(int(head[1:])):
            part = await client.line("PEEK")
            if part is not None and part.startswith("$"):
                part = await client.line("PEEK")
            if part is None:
                return


async def in_http(client, until):
    while time.monotonic() < until:
        key = client.rng.choice(KEYS)
        count = client.rng.randrange(1, 20)
        client.writer.write(b"GET /peek?key=%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
                            % key.encode() * count)
        for _ in range(count):
            status = await client.line("/peek")
            length = 0
            while line := await client.line("/peek"):
                if line == "\r":
                    break
                name, _, value = line.partition(": ")
                length = int(value) if name == "Content-Length" else length
            if status is None or line is None:
                return
            if not status.startswith(("HTTP/1.1 200 ", "HTTP/1.1 429 ")) or length == 0:
                raise Wrong(f"/peek: {status}")
            try:
                body = await client.reader.readexactly(length)
            except asyncio.IncompleteReadError:
                if client.is_same_life():
                    raise Wrong("/peek: closed within a body") from None
                return
            if key.partition(":")[0].encode() not in body:
                raise Wrong(f"/peek: {body}")


# Rude ones: what becomes of them is theirs.

async def not_reading(client, until):
    with contextlib.suppress(asyncio.TimeoutError, OSError):
        while time.monotonic() < until:
            client.writer.write(b"LIMITS\nPEEK rude:1\n" * 200)
            await asyncio.wait_for(client.writer.drain(), 1)
    client.writer.transport.abort()


async def garbage(client, until):
    with contextlib.suppress(asyncio.TimeoutError, OSError, ValueError,
                             asyncio.IncompleteReadError):
        while time.monotonic() < until:
            client.writer.write(client.rng.randbytes(client.rng.randrange(1, 5000)))
            await asyncio.wait_for(client.writer.drain(), 1)
            if not await asyncio.wait_for(client.reader.read(1 << 16), 1):
                return


async def vanishing(client, until):
    client.writer.write(b"PEEK rude:2\n" * client.rng.randrange(500) + b"PEEK ru")
    await asyncio.sleep(client.rng.random() * min(0.2, max(0, until - time.monotonic())))
    client.writer.transport.abort()


KINDS = ([one_at_a_time] * 5 + [pipelining] * 5 + [trickling] * 2 + [in_redis_protocol] * 2 +
         [in_http] * 2 +
         [asking_for_reports, not_reading, garbage, vanishing])


async def come_and_go(gate, seen, rng, end):
    while (now := time.monotonic()) < end:
        daemon = rng.randrange(DAEMONS)
        kind = rng.choice(KINDS)
        until = min(end, now + rng.random() * 4)
        try:
            async with Client(gate, daemon, seen, rng) as client:
                seen.counts[kind.__name__] += 1
                await kind(client, until)
        except OSError:
            await asyncio.sleep(0.05) # it is down, or went while we wrote
        except Wrong as wrong:
            seen.wrong.append(f"{kind.__name__}: {wrong}")


async def keep_pace(gate, seen, rng, end):
    """Eight that do the same, on a daemon that lives: each gets its share."""
    counts = [0] * 8

    async def go_on(i, until):
        try:
            async with Client(gate, 0, seen, random.Random(rng.random())) as client:
                while time.monotonic() < until and await client.ask(16):
                    counts[i] += 16
        except Wrong as wrong:
            seen.wrong.append(f"keeping pace: {wrong}")

    while (now := time.monotonic()) < end - 1:
        counts[:] = [0] * 8
        until = min(end, now + 10)
        await asyncio.gather(*(go_on(i, until) for i in range(8)))
        mean = sum(counts) / 8
        seen.counts["rounds of fairness"] += 1
        if mean > 300 and min(counts) < FAIR * mean:
            seen.wrong.append(f"unfair: {sorted(counts)}")


def run_clients(number, gate, end, results):
    harness.give_children_default_signals()
    rng = random.Random(f"{SEED} {number}")
    seen = Seen()

    async def run():
        tasks = [come_and_go(gate, seen, random.Random(rng.random()), end)
                 for _ in range(CLIENTS)]
        if number == 0:
            tasks.append(keep_pace(gate, seen, rng, end))
        await asyncio.gather(*tasks)

    asyncio.run(run())
    results.put((dict(seen.let), dict(seen.counts), seen.wrong))


#
# The weather.
#

class Storm:
    def __init__(self, folder):
        self.folder = folder
        self.rng = random.Random(SEED)
        self.generation = 0
        self.redis_deaths = 0
        self.wrong = []
        self.events = collections.Counter()
        self.redis = harness.Redis(folder)
        self.load_limits()
        self.lives = multiprocessing.Array("L", DAEMONS)
        self.daemons = [self.start() for _ in range(DAEMONS)]
        self.gate = Gate([daemon.path for daemon in self.daemons], self.lives)
        self.born = {(i, 0): time.time() for i in range(DAEMONS)}
        self.died = {}

    def start(self, path=None):
        settings = {
            "store": {"type": "redis"},
            "limits": {"source": "redis"},
            "redis": {"unix_socket_path": self.redis.path, "socket_timeout": "100ms"},
            "control": {"poll": "2s", "reload_spread": "500ms"},
            "workers": {"count": 2},
        }
        if path:
            settings["listen"] = {"unix": path}
        daemon = harness.Daemon(self.folder, settings=settings)
        daemon.path = path or daemon.path
        return daemon

    def load_limits(self):
        """A new generation, which all must have in the end."""
        self.generation += 1
        limits = [f"{name} match={name}:* capacity={capacity} recharge={us}us"
                  for name, (capacity, us) in BUCKETS.items()]
        limits += [f"gen match=gen:* capacity={self.generation} rate=1/s",
                   "rude match=rude:* capacity=10 rate=1/s"]
        limits += [f"more{i} match=more{i}:* capacity=10 rate=1/s" for i in range(200)]
        members = [word for i, limit in enumerate(limits) for word in (i, limit)]
        with self.redis.connect() as link:
            link.ask("MULTI")
            link.ask("DEL", "limits")
            link.ask("ZADD", "limits", *members)
            link.ask("PUBLISH", "control", self.rng.choice(
                ("reload", "reload:immediate", "reload:spread:1", "ping:nowhere")))
            link.ask("EXEC")

    # Events.

    def reload(self):
        self.load_limits()

    def reload_settings(self):
        self.rng.choice(self.daemons).send(signal.SIGHUP)

    def stall_redis(self):
        self.redis.send(signal.SIGSTOP)
        time.sleep(self.rng.random())
        self.redis.send(signal.SIGCONT)

    def kill_redis(self):
        port, path = self.redis.port, self.redis.path
        self.redis_deaths += 1
        self.redis.kill()
        time.sleep(self.rng.random() * 2)
        self.redis = harness.Redis(self.folder, port=port, path=path)
        self.load_limits()

    def replace(self, i, number):
        daemon = self.daemons[i]
        life = self.lives[i]
        self.lives[i] += 1 # before: what clients see from now on may be its end
        daemon.send(number)
        status = daemon.wait()
        self.died[i, life] = time.time()
        if status not in (0, -signal.SIGKILL):
            self.wrong.append(f"daemon {i} ended with {status}:\n{daemon.log()[-3000:]}")
        time.sleep(self.rng.random())
        self.lives[i] += 1
        self.born[i, life + 2] = time.time()
        self.daemons[i] = self.start(daemon.path)

    def restart_daemon(self):
        self.replace(self.rng.choice(RESTARTED), signal.SIGTERM)

    def kill_daemon(self):
        self.replace(self.rng.choice(RESTARTED), signal.SIGKILL)

    def pause_daemon(self):
        daemon = self.rng.choice(self.daemons)
        daemon.send(signal.SIGSTOP)
        time.sleep(self.rng.random() * 0.5)
        daemon.send(signal.SIGCONT)

    def rage(self, end):
        events = ([self.reload] * 6 + [self.reload_settings] * 2 + [self.stall_redis] * 4 +
                  [self.restart_daemon] * 3 + [self.pause_daemon] * 2 +
                  [self.kill_redis, self.kill_daemon])
        while time.monotonic() < end:
            event = self.rng.choice(events)
            self.events[event.__name__] += 1
            event()
            for i, daemon in enumerate(self.daemons):
                if not daemon.is_running():
                    raise Wrong(f"daemon {i} is gone:\n{daemon.log()[-6000:]}")
            time.sleep(min(self.rng.random() * 3, max(0, end - time.monotonic())))

    # What must hold.

    def check_bounds(self, let, start, end):
        for (key, store), drops in sorted(let.items(), key=str):
            capacity, leak_us = BUCKETS.get(key.partition(":")[0], (None, None))
            if capacity is None or store == "denycache":
                continue
            since, until, times = start, end, 1
            if isinstance(store, tuple):
                # Odd: it came while one was replaced, to the one or the other.
                since = self.born.get(store, start)
                until = self.died.get(store, end)
                times = 1 + store[1] % 2
            elif store == "redis":
                times = 1 + self.redis_deaths
            else:
                self.wrong.append(f"{key}: from={store}")
            most = times * capacity + (until - since + 1) * 1e6 / leak_us
            if drops > most:
                self.wrong.append(f"{key}: {drops} let through by {store}, {most:.0f} may be")

    def check_calm(self):
        """The storm is over: Redis decides everywhere, by the last limits."""
        self.load_limits()
        for i, daemon in enumerate(self.daemons):
            def is_well():
                return re.search(rf"capacity={self.generation} .*from=redis",
                                 daemon.ask("CONSUME gen:1 0"))
            try:
                harness.wait_until(is_well, "calm")
            except AssertionError:
                self.wrong.append(f"daemon {i} does not recover: "
                                  f"{daemon.ask('CONSUME gen:1 0')}, {self.generation}")

    def measure(self):
        """(bytes, descriptors) of the daemons that live, without clients."""
        lasting = [d for i, d in enumerate(self.daemons) if i not in RESTARTED]

        def are_alone():
            return all(d.stats()["clients"] == 1 for d in lasting)

        harness.wait_until(are_alone, "clients to go")
        time.sleep(0.5)
        return [(d.memory(), d.descriptors()) for d in lasting]

    def check_end(self):
        for i, daemon in enumerate(self.daemons):
            status = daemon.stop()
            if status != 0:
                self.wrong.append(f"daemon {i} ended with {status}:\n{daemon.log()[-3000:]}")

    def one_round(self, seconds):
        """Rage for that long, then end all clients.  Return what they saw."""
        end = time.monotonic() + seconds
        results = multiprocessing.Queue()
        clients = [multiprocessing.Process(target=run_clients,
                                           args=(i, self.gate, end, results))
                   for i in range(PROCESSES)]
        for client in clients:
            client.start()
        self.rage(end)
        seen = [results.get(timeout=60 + PATIENCE) for _ in clients]
        for client in clients:
            client.join()
        return seen

    def run(self):
        let, counts = collections.Counter(), collections.Counter()
        start = time.time()
        measured = []
        for share in 0.25, 0.75: # what fills up in the first part stays full
            for one_let, one_counts, wrong in self.one_round(SECONDS * share):
                let.update(one_let)
                counts.update(one_counts)
                self.wrong += wrong
            self.check_calm()
            measured.append(self.measure())
        self.check_bounds(let, start, time.time())
        for before, after in zip(*measured):
            if after[0] > before[0] + MEMORY_MORE or after[1] > before[1] + 2:
                self.wrong.append(f"memory and descriptors: {before}, then {after}")
        self.check_end()
        print(f"clients: {dict(counts)}")
        print(f"events: {dict(self.events)}")
        print(f"let through: {sum(n for (_, s), n in let.items() if s == 'redis')} by Redis, "
              f"{sum(n for (_, s), n in let.items() if isinstance(s, tuple))} by fallback")
        print("memory (MiB) and descriptors: " + ", then ".join(
            str([(size >> 20, count) for size, count in one]) for one in measured))

    def stop(self):
        for process in (*self.daemons, self.redis):
            process.kill()


def main():
    print(f"SEED={SEED} STORM_SECONDS={SECONDS:g}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dripgate-storm-") as folder:
        storm = Storm(folder)
        try:
            storm.run()
        except Wrong as wrong:
            storm.wrong.append(str(wrong))
        finally:
            storm.stop()
        for text in storm.wrong[:30]:
            print(f"wrong: {text}")
        print(f"{len(storm.wrong)} wrong")
        return 1 if storm.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
