"""What the rows about upstreams compare: sides, and what is counted."""

import statistics

from measure import Side, measure
from servers import LOGIN, Failed, allow_descriptors, fill

PATH = "/upstream/api/"

BODY = "x" * 100

# What nginx says, which may be stored, or not.
STORED = f"add_header Cache-Control max-age=3600; return 200 {BODY};"
PLAIN = f"return 200 {BODY};"


def settings(upstream, **more):
    """The section of an upstream, of which nothing is refused."""
    lines = {"url": f"http://{upstream.tcp}", "max_connections": 10000,
             "max_wait": "1h", **more}
    return "[upstream:api]\n" + "".join(
        f"{name} = {value}\n" for name, value in lines.items())


def passing(stage, dripgated, label, servers, mode="http", path=PATH):
    return Side(label, stage.address(dripgated), {"mode": mode, "path": path},
                servers, "allow")


def cache_sides(stage):
    """A thousand responses, all of which are stored by the end of the warm-up."""
    nginx = stage.nginx(STORED)
    dripgated = stage.dripgated(more=settings(nginx))
    return (passing(stage, dripgated, "hit", [dripgated]),
            passing(stage, dripgated, "/consume", [dripgated],
                    path="/consume?key="))


def cache_redis_sides(stage):
    """Memory holds a few of the responses: nearly all come from Redis."""
    nginx, redis = stage.nginx(STORED), stage.redis()
    dripgated = stage.dripgated(
        redis, more=settings(nginx, cache="redis", cache_bytes=65536))
    fill(redis)
    haproxy = stage.haproxy(redis)
    return (passing(stage, dripgated, "hit in Redis", [dripgated, redis]),
            Side("GET by haproxy", haproxy.tcp, {"mode": "get"},
                 [haproxy, redis]))


def miss_sides(stage):
    nginx = stage.nginx(PLAIN)
    dripgated = stage.dripgated(
        more=settings(nginx, cache="off", limit_key="login:api"))
    return (passing(stage, dripgated, "miss", [dripgated, nginx]),
            passing(stage, nginx, "nginx", [nginx], path="/"))


ROUNDS = 15
OVERHEAD_US = 200


def miss_overhead(stage):
    """By how much a request takes longer through dripgated, at the median, and by
    how much it may."""
    ours, theirs = miss_sides(stage)
    load = {"keys": 1000, "conns": 1, "pipeline": 1, "seconds": 0.5,
            "warmup": 0.1}
    times = [(measure(ours, load).p50, measure(theirs, load).p50)
             for _ in range(ROUNDS)]
    return statistics.median(a - b for a, b in times), OVERHEAD_US


WAITS = 10_000
WAIT_BYTES = 4000


def wait_bytes(stage):
    """Bytes of a client that waits for the limit of an upstream, with all that it
    takes, and how many it may take."""
    allow_descriptors(WAITS + 400)
    nginx = stage.nginx(PLAIN)
    dripgated = stage.dripgated(
        limits=LOGIN + "capacity = 1\nrecharge = 8s\nqueue = 1000d\n",
        more=settings(nginx, limit_key="login:api", cache="off",
                      max_wait="1d"))
    clients = [stage.exits.enter_context(dripgated.connect())
               for _ in range(WAITS)]
    dripgated.wait_for_stat("clients", WAITS)
    clients[0].sendall(request(0))
    if not clients[0].recv(4096).startswith(b"HTTP/1.1 200 "):
        raise Failed("no 200")
    empty = dripgated.resident_bytes()
    for i, client in enumerate(clients):
        client.sendall(request(i))
    dripgated.wait_for_stat("waits", WAITS)
    return (dripgated.resident_bytes() - empty) / WAITS, WAIT_BYTES


def request(i):
    return f"GET {PATH}{i} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
