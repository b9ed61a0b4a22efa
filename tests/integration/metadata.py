"""What one broker says of the cluster to clients: Kafka's Metadata request, version 1, by hand, as a
client library asks whichever broker it likes."""

import socket
import struct

METADATA = 3
VERSION = 1
PATIENCE = 5.0


def ask(port, *topics, patience=PATIENCE):
    """Returns the ids of the live brokers and {topic: {partition: (leader, ISR)}} as the broker at
    this port of this machine has them; None if it does not say within so many seconds."""
    request = struct.pack(">hhih", METADATA, VERSION, 1, -1) + body(*topics)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                length, = struct.unpack(">i", stream.read(4))
                return parse(stream.read(length)[4:])  # Behind the correlation id.
    except (OSError, struct.error):
        return None


def body(*topics):
    return struct.pack(">i", len(topics)) + b"".join(
        struct.pack(">h", len(topic)) + topic.encode() for topic in topics)


def parse(answer):
    """Returns what ask() does of an answer without its header."""
    return _Answer(answer).read()


class _Answer:
    def __init__(self, content):
        self._content = content
        self._at = 0

    def read(self):
        brokers = self._several(self._broker)
        self._take(">i")  # The controller.
        return brokers, dict(self._several(self._topic))

    def _broker(self):
        broker = self._take(">i")
        self._text()
        self._take(">i")
        self._text()
        return broker

    def _topic(self):
        self._take(">h")
        name = self._text()
        self._take(">?")
        return name, dict(self._several(self._partition))

    def _partition(self):
        self._take(">h")
        partition, leader = self._take(">i"), self._take(">i")
        self._several(lambda: self._take(">i"))
        return partition, (leader, sorted(self._several(lambda: self._take(">i"))))

    def _take(self, form):
        value, = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return value

    def _text(self):
        length = max(0, self._take(">h"))
        self._at += length
        return self._content[self._at - length:self._at].decode()

    def _several(self, item):
        return [item() for _ in range(self._take(">i"))]
