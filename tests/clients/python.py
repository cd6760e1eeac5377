"""Clients of Python; see clients.py for what each of them does."""

import asyncio
import json
import os
import sys


def levels(replies):
    return [reply[1] for reply in replies]


def text(reply):
    """The reply with strings for bytes."""
    return [value.decode() if isinstance(value, bytes) else value for value in reply]


def of_redis_py(module, port, key, **options):
    """redis-py and valkey-py, which was made of it."""
    client = (module.Redis if hasattr(module, "Redis") else module.Valkey)(port=port, **options)
    answers = {"consume": text(client.execute_command("CONSUME", key, 3))}
    for name, count, options in (("pipeline", 10, {"transaction": False}),
                                 ("transaction", 3, {})):
        pipeline = client.pipeline(**options)
        for _ in range(count):
            pipeline.execute_command("CONSUME", key)
        answers[name] = levels(pipeline.execute())
    answers["throttle"] = client.execute_command("CL.THROTTLE", key, 4, 1, 3600)
    return answers


def redis_py(port, key):
    import redis
    return of_redis_py(redis, port, key)


def redis_py_tls(port, key):
    import redis
    return of_redis_py(redis, port, key, ssl=True, ssl_ca_certs=os.environ["CA"])


def valkey_py(port, key):
    import valkey
    return of_redis_py(valkey, port, key)


def coredis(port, key):
    return asyncio.run(of_coredis(port, key))


async def of_coredis(port, key):
    import coredis as library
    from coredis.response._callbacks import NoopCallback

    async with library.Redis(host="127.0.0.1", port=port) as client:
        def request(commands, *words):
            return commands.create_request(*words, callback=NoopCallback())

        answers = {"consume": text(await request(client, b"CONSUME", key, 3))}
        for name, count, transaction in (("pipeline", 10, False), ("transaction", 3, True)):
            async with client.pipeline(transaction=transaction) as pipeline:
                waiting = [request(pipeline, b"CONSUME", key) for _ in range(count)]
            answers[name] = levels([await one for one in waiting])
        answers["throttle"] = await request(client, b"CL.THROTTLE", key, 4, 1, 3600)
        return answers


if __name__ == "__main__":
    CLIENTS = {"redis-py": redis_py, "redis-py-tls": redis_py_tls, "valkey-py": valkey_py,
               "coredis": coredis}
    print(json.dumps(CLIENTS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])))
