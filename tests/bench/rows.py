"""The rows: what is measured, under which load, and which ratio is claimed."""

import collections
import os
import shutil
import statistics
import subprocess

from measure import Side, check, load_argv, measure, read_words
from rude import Dripper
import upstream
from servers import (ADMITS, CAPACITY, LOGIN, RECHARGE_US, ROOT, Failed, Together,
                     allow_descriptors, fill)

# "load" is the load generator's options; "sides" starts the servers and
# returns the sides; "claims" is what comes of them.  A row without sides has
# one claim, and "count" does all of it.
Row = collections.namedtuple("Row", "name about load sides claims count",
                             defaults=(None,))

# A ratio of two sides, by their place in the row: of their rates, their p99, or
# the CPU time a reply of one process each.  Some are to be at least the target,
# all else at most; the aim is where we want to be.
AT_LEAST = ("rate", "share")
Claim = collections.namedtuple(
    "Claim", "what against figure target aim ours theirs processes",
    defaults=(0, -1, None))


def rate(what, against, target, aim, **sides):
    return Claim(what, against, "rate", target, aim, **sides)


def p99(what, against, target, aim, **sides):
    return Claim(what, against, "p99", target, aim, **sides)


def cpu(what, against, target, aim, **sides):
    """${processes}: the one of ours, and the one of theirs."""
    return Claim(what, against, "cpu", target, aim, **sides)


# The module redis-cell, a file; "": its rows are left out.
CELL = os.environ.get("REDIS_CELL", "")


# --- sides


# The modes whose responses say what decided.
LINES = ("line", "mconsume", "consumes", "hold")


def daemon(stage, dripgated, redis=None, label="dripgated", mode="line",
           decision="allow"):
    sources = ("redis", "denycache") if redis else ("memory",)
    return Side(label, stage.address(dripgated), {"mode": mode},
                [dripgated] + ([redis] if redis else []), decision,
                sources if mode in LINES else ())


# How CONSUME is said, as the load generator and as we call it.
PROTOCOLS = {"resp": "RESP", "line": "line"}


def memory_sides(stage):
    redis, dripgated = stage.redis(), stage.dripgated()
    fill(redis)
    return tuple(daemon(stage, dripgated, label=label, mode=mode)
                 for mode, label in PROTOCOLS.items()) + (
        Side("GET", stage.address(redis), {"mode": "get"}, [redis]),)


def redis_sides(stage):
    redis = stage.redis()
    evalsha = {"mode": "evalsha", "script": stage.script(),
               "hash": "drip:login", "capacity": CAPACITY,
               "recharge_us": RECHARGE_US}
    return (daemon(stage, stage.dripgated(redis), redis),
            Side("EVALSHA", stage.address(redis), evalsha, [redis], "allow"))


def joint_redis_sides(stage):
    """Of 3,200 requests in flight, each is three: a busy machine takes more than
    a second for them."""
    redis = stage.redis()
    multi = {"mode": "multi", "script": stage.script(), "hash": "drip:login",
             "capacity": CAPACITY, "recharge_us": RECHARGE_US}
    return (daemon(stage, stage.dripgated(redis, patience="5s"), redis,
                   mode="mconsume"),
            Side("MULTI/EXEC", stage.address(redis), multi, [redis], "allow"))


def joint_memory_sides(stage):
    dripgated = stage.dripgated()
    return (daemon(stage, dripgated, label="MCONSUME", mode="mconsume"),
            daemon(stage, dripgated, label="3 CONSUMEs", mode="consumes"))


SPAN = 10  # seconds for which a drop counts
LOG_CAPACITY = 100


def log_options(mode, *scripts):
    """A script with a sorted set a key, as many have it."""
    names = zip(("script", "release"), scripts)
    return {"mode": mode, "capacity": LOG_CAPACITY, "span_us": SPAN * 1_000_000,
            **{option: ROOT / "tests/bench" / name for option, name in names}}


