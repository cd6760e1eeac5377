"""The rows: who is measured, on what load, and what is claimed of the two."""

import collections
import subprocess

from measure import Side, check, load_argv, read_words
from servers import (ADMITS, CAPACITY, LOGIN, RECHARGE_US, Failed,
                     allow_descriptors, fill)

# "load" is the load generator's options; "sides" starts the servers and
# returns the sides; "claims" is what comes of them.  A row without sides has
# one claim, and "count" does all of it.
Row = collections.namedtuple("Row", "name about load sides claims count",
                             defaults=(None,))

# A ratio of two sides, by their place in the row: of their rates, their p99, or
# the CPU time a reply of one process each.  A rate is to be at least the
# target, all else at most; the aim is where we want to be.
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


# --- sides


def daemon(stage, dripgated, redis=None, label="dripgated", mode="line",
           decision="allow"):
    sources = ("redis", "denycache") if redis else ("memory",)
    return Side(label, stage.address(dripgated), {"mode": mode},
                [dripgated] + ([redis] if redis else []), decision,
                sources if mode == "line" else ())


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


def workers_sides(stage):
    return tuple(daemon(stage, stage.dripgated(workers=n), label=f"{n} workers")
                 for n in (2, 4)) + (
        daemon(stage, stage.dripgated(), label="1 worker"),)


# --- the row that is not about time

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


# --- rows

DEEP, ONE = {"pipeline": 64}, {"pipeline": 1}
GET = "GET from redis-server, a value of a bucket's size for each of the keys"
DIRECT = ("the same script called directly, one bucket a call, on the same "
          "Redis and the same hash")


def memory_claims(mode, flight):
    ours = list(PROTOCOLS).index(mode)
    label = f"{PROTOCOLS[mode]}, {flight}"
    yield rate(f"memory store, {label}", "GET", 1.0, 1.2, ours=ours)
    yield cpu(f"CPU of dripgated, {label}", "CPU of a GET", 1.0, 0.7,
              ours=ours, processes=("dripgated", "redis"))


def memory_row(name, pipeline, about, *more):
    """Both protocols are compared with the same GET."""
    claims = [claim for mode in PROTOCOLS
              for claim in memory_claims(mode, f"{pipeline} x 50")]
    return Row(name, f"CONSUME by {' and by '.join(PROTOCOLS.values())}, "
               f"memory store, 100,000 keys, {about}; against {GET}",
               {"pipeline": pipeline}, memory_sides, (*claims, *more))


def redis_claims(flight, target, aim):
    yield rate(f"Redis store, {flight}", "direct calls", target, aim)
    yield cpu(f"CPU of Redis, {flight}", "CPU of a direct call", 0.4, 0.25,
              processes=("redis", "redis"))


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
    Row("bytes", f"resident bytes a bucket, {BUCKETS:,} live buckets, memory "
        f"store, beyond the daemon without any; against {BUCKET_BYTES} bytes",
        {}, None,
        (Claim("bytes a bucket", f"{BUCKET_BYTES} bytes", "bytes", 1.0,
               40 / BUCKET_BYTES),), bucket_bytes),
)}
