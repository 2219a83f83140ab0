# SPDX-License-Identifier: Apache-2.0
"""A network between two processes of a test, that can be cut: nothing gets through any more and nobody is told."""
import selectors
import socket
import threading

from . import proc


class Wire:
    """Listens on a port of its own and passes everything on to another one, until it is cut."""

    def __init__(self, port):
        self.to, self.port = port, proc.free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._wake, self._woken = socket.socketpair()
        self._is_cut = self._is_closed = False
        self._other = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self):
        """From now on: connections stay, and carry nothing."""
        self._is_cut = True

    def mend(self):
        """As a network that is back: what was sent meanwhile arrives."""
        self._is_cut = False
        self._wake.send(b"x")

    def close(self):
        self._is_closed = True
        self._wake.send(b"x")
        self._thread.join()
        for end in [self._listener, self._wake, self._woken, *self._other]:
            end.close()

    def _accept(self):
        here, _ = self._listener.accept()
        try:
            there = socket.create_connection(("127.0.0.1", self.to), timeout=5)
        except OSError:
            here.close()
            return
        for one, other in ((here, there), (there, here)):
            self._other[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _drop(self, end):
        other = self._other.pop(end)
        self._other.pop(other)
        for each in (end, other):
            self._selector.unregister(each)
            each.close()

    def _pass_on(self, end):
        try:
            data = end.recv(65536)
            if data:
                self._other[end].sendall(data)
                return
        except OSError:
            pass
        self._drop(end)

    def _run(self):
        while not self._is_closed:
            if self._is_cut:
                self._woken.recv(1)  # until it is mended or closed
                continue
            for key, _ in self._selector.select():
                if self._is_cut or self._is_closed:
                    break
                if key.fileobj is self._woken:
                    self._woken.recv(1)
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._other:
                    self._pass_on(key.fileobj)
