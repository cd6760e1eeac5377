"""Clients that misbehave beside those that are measured."""

import os
import selectors
import socket
import threading
import time

CHUNK = 1 << 16
TRICKLE_S = 0.05


class Reporter:
    """Asks for one long report after the other, many ahead."""

    wants, text = selectors.EVENT_READ, b"LIMITS\n" * 20

    def __init__(self, sock):
        self.sock = sock
        sock.send(self.text)

    def go_on(self):
        ends = self.sock.recv(CHUNK).count(b"\nEND\n")
        self.sock.send(b"LIMITS\n" * ends)


class Deaf:
    """Asks, and reads nothing; the daemon closes it after a while."""

    wants, text = selectors.EVENT_WRITE, b"PEEK login:1\n" * 1000

    def __init__(self, sock):
        self.sock = sock

    def go_on(self):
        self.sock.send(self.text)


class Trickler:
    """Sends byte by byte."""

    wants, text = 0, b"CONSUME login:1\n"

    def __init__(self, sock):
        self.sock = sock
        self.at = 0

    def trickle(self):
        self.sock.send(self.text[self.at:self.at + 1])
        self.at = (self.at + 1) % len(self.text)


class Dripper:
    """Sends a request of HTTP that has no end, a header a second."""

    wants, text = 0, b"GET /consume?key=login:1 HTTP/1.1\r\n"

    def __init__(self, sock):
        self.sock = sock
        sock.send(self.text)
        self.due = time.monotonic() + 1

    def trickle(self):
        if time.monotonic() >= self.due:
            self.due += 1
            self.sock.send(b"X-A: b\r\n")


KINDS = (Reporter, Deaf, Trickler)


class RudeClients:
    """So many of them, of each kind as many, on a thread of their own."""

    def __init__(self, connect, count, kinds=KINDS):
        self.connect = connect
        self.selector = selectors.DefaultSelector()
        self.tricklers = []
        self.ending = False
        for i in range(count):
            self.open(kinds[i % len(kinds)])
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def open(self, kind):
        sock = self.connect()
        # A deaf client's responses are not to fill the kernel's memory first.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        sock.setblocking(False)
        client = kind(sock)
        if kind.wants:
            self.selector.register(sock, kind.wants, client)
        else:
            self.tricklers.append(client)

    def run(self):
        # What is measured is what the daemon does, not how three processes share two
        # cores.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        next_trickle = time.monotonic()
        while not self.ending:
            for key, _ in self.selector.select(TRICKLE_S):
                self.go_on(key.data)
            if time.monotonic() >= next_trickle:
                next_trickle = time.monotonic() + TRICKLE_S
                self.trickle()

    def trickle(self):
        """One that was closed comes back."""
        clients, self.tricklers = self.tricklers, []
        for client in clients:
            try:
                client.trickle()
                self.tricklers.append(client)
            except OSError:
                client.sock.close()
                self.open(type(client))

    def go_on(self, client):
        """One that was closed for being rude comes back."""
        try:
            client.go_on()
        except BlockingIOError:
            pass
        except OSError:
            self.selector.unregister(client.sock)
            client.sock.close()
            self.open(type(client))

    def stop(self):
        self.ending = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        for client in self.tricklers:
            client.sock.close()
        self.selector.close()