def lease_sides(stage):
    """Each pair is two requests, so 32 of them are 64 in flight."""
    redis, direct = stage.redis(), stage.redis()
    limits = (LOGIN + f"algorithm = concurrent\ncapacity = {LOG_CAPACITY}\n"
              f"lease = {SPAN}s\n")
    return (daemon(stage, stage.dripgated(redis, limits), redis, mode="hold"),
            Side("2 scripts", stage.address(direct), log_options(
                "hold-log", "hold.lua", "release.lua"), [direct], "allow"))


def window_sides(stage):
    """What is denied is denied on both sides: their logs fill alike."""
    redis, direct = stage.redis(), stage.redis()
    limits = (LOGIN + f"algorithm = sliding_window\ncapacity = {LOG_CAPACITY}\n"
              f"window = {SPAN}s\n")
    return (daemon(stage, stage.dripgated(redis, limits), redis, decision=None),
            Side("script", stage.address(direct), log_options(
                "log", "window.lua"), [direct]))


def log_claims(what, against):
    return (rate(f"{what}, Redis store", against, 3, LOG_AIMS[what]),
            cpu(f"CPU of Redis, {what}", f"CPU of {against}", 1 / 3,
                1 / LOG_AIMS[what], processes=("redis", "redis")))


LOG_AIMS = {"HOLD and RELEASE": 4, "sliding_window": 5}


def cell_sides(stage):
    """redis-cell decides the same in Redis, natively, a command each."""
    cell = stage.redis("--loadmodule", CELL)
    redis = stage.redis()
    throttle = {"mode": "cell", "capacity": CAPACITY, "recharge_us": RECHARGE_US}
    return (daemon(stage, stage.dripgated(redis), redis),
            Side("CL.THROTTLE", stage.address(cell), throttle, [cell], "allow"))


def cell_claims(target, aim):
    yield rate("Redis store", "CL.THROTTLE", target, aim)
    yield cpu("CPU of Redis", "CPU of a CL.THROTTLE", 1.0, 0.5,
              processes=("redis", "redis"))


def spread_sides(stage, label, together, topology, partitions):
    """Several servers, and one."""
    hosts = " ".join(server.tcp for server in together.servers)
    redis = stage.redis()
    return (daemon(stage, stage.dripgated(
                together, topology=f"topology = {topology}\nhosts = {hosts}\n"
                f"partitions = {partitions}\n"), together, label=label),
            daemon(stage, stage.dripgated(redis), redis, label="one server"))


def cluster_sides(stage):
    return spread_sides(stage, "cluster of 3", stage.redis_cluster(3),
                        "cluster", 3)


def sharded_sides(stage):
    return spread_sides(stage, "2 hosts",
                        Together("redis", [stage.redis(), stage.redis()]),
                        "sharded", 16)


def tls_sides(stage):
    plain = stage.redis()
    by_tls, certificate = stage.redis_by_tls()
    return (daemon(stage, stage.dripgated(
                by_tls, topology=f"host = 127.0.0.1\nport = {by_tls.port}\n"
                f"tls = yes\nca_file = {certificate}\n"), by_tls, label="TLS"),
            daemon(stage, stage.dripgated(plain), plain, label="plain"))


def denied_sides(stage):
    """All but the first request is denied, and that one is in the warm-up."""
    limits = LOGIN + "capacity = 1\nrecharge = 1d\n"
    redis = stage.redis()
    return (daemon(stage, stage.dripgated(redis, limits), redis,
                   label="Redis store", decision="deny"),
            daemon(stage, stage.dripgated(limits=limits),
                   label="memory store", decision="deny"))


def many_limits():
    """999 limits that match none of our keys, and the one that does before the
    regular expressions, which are for what nothing simpler matches."""
    def limit(i, match):
        return f"[l{i}]\nmatch = {match}\n{ADMITS}"

    simple = ("user:{}", "api{}:*", "tenant{}:*:upload")
    return ("".join(limit(i, simple[i % 3].format(i)) for i in range(990))
            + LOGIN + ADMITS
            + "".join(limit(i, f"~^(reset|recover){i}:[0-9]+$")
                      for i in range(990, 999)))


def limits_sides(stage):
    return (daemon(stage, stage.dripgated(limits=many_limits()),
                   label="1,000 limits"),
            daemon(stage, stage.dripgated(), label="1 limit"))


IDLE = 10_000


