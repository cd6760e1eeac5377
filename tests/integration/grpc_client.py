"""A client of gRPC that is made of the messages' own files: Python's grpcio.

    grpc_client.py FOLDER PORT SOURCES

Makes Python of the messages in SOURCES, in FOLDER, asks, and prints what it got as
JSON.
"""

import json
import subprocess
import sys
from concurrent import futures

import grpc

SOURCES = sys.argv[3]
FILES = "google.proto", "health.proto", "ratelimit.proto"


def main(folder, port):
    subprocess.run(["protoc", f"-I{SOURCES}", f"--python_out={folder}", *FILES],
                   cwd=SOURCES, check=True)
    sys.path.insert(0, folder)
    import health_pb2  # pylint: disable=import-outside-toplevel,import-error
    import ratelimit_pb2  # pylint: disable=import-outside-toplevel,import-error

    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    limit = channel.unary_unary(
        "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
        request_serializer=ratelimit_pb2.RateLimitRequest.SerializeToString,
        response_deserializer=ratelimit_pb2.RateLimitResponse.FromString)
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString)
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString)

    def request(*values, name="path"):
        made = ratelimit_pb2.RateLimitRequest(domain="web")
        for value in values:
            entry = made.descriptors.add().entries.add()
            entry.key, entry.value = name, value
        return made

    def outcome(response):
        return [response.overall_code, [
            [one.code, one.current_limit.requests_per_unit, one.limit_remaining]
            for one in response.statuses]]

    said = {"calls": [outcome(limit(request("a", "b"), timeout=30)) for _ in range(11)]}
    # Many at once, on one connection.
    with futures.ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(lambda _: limit(request("x", name="remote_address"),
                                              timeout=30).overall_code, range(200)))
    said["at_once"] = {str(code): codes.count(code) for code in set(codes)}
    said["health"] = check(health_pb2.HealthCheckRequest(), timeout=30).status
    said["watch"] = next(watch(health_pb2.HealthCheckRequest(), timeout=30)).status
    try:
        limit(ratelimit_pb2.RateLimitRequest(), timeout=30)
    except grpc.RpcError as error:
        said["error"] = [error.code().name, error.details()]
    channel.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
