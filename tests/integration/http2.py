"""Just enough of HTTP/2, HPACK, gRPC and protobuf for a client of gRPC."""

import struct

import harness

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = \
    0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LIMIT = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
AUTHORIZE = "/envoy.service.auth.v3.Authorization/Check"
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

# HPACK's code of the characters that the daemon sends: the 5-bit ones, and so on.
HUFFMAN = {}
for _bits, _first, _characters in (
        (5, 0x00, "012aceiost"), (6, 0x14, " %-./3456789=A_bdfghlmnpru"),
        (7, 0x5c, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"), (8, 0xf8, "&*,;XZ")):
    for _i, _character in enumerate(_characters):
        HUFFMAN[f"{_first + _i:0{_bits}b}"] = _character


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """(number, value) of each field; values are numbers or bytes."""
    found, at = [], 0

    def number():
        nonlocal at
        result = shift = 0
        while True:
            byte = message[at]
            at += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    while at < len(message):
        tag = number()
        value = number()
        if tag & 7 == 2:
            value, at = message[at:at + value], at + value
        found.append((tag >> 3, value))
    return found


def descriptor(*entries, more=b""):
    return b"".join(field(1, field(1, name) + field(2, value))
                    for name, value in entries) + more


def limit_request(domain, *descriptors, more=b""):
    return field(1, domain) + b"".join(field(2, one) for one in descriptors) + more


def check_request(method, path, headers=(), host="example.com", source="192.0.2.1", raw=False):
    """Envoy's ext_authz about a request."""
    http = field(2, method) + field(4, path) + field(5, host)
    if raw:
        http += field(13, b"".join(field(1, field(1, name) + field(3, value))
                                   for name, value in headers))
    else:
        http += b"".join(field(3, field(1, name) + field(2, value)) for name, value in headers)
    return field(1, field(1, field(1, field(1, field(2, source)))) +
                 field(4, field(2, http)))


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + payload


def literal(name, value):
    name, value = name.encode(), value.encode()
    return b"\0" + integer(len(name)) + name + integer(len(value)) + value


def integer(number):
    return bytes([number]) if number < 127 else b"\x7f" + varint(number - 127)


def take_integer(block, at, bits):
    number = block[at] & (1 << bits) - 1
    at += 1
    if number == (1 << bits) - 1:
        shift = 0
        while True:
            number += (block[at] & 127) << shift
            shift += 7
            at += 1
            if block[at - 1] < 128:
                break
    return number, at


def take_text(block, at):
    coded = block[at] & 128
    length, at = take_integer(block, at, 7)
    text = block[at:at + length]
    if not coded:
        return text.decode(), at + length
    out = code = ""
    for bit in "".join(f"{byte:08b}" for byte in text):
        code += bit
        if code in HUFFMAN:
            out, code = out + HUFFMAN[code], ""
    return out, at + length


def headers_of(block):
    """Decode what an encoder without a dynamic table sends."""
    names = {8: ":status", 31: "content-type"}
    found, at = {}, 0
    while at < len(block):
        byte = block[at]
        if byte & 128:
            index, at = take_integer(block, at, 7)
            found[names[index]] = "200"
            continue
        if byte & 0xe0 == 0x20:
            _, at = take_integer(block, at, 5)
            continue
        index, at = take_integer(block, at, 6 if byte & 64 else 4)
        name, at = (names[index], at) if index else take_text(block, at)
        found[name], at = take_text(block, at)
    return found


class Call:
    """What came on a stream."""

    def __init__(self):
        self.headers, self.data, self.ended, self.reset = {}, b"", False, None

    @property
    def code(self):
        return int(self.headers["grpc-status"])

    @property
    def messages(self):
        """Those that came as a whole, of a stream of them."""
        found, at = [], 0
        while len(self.data) >= at + 5:
            compressed, length = struct.unpack(">BI", self.data[at:at + 5])
            assert compressed == 0
            if len(self.data) < at + 5 + length:
                break
            found.append(self.data[at + 5:at + 5 + length])
            at += 5 + length
        return found

    @property
    def message(self):
        assert struct.unpack(">BI", self.data[:5]) == (0, len(self.data) - 5)
        return self.data[5:]


class Client:
    """One connection, with settings that keep HPACK simple."""

    def __init__(self, address, settings=((1, 0),), wrap=lambda socket: socket):
        self.connection = harness.Connection(address)
        self.begin_on(wrap(self.connection.socket), settings)

    def begin_on(self, socket, settings=((1, 0),)):
        self.socket = socket
        self.calls, self.goaway, self.pongs, self.next = {}, None, 0, 1
        self.pending, self.owed = b"", 0
        self.send(PREFACE + frame(SETTINGS, 0, 0, b"".join(
            struct.pack(">HI", *setting) for setting in settings)))

    def close(self):
        self.connection.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    @staticmethod
    def headers(path, **more):
        more = {"content-type": "application/grpc", "te": "trailers",
                **{name.replace("_", "-"): value for name, value in more.items()}}
        return literal(":method", "POST") + literal(":scheme", "http") + \
            literal(":path", path) + literal(":authority", "x") + \
            b"".join(literal(name, value) for name, value in more.items())

    def call_bytes(self, path, message, **more):
        """The frames of a call, and its stream."""
        stream, self.next = self.next, self.next + 2
        self.calls[stream] = Call()
        body = struct.pack(">BI", 0, len(message)) + message
        pieces = [body[at:at + 16384] for at in range(0, len(body), 16384)]
        return stream, frame(HEADERS, END_HEADERS, stream, self.headers(path, **more)) + \
            b"".join(frame(DATA, END_STREAM if i == len(pieces) - 1 else 0, stream, piece)
                     for i, piece in enumerate(pieces))

    def begin(self, path, message, **more):
        stream, data = self.call_bytes(path, message, **more)
        self.send(data)
        return stream

    def call(self, path, message, **more):
        return self.wait(self.begin(path, message, **more))

    def open(self, path, **more):
        """Begin a call whose messages are a stream."""
        stream, self.next = self.next, self.next + 2
        self.calls[stream] = Call()
        self.send(frame(HEADERS, END_HEADERS, stream, self.headers(path, **more)))
        return stream

    @staticmethod
    def message_bytes(stream, message, end=False):
        return frame(DATA, END_STREAM if end else 0, stream,
                     struct.pack(">BI", 0, len(message)) + message)

    def ask(self, stream, message):
        """The response to the next message of such a call; None: it has ended."""
        call = self.calls[stream]
        had = len(call.messages)
        self.send(self.message_bytes(stream, message))
        return self.wait_message(stream, had)

    def wait_message(self, stream, had):
        call = self.calls[stream]
        while len(call.messages) == had and not call.ended:
            assert self.read_frame(), "the daemon closed the connection"
        return call.messages[had] if len(call.messages) > had else None

    def finish(self, stream):
        """End our side of such a call, and wait for the other."""
        self.send(frame(DATA, END_STREAM, stream))
        return self.wait(stream)

    def limit(self, domain, *descriptors, **more):
        return self.call(LIMIT, limit_request(domain, *descriptors), **more)

    def wait(self, stream):
        while not self.calls[stream].ended:
            assert self.read_frame(), "the daemon closed the connection"
        return self.calls[stream]

    def take(self, length):
        while len(self.pending) < length:
            got = self.socket.recv(65536)
            if not got:
                return None
            self.pending += got
        taken, self.pending = self.pending[:length], self.pending[length:]
        return taken

    def read_frame(self):
        """Handle the next frame.  Return its type as a list of one; None at the end."""
        head = self.take(9)
        if head is None:
            return None
        kind, flags = head[3], head[4]
        stream = struct.unpack(">I", head[5:])[0]
        payload = self.take(int.from_bytes(head[:3], "big"))
        call = self.calls.get(stream)
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])
        elif kind == RST_STREAM and call:
            call.ended, call.reset = True, struct.unpack(">I", payload)[0]
        elif kind == DATA and call:
            call.data += payload
            self.owed += len(payload)
            if self.owed >= 16384:
                self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.owed)))
                self.owed = 0
        elif kind == HEADERS and call:
            call.headers.update(headers_of(payload))
        if kind in (DATA, HEADERS) and flags & END_STREAM and call:
            call.ended = True
        return [kind]

    def read_to_end(self):
        try:
            while self.read_frame():
                pass
        except ConnectionResetError:
            pass
