"""Bad bytes from clients and bad directories: Kafka's error code, or a closed connection with one
line in the log; nothing is lost, memory stays bounded."""

import pathlib
import random
import re
import socket
import struct

import harness
from harness import ClusterTest, eventually
from kafka_bytes import PRODUCE, Connection, batch, string
from processes import PATIENCE

OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
INVALID_PRODUCER_EPOCH = 47
FENCED_LEADER_EPOCH = 74
UNKNOWN_LEADER_EPOCH = 75
INVALID_RECORD = 87


class BadBytes(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers(1)
        self.cluster.ctl("topic", "create", "t", "--partitions", "1", "--replication-factor", "1")
        self.cluster.await_rows("t", [(0, [0])])
        self.good = Connection()
        eventually(lambda: self.good.produce("t", batch([b"first"])) == (0, 0), "it takes records")
        self.committed = 1

    def tearDown(self):
        self.good.socket.close()
        super().tearDown()

    def assert_unharmed(self):
        """What was there is there, nothing else is, and it goes on."""
        self.assertEqual(self.good.fetch("t", 0), (0, self.committed))
        self.assertEqual(self.good.produce("t", batch([b"next"])), (0, self.committed))
        self.committed += 1

    def complaints(self):
        return re.findall(r'client connection closed .*reason="(.*)"', self.cluster[0].text())

    def assert_closed_with_one_line(self, connection, word):
        self.assertTrue(connection.closed())
        eventually(self.complaints, "it says why")
        self.assertEqual(len(self.complaints()), 1)
        self.assertIn(word, self.complaints()[0])
        connection.socket.close()
        self.assert_unharmed()

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.cluster[0].popen.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def test_garbage_ends_its_connection(self):
        garbage = random.Random(3).randbytes(4000)
        connection = Connection()
        connection.send(garbage)
        self.assert_closed_with_one_line(connection, str(*struct.unpack_from(">i", garbage)))

    def test_garbage_at_the_port_for_brokers_ends_its_connection(self):
        host, _, port = self.cluster.addresses["broker-0"].rpartition(":")
        wanted = {"too long": b"\1\0\0\0", "no message": b"\0\0\0\3\xff\xff\xff"}
        for what, garbage in wanted.items():
            with self.subTest(what), socket.create_connection((host, port)) as connection:
                connection.settimeout(PATIENCE)
                connection.sendall(garbage)
                while connection.recv(1000):  # gRPC says something first.
                    pass
        eventually(lambda: re.findall(r'replication stream closed .*reason="(.*)"',
                                      self.cluster[0].text()), "it says why")
        self.assert_unharmed()

    def test_a_huge_length_ends_its_connection(self):
        connection = Connection()
        connection.send(struct.pack(">i", 0x7FFFFFFF))
        self.assert_closed_with_one_line(connection, "2147483647")

    def test_an_unknown_api_ends_its_connection(self):
        connection = Connection()
        connection.send_request(999, 0, b"")
        self.assert_closed_with_one_line(connection, "999")

    def test_a_request_that_ends_before_its_fields_do_ends_its_connection(self):
        connection = Connection()
        connection.send_request(PRODUCE, 3, struct.pack(">hhii", -1, -1, 5000, 1) + string("t"))
        self.assert_closed_with_one_line(connection, "Produce")

    def test_cut_frames_and_lengths_that_nothing_follows_cost_no_memory(self):
        before = self.resident_kib()
        frame = struct.pack(">hhi", PRODUCE, 3, 7) + string("bytes")
        held = []
        for _ in range(50):
            held.append(Connection())
            held[-1].send(struct.pack(">i", 50 << 20) + frame)
        for _ in range(50):
            cut = Connection()
            cut.send(struct.pack(">i", 1000) + frame)
            cut.socket.close()
        self.assert_unharmed()
        self.assertLess(self.resident_kib() - before, 64 << 10)
        for connection in held:
            connection.socket.close()
        self.assert_unharmed()

    def test_record_sets_that_lie_are_refused_and_in_no_log(self):
        right = batch([b"a", b"b"])
        for what, records, error in [
                ("a wrong CRC", batch([b"a"], crc=1), CORRUPT_MESSAGE),
                ("more records than there are", batch([b"a"], count=2, last=1), INVALID_RECORD),
                ("fewer records than there are", batch([b"a", b"b"], count=1, last=0),
                 INVALID_RECORD),
                ("a count and a last offset that differ", batch([b"a"], last=5), INVALID_RECORD),
                ("billions of records", batch([b"a"], count=0x7FFFFFFF, last=0x7FFFFFFE),
                 INVALID_RECORD),
                ("no records", batch([]), INVALID_RECORD),
                ("a length beyond the bytes", batch([b"a"], length=5000), INVALID_RECORD),
                ("a negative length", batch([b"a"], length=-1), CORRUPT_MESSAGE),
                ("a cut batch", right[:-3], INVALID_RECORD),
                ("no batch at all", b"", INVALID_RECORD),
                ("an old format", batch([b"a"], magic=1), INVALID_RECORD),
                ("a format of the future", batch([b"a"], magic=9), CORRUPT_MESSAGE),
                ("two batches", right + right, INVALID_RECORD),
                ("an offset of its own", batch([b"a"], base=5), INVALID_RECORD)]:
            with self.subTest(what):
                self.assertEqual(self.good.produce("t", records)[0], error)
        self.assert_unharmed()

    def test_offsets_and_epochs_of_other_times_are_refused(self):
        self.cluster[0].end()
        self.cluster[0].start()  # Another life: another leader epoch.
        self.cluster.await_live(0)
        self.good.socket.close()
        self.good = Connection()
        eventually(lambda: self.good.fetch("t", 0)[0] == 0, "it serves again")
        for what, ask, error in [
                ("behind the end", {"offset": 100}, OFFSET_OUT_OF_RANGE),
                ("before the start", {"offset": -5}, OFFSET_OUT_OF_RANGE),
                ("an epoch from the past", {"offset": 0, "epoch": 0}, FENCED_LEADER_EPOCH),
                ("an epoch from the future", {"offset": 0, "epoch": 99}, UNKNOWN_LEADER_EPOCH)]:
            with self.subTest(what):
                self.assertEqual(self.good.fetch("t", **ask)[0], error)
        self.assert_unharmed()

    def test_a_producer_from_the_past_is_refused_and_in_no_log(self):
        producer = 4242
        self.assertEqual(self.good.produce("t", batch([b"new"], producer=(producer, 3, 0))),
                         (0, self.committed))
        self.committed += 1
        self.assertEqual(self.good.produce("t", batch([b"old"], producer=(producer, 2, 0)))[0],
                         INVALID_PRODUCER_EPOCH)
        self.assertEqual(self.good.produce("t", batch([b"gap"], producer=(producer, 3, 7)))[0],
                         OUT_OF_ORDER_SEQUENCE_NUMBER)
        self.assertEqual(self.good.produce("t", batch([b"new"], producer=(producer, 3, 0))),
                         (0, self.committed - 1), "what is sent again is there already")
        self.assert_unharmed()

    def test_a_directory_of_another_topic_id_is_neither_served_nor_changed(self):
        self.cluster[0].end()
        directory = self.directory / "broker-0"
        metadata = directory / "t-0" / "partition.metadata"
        metadata.write_text("version: 0\ntopic_id: vGx6I4lUQXKLSQbqGlbJTQ\n")

        def held():
            return [{f.name: f.read_bytes() for f in home.iterdir()}
                    for home in directory.glob("t-0*")]
        before = held()
        self.cluster[0].start()
        self.cluster.await_live(0)

        def says_why():
            partitions = self.cluster.partitions("t")
            return (partitions and partitions[0]["leader"] == -1
                    and "missing" in str(partitions[0]))
        eventually(says_why, "the partition is offline and says why")
        self.assertEqual(held(), before)
        self.assertIn("the directory belongs to topic id vGx6I4lUQXKLSQbqGlbJTQ",
                      self.cluster[0].text())


if __name__ == "__main__":
    harness.main()