def idle_sides(stage):
    allow_descriptors(IDLE + 200)
    beside = stage.dripgated()
    stage.idle_clients(beside, IDLE)
    return (daemon(stage, beside, label="10,000 idle"),
            daemon(stage, stage.dripgated(), label="none"))


def rude_sides(count):
    def sides(stage):
        allow_descriptors(4 * count + 2200)
        beside = stage.dripgated(limits=many_limits())
        stage.rude_clients(beside, count)
        return (daemon(stage, beside, label=f"{count} rude clients"),
                daemon(stage, stage.dripgated(limits=many_limits()),
                       label="none"))
    return sides


def saturation_sides(stage):
    allow_descriptors(2200)
    redis = stage.redis()
    dripgated = stage.dripgated(redis, patience="50ms")
    return tuple(side._replace(label=f"{conns} x 64",
                               options={**side.options, "conns": conns})
                 for side in [daemon(stage, dripgated, redis)]
                 for conns in (1000, 400, 100))


def workers_sides(stage):
    return tuple(daemon(stage, stage.dripgated(workers=n), label=f"{n} workers")
                 for n in (2, 4)) + (
        daemon(stage, stage.dripgated(), label="1 worker"),)


def http_sides(stage):
    nginx, limiting = stage.nginx(), stage.nginx(limits=True)
    return (daemon(stage, stage.dripgated(), label="/consume", mode="http"),
            Side("nginx", stage.address(nginx), {"mode": "http"}, [nginx], "allow"),
            Side("limit_req", stage.address(limiting), {"mode": "http"},
                 [limiting], "allow"))


def many_routes():
    """100 routes; the one that is taken has three keys."""
    return "".join(
        f"[route:r{i}]\npath = /r{i}/*\n"
        "keys = ip:$client user:$header.x-user-id path:$method:$path\n"
        for i in range(100)) + "[all]\nmatch = *\n" + ADMITS


def check_sides(stage):
    return (daemon(stage, stage.dripgated(limits=many_routes()),
                   label="/check", mode="check"),
            daemon(stage, stage.dripgated(), label="/consume", mode="http"))


DRIPPERS = 5_000


def slow_sides(stage):
    allow_descriptors(DRIPPERS + 2200)
    beside = stage.dripgated()
    stage.rude_clients(beside, DRIPPERS, (Dripper,))
    beside.wait_for_stat("clients", DRIPPERS)
    return (daemon(stage, beside, label=f"{DRIPPERS:,} slow clients",
                   mode="http"),
            daemon(stage, stage.dripgated(), label="none", mode="http"))


# --- rows that are not about time

SECONDS = 5  # in which a balance is found, and in which it is looked at


def slowest_share(stage):
    """What the slowest client got in any second, of its fair share."""
    dripgated = stage.dripgated(limits=many_limits())
    stage.rude_clients(dripgated, 5)
    seen = measure(daemon(stage, dripgated),
                   {"conns": 50, "pipeline": 64, "seconds": SECONDS})
    return seen.slowest, 1


def busiest_worker(stage):
    """What the busiest of two workers does, and their mean."""
    dripgated = stage.dripgated(workers=2)
    side = daemon(stage, dripgated)
    load = subprocess.Popen(load_argv(side.address, {
        **side.options, "conns": 20, "pairs": 1, "pipeline": 16,
        "warmup": SECONDS, "seconds": SECONDS}), stdout=subprocess.PIPE,
        text=True)
    load.stdout.readline()
    before = dripgated.thread_cpu()
    check(side, read_words(load.stdout.readline()))
    after = dripgated.thread_cpu()
    load.wait()
    used = sorted((after[name] - before[name] for name in before), reverse=True)
    return used[0], sum(used[:2]) / 2


BUCKETS = 10_000_000
BUCKET_BYTES = 48


