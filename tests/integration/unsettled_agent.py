"""An agent that is owed something for ever: it takes every control request and settles nothing, so
that a controller that may act asks it again and again. What it notes is when requests arrive."""

import json
import socket
import threading
import time

from http2 import (DATA, END_HEADERS, END_STREAM, HEADERS, OK_HEADERS, OK_TRAILERS, SETTINGS,
                   Frames, frame, message)

DONE = message(b"")  # ControlResponse with every field at 0: done, none settled.
BREATH = 0.05  # Seconds of silence after which what has been asked is answered.


class UnsettledAgent:
    """Registers as broker `broker`, in the session of `client`, and speaks as much HTTP/2 as it
    takes to be asked again."""

    def __init__(self, broker, port, client, host="127.0.0.1"):
        self._lock = threading.Lock()
        self._arrivals = []
        self._listener = socket.create_server((host, port))
        threading.Thread(target=self._accept, daemon=True).start()
        client.create(f"/brokers/ids/{broker}", self._registration(host, port), ephemeral=True)

    def arrivals(self):
        """When each control request came: [seconds of the epoch, …]."""
        with self._lock:
            return list(self._arrivals)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # Wakes the thread that accepts.
        self._listener.close()

    @staticmethod
    def _registration(host, port):
        return json.dumps({
            "features": {"regent.rpc": {"min_version": 1, "max_version": 1}},
            "listener_security_protocol_map": {"PLAINTEXT": "PLAINTEXT", "REGENT": "PLAINTEXT"},
            "endpoints": [f"PLAINTEXT://{host}:1", f"REGENT://{host}:{port}"],
            "jmx_port": -1, "port": 1, "host": host, "version": 5, "timestamp": "0",
            "regent_life": "pH1ZyEHXQxq4FIBHmCMdLw"}).encode()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                self._converse(connection)
            except OSError:
                pass

    def _converse(self, connection):
        frames = Frames(connection)
        connection.sendall(frame(SETTINGS))
        connection.settimeout(BREATH)
        asked = []
        while True:
            try:
                come = frames.receive()
            except TimeoutError:
                for stream in asked:
                    connection.sendall(
                        frame(HEADERS, END_HEADERS, stream, OK_HEADERS) +
                        frame(DATA, 0, stream, DONE) +
                        frame(HEADERS, END_HEADERS | END_STREAM, stream, OK_TRAILERS))
                asked = []
                continue
            if come is None:
                return
            for kind, flags, stream, payload in come:
                frames.oblige(kind, flags, payload)
                if kind == HEADERS:
                    with self._lock:
                        self._arrivals.append(time.time())
                if kind == DATA and flags & END_STREAM:
                    asked.append(stream)
