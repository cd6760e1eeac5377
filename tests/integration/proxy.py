"""A way to a server that a test can cut, block, or let bytes vanish on.

Listens on a Unix socket and passes on what comes, connection by connection.
"""

import os
import selectors
import socket
import threading


class Way:
    """One connection through the proxy."""

    def __init__(self, client, server):
        self.sockets = {client: server, server: client}
        self.client = client
        self.held = {client: b"", server: b""}
        self.subscribes = False


class Proxy:
    """From path to a server's Unix socket.

    hold_requests, hold_replies: functions of a Way: what it sends, or is sent,
    waits until they are set back to None.  swallowing: all bytes vanish, and
    neither side sees it.
    """

    count = 0

    def __init__(self, folder, target):
        Proxy.count += 1
        self.path = os.path.join(folder, f"proxy-{Proxy.count}.sock")
        self.target = target
        self.hold_requests = self.hold_replies = None
        self.swallowing = False
        self.ways = []
        self.connections = 0
        self.closing = False
        self.lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.closing:
            ready = self.selector.select(0.002)
            with self.lock:
                for key, _ in ready:
                    if key.data is None:
                        self.accept()
                    elif key.fileobj in key.data.sockets:
                        self.take(key.data, key.fileobj)
                for way in list(self.ways):
                    self.release(way)

    def accept(self):
        client, _ = self.listener.accept()
        self.connections += 1
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.target)
        except OSError:
            client.close()
            server.close()
            return
        way = Way(client, server)
        self.ways.append(way)
        for end in way.sockets:
            self.selector.register(end, selectors.EVENT_READ, way)

    def take(self, way, source):
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.close_way(way)
            return
        if source is way.client and b"SUBSCRIBE" in data:
            way.subscribes = True
        if not self.swallowing:
            way.held[source] += data

    def release(self, way):
        for source, data in way.held.items():
            hold = self.hold_requests if source is way.client else self.hold_replies
            if data and not (hold and hold(way)):
                way.held[source] = b""
                try:
                    way.sockets[source].sendall(data)
                except OSError:
                    self.close_way(way)
                    return

    def close_way(self, way):
        if way in self.ways:
            self.ways.remove(way)
            for end in way.sockets:
                self.selector.unregister(end)
                end.close()

    def held(self, way_is):
        """How many bytes of replies wait on such ways."""
        with self.lock:
            return sum(len(data) for way in self.ways if way_is(way)
                       for source, data in way.held.items() if source is not way.client)

    def held_requests(self, way_is):
        with self.lock:
            return sum(len(way.held[way.client]) for way in self.ways if way_is(way))

    def cut(self, way_is=lambda way: True):
        """Close such connections; how many there were."""
        with self.lock:
            ways = [way for way in self.ways if way_is(way)]
            for way in ways:
                self.close_way(way)
            return len(ways)

    def close(self):
        self.closing = True
        self.thread.join()
        self.cut()
        self.listener.close()
        self.selector.close()


def subscribes(way):
    return way.subscribes


def asks(way):
    return not way.subscribes
