"""A consumer that looks at no record: Kafka's Fetch request, version 4, by hand, so that what a broker
needs to give records out is not lost in what a client needs to take them."""

import socket
import struct

FETCH = 1
VERSION = 4
BYTES_MAX = 1 << 20  # Of one answer, as librdkafka asks by default.
PATIENCE = 30.0
BATCH_HEAD = 27  # Of a batch, up to the offset of its last record.


def read(port, topic, bytes_wanted):
    """Reads partition 0 from its beginning until so many bytes of batches have come; returns how many
    did."""
    taken = offset = 0
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        room = memoryview(bytearray(BYTES_MAX + (1 << 20)))
        while taken < bytes_wanted:
            connection.sendall(_request(topic, offset))
            length, = struct.unpack(">i", _receive(connection, room, 4))
            answer = _receive(connection, room, length)
            records = _records(answer, topic)
            assert records, f"no records from offset {offset} on"
            taken += len(records)
            offset = _offset_after(records)
    return taken


def _request(topic, offset):
    name = struct.pack(">h", len(topic)) + topic.encode()
    body = (struct.pack(">hhih", FETCH, VERSION, 1, -1)
            + struct.pack(">iiiib", -1, 1000, 1, BYTES_MAX, 0)
            + struct.pack(">i", 1) + name + struct.pack(">iiqi", 1, 0, offset, BYTES_MAX))
    return struct.pack(">i", len(body)) + body


def _receive(connection, room, count):
    into = room[:count]
    while into:
        came = connection.recv_into(into)
        assert came, "the broker hung up"
        into = into[came:]
    return room[:count]


def _records(answer, topic):
    at = 4 + 4 + 4 + 2 + len(topic) + 4  # Correlation id, throttle time, topics, name, partitions.
    _, error, _, _, aborted = struct.unpack_from(">ihqqi", answer, at)
    assert error == 0, f"Kafka's error {error}"
    at += struct.calcsize(">ihqqi") + max(0, aborted) * 16
    length, = struct.unpack_from(">i", answer, at)
    return answer[at + 4:at + 4 + max(0, length)]


def _offset_after(records):
    """Behind the last batch that has come whole."""
    at, after = 0, None
    while at + BATCH_HEAD <= len(records):
        base, length = struct.unpack_from(">qi", records, at)
        if at + 12 + length > len(records):
            break
        after = base + 1 + struct.unpack_from(">i", records, at + BATCH_HEAD - 4)[0]
        at += 12 + length
    assert after is not None, "not one whole batch"
    return after
