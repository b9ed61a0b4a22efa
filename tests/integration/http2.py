"""As much HTTP/2 and gRPC as a test needs to stand at either end of a call, over a plain socket: so
that it sees requests come and go, and depends on no library for it."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
WINDOW = 1 << 30
# HPACK: an entry of its table, or a literal that enters no table.
OK_HEADERS = b"\x88" + b"\x00\x0ccontent-type\x10application/grpc"  # 8: ":status: 200"
OK_TRAILERS = b"\x00\x0bgrpc-status\x010"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def message(body):
    """A gRPC message, not compressed."""
    return b"\0" + struct.pack(">I", len(body)) + body


class Frames:
    """Cuts what a socket brings into frames."""

    def __init__(self, connection):
        self._connection = connection
        self._pending = b""

    def receive(self):
        """Returns [(kind, flags, stream, payload), …] once bytes have come; None at the end."""
        chunk = self._connection.recv(1 << 18)
        if not chunk:
            return None
        self._pending = (self._pending + chunk).removeprefix(PREFACE)
        found = []
        while len(self._pending) >= 9:
            size = 9 + int.from_bytes(self._pending[:3], "big")
            if len(self._pending) < size:
                break
            kind, flags, stream = struct.unpack(">BBI", self._pending[3:9])
            found.append((kind, flags, stream, self._pending[9:size]))
            self._pending = self._pending[size:]
        return found

    def oblige(self, kind, flags, payload):
        """Answers what any peer must answer."""
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._connection.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == DATA and payload:
            self._connection.sendall(
                frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))


class Caller:
    """Calls a gRPC server, one call at a time."""

    def __init__(self, address):
        self._address = address
        host, port = address.rsplit(":", 1)
        self._connection = socket.create_connection((host, int(port)), timeout=60)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = Frames(self._connection)
        self._stream = -1
        self._connection.sendall(
            PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW)) +
            frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW)))

    def close(self):
        self._connection.close()

    def call(self, path, body=b""):
        """Returns the answer's bytes; raises ConnectionError if there is none."""
        self._stream += 2
        headers = (b"\x83\x86" + b"\x04" + _text(path) + b"\x01" + _text(self._address) +
                   b"\x0f\x10" + _text("application/grpc") + b"\x00" + _text("te") +
                   _text("trailers"))
        self._connection.sendall(
            frame(HEADERS, END_HEADERS, self._stream, headers) +
            frame(DATA, END_STREAM, self._stream, message(body)))
        answer = b""
        while (frames := self._frames.receive()) is not None:
            for kind, flags, stream, payload in frames:
                self._frames.oblige(kind, flags, payload)
                if kind == DATA and stream == self._stream:
                    answer += payload
                elif kind == HEADERS and stream == self._stream and flags & END_STREAM:
                    if not answer:
                        raise ConnectionError(f"{self._address} has not answered {path}")
                    return answer[5:]
                elif kind == GOAWAY:
                    raise ConnectionError(f"{self._address} ends the connection")
        raise ConnectionError(f"{self._address} has ended the connection")


def _text(value):
    return bytes([len(value)]) + value.encode()


def fields(body):
    """A protobuf message as {number of a field: [value, …]}: integers, or bytes."""
    found, at = {}, 0
    while at < len(body):
        key, at = _varint(body, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(body, at)
        else:
            size, at = _varint(body, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = body[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(body, at):
    value, shift = 0, 0
    while True:
        byte = body[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def texts(number, values):
    """The field `number` of a protobuf message, once for each text."""
    return b"".join(bytes([number << 3 | 2]) + _text(value) for value in values)
