"""A producer by hand, which knows its leader: Kafka's Produce request, version 3, so that what a broker
needs to take records is not lost in what a client needs to find it."""

import socket
import struct
import time

import kafka_bytes

VERSION = 3
PATIENCE = 60.0
ALL = -1  # Acknowledgements.
NOT_YET = {0, 3, 6}  # None, unknown topic or partition, not its leader.


def to_each(port, topic, partitions, size):
    """Writes one record of so many bytes to each partition, in one request; returns when all are
    acknowledged. A broker that leads some of them as yet is asked again for all."""
    end = time.monotonic() + PATIENCE
    while (errors := _ask_once(port, topic, partitions, size)) != {0}:
        assert errors <= NOT_YET and time.monotonic() < end, f"Kafka's errors {errors}"


def _ask_once(port, topic, partitions, size):
    """Yields the error codes of all partitions."""
    batch = kafka_bytes.batch([b"v" * size])
    body = [struct.pack(">hhih", kafka_bytes.PRODUCE, VERSION, 1, -1),
            struct.pack(">hhi", -1, ALL, int(1000 * PATIENCE)),
            struct.pack(">i", 1), kafka_bytes.string(topic), struct.pack(">i", partitions)]
    for partition in range(partitions):
        body += struct.pack(">ii", partition, len(batch)), batch
    request = b"".join(body)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        length, = struct.unpack(">i", _receive(connection, 4))
        answer = _receive(connection, length)
    at = 4 + 4 + 2 + len(topic) + 4  # Correlation id, topics, name, partitions.
    answers = [struct.unpack_from(">ihqq", answer, at + i * struct.calcsize(">ihqq"))
               for i in range(partitions)]
    return {error for _, error, _, _ in answers}


def _receive(connection, count):
    came = bytearray()
    while len(came) < count:
        more = connection.recv(count - len(came))
        assert more, "the broker hung up"
        came += more
    return bytes(came)
