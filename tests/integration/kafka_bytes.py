"""Kafka's protocol byte by byte, for what no client library would send."""

import socket
import struct

PRODUCE, FETCH = 0, 1
_POLYNOMIAL = 0x82F63B78


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def varint(number):
    zigzag, out = (number << 1) ^ (number >> 63), b""
    while zigzag >= 0x80:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


def record(delta, value):
    body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(values, *, count=None, last=None, crc=None, magic=2, length=None, base=0,
          producer=(-1, -1, -1)):
    """A record batch; what is given instead of what the values say is a lie."""
    counted = struct.pack(">hiqqqhii", 0, len(values) - 1 if last is None else last, 1000, 1000,
                          *producer, len(values) if count is None else count)
    counted += b"".join(record(i, value) for i, value in enumerate(values))
    rest = struct.pack(">ibI", -1, magic, crc32c(counted) if crc is None else crc) + counted
    return struct.pack(">qi", base, len(rest) if length is None else length) + rest


class Connection:
    def __init__(self, port=9092):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Whether it was closed is what closed() tells.

    def send_request(self, api, version, body):
        frame = struct.pack(">hhi", api, version, 7) + string("bytes") + body
        self.send(struct.pack(">i", len(frame)) + frame)

    def receive(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data

    def receive_answer(self):
        answer = self.receive(*struct.unpack(">i", self.receive(4)))
        assert answer[:4] == struct.pack(">i", 7)
        return answer[4:]

    def ask(self, api, version, body):
        self.send_request(api, version, body)
        return self.receive_answer()

    def closed(self):
        """Waits until the other side has closed the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def produce(self, topic, records, partition=0):
        """Yields the error's number and the base offset."""
        self.send_produce(topic, records, partition)
        return self.receive_produced(topic)

    def send_produce(self, topic, records, partition=0, timeout_ms=5000):
        body = struct.pack(">hhii", -1, -1, timeout_ms, 1) + string(topic)
        body += struct.pack(">iii", 1, partition, len(records)) + records
        self.send_request(PRODUCE, 3, body)

    def receive_produced(self, topic):
        _, error, offset = struct.unpack_from(">ihq", self.receive_answer(),
                                              4 + 2 + len(topic) + 4)
        return error, offset

    def fetch(self, topic, offset, epoch=-1, partition=0):
        """Yields the error's number and the high watermark."""
        body = struct.pack(">iiiibiii", -1, 0, 0, 1 << 20, 0, 0, -1, 1) + string(topic)
        body += struct.pack(">iiiqqi", 1, partition, epoch, offset, -1, 1 << 20)
        body += struct.pack(">i", 0) + string("")
        answer = self.ask(FETCH, 11, body)
        _, error, high_watermark = struct.unpack_from(
            ">ihq", answer, 4 + 2 + 4 + 4 + 2 + len(topic) + 4)
        return error, high_watermark
