"""A slow link: what a machine asks for arrives at once, what it is answered arrives late."""

import collections
import socket
import struct
import subprocess
import sys
import threading
import time

from machines import Machines, run

_SO_ORIGINAL_DST = 80
_LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"-"], [listener.fileno()])
"""


class SlowLink:
    """All that a machine has connected to a port elsewhere, each byte of the answers `lag` seconds
    late, in order. Made before the connections are. Nothing is lost, nothing is reordered."""

    def __init__(self, machine, port):
        self._lag = 0.0
        self._changed = threading.Condition()
        self._sockets = []
        self._listener = _listener_at(machine)
        run(*Machines.at(machine), "iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport",
            str(port), "-j", "REDIRECT", "--to-ports", str(self._listener.getsockname()[1]))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def lag(self):
        return self._lag

    @lag.setter
    def lag(self, seconds):
        """Holds for what is under way too."""
        with self._changed:
            self._lag = seconds
            self._changed.notify_all()

    def close(self):
        for end in [self._listener, *self._sockets]:
            try:
                end.shutdown(socket.SHUT_RDWR)  # Wakes the thread that waits for it.
            except OSError:
                pass
            end.close()
        self.lag = 0.0

    def _serve(self):
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(_destination(here), timeout=5)
            except OSError:
                here.close()
                continue
            there.settimeout(None)
            for end in (here, there):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [here, there]
            late = collections.deque()  # (when it came, what came), and b"" last of all.
            for target, *arguments in ((_forward, here, there), (self._collect, there, late),
                                       (self._deliver, late, here)):
                threading.Thread(target=target, args=arguments, daemon=True).start()

    def _collect(self, source, late):
        chunk = b"-"
        while chunk:
            try:
                chunk = source.recv(65536)
            except OSError:
                chunk = b""
            with self._changed:
                late.append((time.monotonic(), chunk))
                self._changed.notify_all()

    def _deliver(self, late, sink):
        while chunk := self._next(late):
            try:
                sink.sendall(chunk)
            except OSError:
                return
        _hang_up(sink)

    def _next(self, late):
        with self._changed:
            while True:
                wait = late[0][0] + self._lag - time.monotonic() if late else None
                if wait is not None and wait <= 0:
                    return late.popleft()[1]
                self._changed.wait(wait)


def _listener_at(machine):
    """A listening socket of another machine, in our hands."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run([*Machines.at(machine), sys.executable, "-c", _LISTEN,
                        str(theirs.fileno())], pass_fds=[theirs.fileno()], check=True)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=descriptors[0])


def _destination(redirected):
    """Where a redirected connection was to go."""
    _, port, host = struct.unpack_from("!HH4s", redirected.getsockopt(
        socket.IPPROTO_IP, _SO_ORIGINAL_DST, 16))
    return socket.inet_ntoa(host), port


def _forward(source, sink):
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    _hang_up(sink)


def _hang_up(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
