"""The bus of a Redis Cluster, by which its nodes talk to each other, with a node that a
test can cut off: its clients and its replica still reach it.

Node i talks from 127.0.1.(i+1), and is talked to by a port of the bus.
"""

import selectors
import socket
import threading

import harness


class Bus:
    """One connection each way between two nodes goes through it."""

    def __init__(self):
        self.targets = {}  # listener -> (node, port of that node)
        self.ways = {}     # end -> (other end, the two nodes)
        self.away = None   # the node that is cut off
        self.lock = threading.Lock()
        self.closing = False
        self.selector = selectors.DefaultSelector()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def arguments(self, node):
        """What redis-server needs to talk by the bus as that node."""
        port = harness.free_port()
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        with self.lock:
            self.targets[listener] = (node, port)
            self.selector.register(listener, selectors.EVENT_READ)
        return ("--cluster-port", str(port), "--bind-source-addr", f"127.0.1.{node + 1}",
                "--protected-mode", "no", "--cluster-announce-ip", "127.0.0.1",
                "--cluster-announce-bus-port", str(listener.getsockname()[1]))

    def port(self, node):
        """By which others talk to it."""
        return next(listener.getsockname()[1] for listener, (name, _) in self.targets.items()
                    if name == node)

    def cut_off(self, node):
        """None: all are together again."""
        with self.lock:
            self.away = node
            for end, (_, nodes) in list(self.ways.items()):
                if node in nodes and end in self.ways:
                    self.close_way(end)

    def run(self):
        while not self.closing:
            for key, _ in self.selector.select(0.01):
                with self.lock:
                    if key.fileobj in self.targets:
                        self.accept(key.fileobj)
                    elif key.fileobj in self.ways:
                        self.pass_on(key.fileobj)

    def accept(self, listener):
        end, address = listener.accept()
        node, port = self.targets[listener]
        nodes = (node, int(address[0].split(".")[3]) - 1)
        try:
            if self.away in nodes:
                raise ConnectionError
            other = socket.create_connection(("127.0.0.1", port))
        except OSError:
            end.close()
            return
        for one, two in (end, other), (other, end):
            self.ways[one] = (two, nodes)
            self.selector.register(one, selectors.EVENT_READ)

    def pass_on(self, end):
        try:
            data = end.recv(65536)
            self.ways[end][0].sendall(data)
        except OSError:
            data = b""
        if not data:
            self.close_way(end)

    def close_way(self, end):
        for one in end, self.ways[end][0]:
            del self.ways[one]
            self.selector.unregister(one)
            one.close()

    def close(self):
        self.closing = True
        self.thread.join()
        for end in list(self.ways):
            if end in self.ways:
                self.close_way(end)
        for listener in self.targets:
            listener.close()
        self.selector.close()