def bucket_bytes(stage):
    """Bytes a bucket, and how many it may take."""
    dripgated = stage.dripgated(max_buckets=BUCKETS,
                                limits=LOGIN + "capacity = 5\nrecharge = 1h\n")
    side = daemon(stage, dripgated)
    empty = dripgated.resident_bytes()
    done = subprocess.run(load_argv(side.address, {
        "mode": "line", "once": 1, "keys": BUCKETS, "warmup": 0,
        "seconds": 60}), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed("the load generator gave up")
    check(side, read_words(done.stdout.splitlines()[-1]))
    held = dripgated.stats()["memory_buckets"]
    if held != BUCKETS:
        raise Failed(f"{held} buckets of {BUCKETS}")
    return (dripgated.resident_bytes() - empty) / BUCKETS, BUCKET_BYTES


HTTP_CLIENTS = 10_000
HTTP_CLIENT_BYTES = 1500


def http_client_bytes(stage):
    """Bytes a client that keeps its connection, and how many it may take."""
    allow_descriptors(HTTP_CLIENTS + 200)
    dripgated = stage.dripgated()
    empty = dripgated.resident_bytes()
    request = b"GET /consume?key=login:1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(HTTP_CLIENTS):
        client = stage.exits.enter_context(dripgated.connect())
        client.sendall(request)
        if not client.recv(4096).startswith(b"HTTP/1.1 200 "):
            raise Failed("no 200")
    return ((dripgated.resident_bytes() - empty) / HTTP_CLIENTS,
            HTTP_CLIENT_BYTES)


WAITS = 100_000
WAIT_BYTES = 1000
WAITS_EACH = 50  # of a client


def wait_bytes(stage):
    """Bytes a request that waits, and how many it may take."""
    allow_descriptors(WAITS // WAITS_EACH + 200)
    dripgated = stage.dripgated(
        limits=LOGIN + "capacity = 1\nrecharge = 10s\nqueue = 1000d\n")
    clients = [stage.exits.enter_context(dripgated.connect())
               for _ in range(WAITS // WAITS_EACH)]
    for client in clients:
        client.sendall(b"CONSUME login:1\n")
        if not client.recv(4096).endswith(b"\n"):
            raise Failed("no response")
    empty = dripgated.resident_bytes()
    for client in clients:
        client.sendall(b"WAIT login:1\n" * WAITS_EACH)
    dripgated.wait_for_stat("waits", WAITS)
    return (dripgated.resident_bytes() - empty) / WAITS, WAIT_BYTES


def wrk_cost(dripgated, scheme):
    """CPU seconds a million requests, by wrk, since it speaks TLS."""
    url = f"{scheme}://{dripgated.tcp}/consume?key=login:1"
    before = dripgated.cpu(), dripgated.stats()["allowed"]
    done = subprocess.run(["wrk", "-t1", "-c50", "-d2s", url],
                          capture_output=True, text=True)
    if done.returncode != 0 or "Non-2xx" in done.stdout:
        raise Failed(f"wrk: {done.stdout}{done.stderr}")
    after = dripgated.cpu(), dripgated.stats()["allowed"]
    return (after[0] - before[0]) / (after[1] - before[1]) * 1e6


def tls_cpu(stage):
    """CPU of a decision over TLS, and of one without."""
    if not shutil.which("wrk"):
        raise Failed("needs wrk")
    plain = stage.dripgated()
    secure = stage.dripgated(listen=stage.certificate())
    costs = [(wrk_cost(secure, "https"), wrk_cost(plain, "http"))
             for _ in range(5)]
    return tuple(map(statistics.median, zip(*costs)))


# --- rows

DEEP, ONE = {"pipeline": 64}, {"pipeline": 1}
GET = "GET from redis-server, a value of a bucket's size for each of the keys"
DIRECT = ("the same script called directly, one bucket a call, on the same "
          "Redis and the same hash")


def memory_claims(mode, flight, target, aim):
    ours = list(PROTOCOLS).index(mode)
    label = f"{PROTOCOLS[mode]}, {flight}"
    yield rate(f"memory store, {label}", "GET", target, aim, ours=ours)
    yield cpu(f"CPU of dripgated, {label}", "CPU of a GET", 1.0, 0.7,
              ours=ours, processes=("dripgated", "redis"))


def memory_row(name, pipeline, about, *more):
    """Both protocols are compared with the same GET."""
    bounds = (2.0, 2.4) if pipeline == 64 else (1.0, 1.2)
    claims = [claim for mode in PROTOCOLS
              for claim in memory_claims(mode, f"{pipeline} x 50", *bounds)]
    return Row(name, f"CONSUME by {' and by '.join(PROTOCOLS.values())}, "
               f"memory store, 100,000 keys, {about}; against {GET}",
               {"pipeline": pipeline}, memory_sides, (*claims, *more))


def redis_claims(flight, target, aim):
    yield rate(f"Redis store, {flight}", "direct calls", target, aim)
    yield cpu(f"CPU of Redis, {flight}", "CPU of a direct call", 0.4, 0.25,
              processes=("redis", "redis"))


def spread_claims(what, redis_target, redis_aim):
    yield cpu(f"CPU of Redis, {what}", "one server", redis_target, redis_aim,
              processes=("redis", "redis"))
    yield cpu(f"CPU of dripgated, {what}", "one server", 1.3, 1.1,
              processes=("dripgated", "dripgated"))


def cell_rows():
    if not CELL:
        return
    yield Row("cell", "CONSUME, Redis store, 100,000 keys, 64 x 50; against "
              "CL.THROTTLE of redis-cell, called directly", DEEP, cell_sides,
              tuple(cell_claims(1.0, 1.5)))
    yield Row("cell-zipf", "the same, 1,000,000 keys, the Ith 1/I as often as the "
              "first", {**DEEP, "keys": 1_000_000, "zipf": 1.0}, cell_sides,
              tuple(cell_claims(1.0, 2.0)))


ROWS = {row.name: row for row in (
    memory_row("memory", 64, "64 requests in flight on each of 50 connections"),
    memory_row("memory-16", 16, "16 in flight on each"),
    memory_row("memory-1", 1, "1 in flight on each",
               p99("p99, memory store, 1 x 50", "p99 of GET", 1.1, 0.9)),
    Row("redis", f"CONSUME, Redis store, 100,000 keys, 64 x 50; against "
        f"{DIRECT}", DEEP, redis_sides,
        tuple(redis_claims("64 x 50", 3.0, 4.0))),
    Row("redis-1", "the same with 1 request in flight on each connection",
        ONE, redis_sides,
        (*redis_claims("1 x 50", 1.3, 1.6),
         p99("p99, Redis store, 1 x 50", "p99 of direct calls", 1.5, 1.0))),
    Row("zipf", "CONSUME, Redis store, 1,000,000 keys, the Ith 1/I as often as "
        "the first, 64 x 50; against the same calls", {
            **DEEP, "keys": 1_000_000, "zipf": 1.0}, redis_sides,
        (rate("Redis store, Zipf 1.0", "direct calls", 5, 8),)),
    Row("hot", "CONSUME, Redis store, one key, all admitted, 64 x 50; against "
        "the same calls", {**DEEP, "keys": 1}, redis_sides,
        (rate("Redis store, hot key", "direct calls", 15, 30),)),
    Row("joint", "MCONSUME of 3 keys, Redis store, 100,000 keys, 64 x 50; "
        "against three direct calls in MULTI and EXEC, one bucket a call, on "
        "the same Redis and the same hash", DEEP, joint_redis_sides,
        (rate("MCONSUME, Redis store", "3 direct calls, MULTI/EXEC", 4, 6),)),
    Row("joint-memory", "MCONSUME of 3 keys, memory store, 100,000 keys, "
        "64 x 50; against three CONSUMEs", DEEP, joint_memory_sides,
        (rate("MCONSUME, memory store", "3 CONSUMEs", 0.9, 1.3),)),
    Row("leases", "HOLD and RELEASE of a lease, Redis store, 100,000 keys, 32 x 50 "
        "pairs; against two scripts with a sorted set a key, called directly, in a "
        "Redis of their own", {"pipeline": 32}, lease_sides,
        log_claims("HOLD and RELEASE", "2 scripts")),
    *(Row(name, f"CONSUME, sliding_window of {LOG_CAPACITY} in {SPAN} s, Redis "
          f"store, {keys:,} keys, 64 x 50; against the usual script with a sorted "
          "set a key, called directly, in a Redis of its own",
          {**DEEP, "keys": keys}, window_sides,
          log_claims("sliding_window", "script"))
      for name, keys in (("window", 100_000), ("window-10k", 10_000),
                         ("window-1k", 1_000))),
    *cell_rows(),
    Row("cluster", "CONSUME, Redis store, 100,000 keys, 64 x 50, three masters "
        "with a partition each; against one server", DEEP, cluster_sides,
        tuple(spread_claims("cluster of 3 masters", 1.5, 1.2))),
    Row("sharded", "the same, two hosts with 16 partitions", DEEP,
        sharded_sides, tuple(spread_claims("2 hosts", 1.3, 1.1))),
    Row("redis-tls", "CONSUME, Redis store over TLS, 100,000 keys, 64 x 50; against "
        "the same without", DEEP, tls_sides,
        (rate("Redis store, TLS", "plain", 0.7, 0.85),)),
    Row("denied", "CONSUME, Redis store, one key, all denied, 64 x 50; against "
        "the memory store, the same", {**DEEP, "keys": 1}, denied_sides,
        (rate("Redis store, hot key, denied", "memory store", 0.9,
              1.0),)),
    Row("limits", "CONSUME, memory store, 1,000 limits, 64 x 50: 330 exact, "
        "330 prefixes, 330 other globs, the keys' own prefix, then 9 regular "
        "expressions; against 1 limit", DEEP, limits_sides,
        (rate("1,000 limits", "1 limit", 0.9, 1.0),)),
    Row("idle", "CONSUME, memory store, 64 x 50, 10,000 idle connections "
        "beside; against none", DEEP, idle_sides,
        (rate("10,000 idle connections", "none", 0.9, 1.0),)),
    Row("workers", "CPU time of a CONSUME, memory store, 64 x 50, 2 and 4 "
        "workers; against 1 worker.  The load is not kept off the workers' "
        "cores: the rate says nothing, the CPU time does", DEEP, workers_sides,
        (cpu("CPU, 2 workers", "1 worker", 1.1, 1.0,
             processes=("dripgated", "dripgated")),
         cpu("CPU, 4 workers", "1 worker", 1.1, 1.0, ours=1,
             processes=("dripgated", "dripgated")))),
    Row("memory-1000", "CONSUME, memory store, 1 request in flight on each of "
        f"1,000 connections; against {GET}", {"pipeline": 1, "conns": 1000},
        memory_sides,
        (p99("p99, memory store, RESP, 1 x 1,000", "p99 of GET", 1.1, 0.9),
         p99("p99, memory store, line, 1 x 1,000", "p99 of GET", 1.1, 0.9,
             ours=1))),
    *(Row(f"rude-{conns}", f"CONSUME, memory store, 1,000 limits, 1 request in "
          f"flight on each of {conns:,} connections, and {conns // 10} clients "
          "that pipeline LIMITS, do not read or send byte by byte; against the "
          "same without those", {"pipeline": 1, "conns": conns},
          rude_sides(conns // 10),
          (p99(f"p99 beside rude clients, 1 x {conns:,}", "p99 without", 2.0,
               1.2),)) for conns in (50, 1000)),
    Row("http", "GET /consume, memory store, 100,000 keys, 1 in flight on each "
        "of 50 connections; against one worker of nginx, which says 200, by "
        "itself and behind limit_req", ONE, http_sides,
        (rate("/consume, 1 x 50", "nginx, return 200", 1.0, 1.3, theirs=1),
         rate("/consume, 1 x 50", "nginx, limit_req", 1.0, 1.3, theirs=2),
         p99("p99, /consume, 1 x 50", "p99 of nginx", 1.2, 1.0, theirs=1))),
    Row("http-16", "the same with 16 in flight on each", {"pipeline": 16},
        http_sides,
        (rate("/consume, 16 x 50", "nginx, return 200", 1.5, 2.5, theirs=1),
         rate("/consume, 16 x 50", "nginx, limit_req", 1.5, 2.5, theirs=2))),
    Row("check", "GET /check as nginx asks, 100 routes, three keys, memory "
        "store, 1 in flight on each of 50 connections; against GET /consume",
        ONE, check_sides,
        (rate("/check, 3 keys", "/consume", 0.6, 0.8),)),
    Row("cache", "GET of 1,000 responses of an upstream that are in memory, 1 in "
        "flight on each of 50 connections; against GET /consume",
        {**ONE, "keys": 1000}, upstream.cache_sides,
        (rate("hit in memory", "/consume", 0.7, 0.9),
         cpu("CPU of dripgated, hit", "CPU of a /consume", 1.4, 1.1,
             processes=("dripgated", "dripgated")))),
    Row("cache-redis", "GET of 10,000 responses of an upstream that are in Redis, "
        "and 1 in 100 in memory, 1 in flight on each of 50 connections; against "
        "GET from redis-server through haproxy, which passes bytes on",
        {**ONE, "keys": 10_000, "warmup": 2}, upstream.cache_redis_sides,
        (rate("hit in Redis", "GET through haproxy", 1.0, 1.2),)),
    Row("miss", "the time that a client waits at the median, one at a time, for "
        "a response that is charged to one limit and passed on by nginx, beyond "
        "what it waits for nginx itself; against "
        f"{upstream.OVERHEAD_US} us", {}, None,
        (Claim("overhead at the median", f"{upstream.OVERHEAD_US} us", "p50", 1.0,
               0.5),), upstream.miss_overhead),
    Row("upstream-bytes", f"resident bytes of a request to an upstream that waits "
        f"for its limit, {upstream.WAITS:,} of a client each, beyond the daemon "
        f"with those clients; against {upstream.WAIT_BYTES} bytes", {}, None,
        (Claim("bytes a waiting request", f"{upstream.WAIT_BYTES} bytes", "bytes",
               1.0, 0.5),), upstream.wait_bytes),
    Row("slow", "GET /consume, memory store, 1 in flight on each of 50 "
        f"connections, and {DRIPPERS:,} clients that send a header a second; "
        "against the same without those", ONE, slow_sides,
        (p99("p99 beside slow clients, /consume", "p99 without", 2.0, 1.2),)),
    Row("saturation", "CONSUME, Redis store, socket_timeout 50 ms, 64 in flight "
        "on each of 1,000 and 400 connections; against 100", DEEP,
        saturation_sides,
        (rate("1,000 x 64", "100 x 64", 0.9, 1.0, theirs=2),
         rate("400 x 64", "100 x 64", 0.9, 1.0, ours=1, theirs=2))),
    Row("fair", "what the slowest of 50 clients with 64 in flight got of its "
        "fair share in any second, beside 5 rude ones", {}, None,
        (Claim("slowest client", "fair share", "share", 0.7, 0.9),),
        slowest_share),
    Row("balance", "CPU time of the busiest of 2 workers, 5 s after busy and "
        "idle connections were opened in turn; against the mean", {}, None,
        (Claim("busiest worker", "mean of workers", "load", 1.3, 1.1),),
        busiest_worker),
    Row("tls", "CPU of a GET /consume over TLS, memory store, 50 connections "
        "that are kept, their handshakes included; against one without", {},
        None, (Claim("CPU, /consume over TLS", "plain", "cpu", 1.6, 1.3),),
        tls_cpu),
    Row("http-bytes", f"resident bytes a client of HTTP, {HTTP_CLIENTS:,} that "
        "have asked once and are idle, beyond the daemon without any; against "
        f"{HTTP_CLIENT_BYTES} bytes", {}, None,
        (Claim("bytes a client", f"{HTTP_CLIENT_BYTES} bytes", "bytes", 1.0,
               800 / HTTP_CLIENT_BYTES),), http_client_bytes),
    Row("wait-bytes", f"resident bytes of a request that waits, {WAITS:,} of "
        f"clients with {WAITS_EACH} each, beyond the daemon with those clients; "
        f"against {WAIT_BYTES} bytes", {}, None,
        (Claim("bytes a wait", f"{WAIT_BYTES} bytes", "bytes", 1.0,
               500 / WAIT_BYTES),), wait_bytes),
    Row("bytes", f"resident bytes a bucket, {BUCKETS:,} live buckets, memory "
        f"store, beyond the daemon without any; against {BUCKET_BYTES} bytes",
        {}, None,
        (Claim("bytes a bucket", f"{BUCKET_BYTES} bytes", "bytes", 1.0,
               40 / BUCKET_BYTES),), bucket_bytes),
)}
