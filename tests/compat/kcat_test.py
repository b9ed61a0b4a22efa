"""kcat, a client that is not ours, judges the client protocol: what it sends comes back."""

import errno
import os
import pathlib
import signal
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
from harness import ClusterTest, eventually  # noqa: E402

BROKERS = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
ALL = [0, 1, 2]
HUNG_UP = (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)


def kcat(*arguments, **options):
    return subprocess.run(["kcat", "-b", BROKERS, *arguments], capture_output=True, check=False,
                          timeout=120, **options)


class Kcat(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0:2,2:1:0,0:2:1",
                         "--config", "min.insync.replicas=2")
        self.cluster.await_rows("t", [(1, ALL), (2, ALL), (0, ALL)])

    def produce(self, records, *flags):
        done = kcat("-P", "-t", "t", "-X", "message.timeout.ms=60000", *flags,
                    input="".join(f"{r}\n" for r in records).encode())
        self.assertEqual(done.returncode, 0, done.stderr.decode())

    def consume(self, *flags):
        done = kcat("-C", "-t", "t", "-e", "-q", *flags)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def test_lists_brokers_and_leaders(self):
        listed = kcat("-L").stdout.decode()
        for line in ("3 brokers:", "broker 2 at 127.0.0.1:9094", 'topic "t" with 3 partitions:',
                     "partition 0, leader 1, replicas: 1,0,2"):
            self.assertIn(line, listed)

    def test_reads_back_what_it_sent_with_every_acks_and_codec(self):
        sent = []
        for acks in ("0", "1", "all"):
            for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
                records = [f"{acks}-{codec}-{i}" for i in range(50)]
                self.produce(records, "-X", f"acks={acks}", "-z", codec)
                sent += records
        # Without acks nobody waits for the followers, and readers see what they have confirmed.
        eventually(lambda: sorted(self.consume().split()) == sorted(sent), "everything is read")

    def test_keys_headers_timestamps_and_empty_values_come_back(self):
        self.produce(["k:v", "k:"], "-p", "1", "-K", ":", "-H", "h=1", "-H", "none")
        text = self.consume("-p", "1", "-f", "%k|%s|%S|%h|%o|%T\n")
        rows = [line.split("|") for line in text.splitlines()]
        self.assertEqual([row[:5] for row in rows],
                         [["k", "v", "1", "h=1,none=NULL", "0"],
                          ["k", "", "0", "h=1,none=NULL", "1"]])
        # By its time the first record is found again.
        found = kcat("-Q", "-t", f"t:1:{rows[0][5]}").stdout.decode()
        self.assertIn("offset 0", found)

    def test_large_records_come_back_and_too_large_ones_are_refused(self):
        large = self.directory / "large"
        large.write_bytes(b"x" * 900_000)
        done = kcat("-P", "-t", "t", "-p", "0", str(large))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(len(self.consume("-p", "0", "-D", "")), 900_000)
        large.write_bytes(b"x" * 2_000_000)
        done = kcat("-P", "-t", "t", "-p", "0", "-X", "message.max.bytes=3000000", str(large))
        self.assertIn("Message size too large", done.stderr.decode())

    def test_reads_from_the_end_and_from_an_offset(self):
        self.produce([f"r{i}" for i in range(10)], "-p", "2")
        self.assertEqual(self.consume("-p", "2", "-o", "7").split(), ["r7", "r8", "r9"])
        self.assertEqual(self.consume("-p", "2", "-o", "-2").split(), ["r8", "r9"])

    def test_a_group_is_refused_with_a_reason(self):
        child = subprocess.Popen(["kcat", "-b", BROKERS, "-G", "group", "t"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(child.kill)
        seen = []
        for line in child.stdout:
            seen.append(line.decode())
            if "ERROR" in seen[-1]:
                break
        child.kill()
        child.wait()
        child.stdout.close()
        self.assertIn("consumer groups are not served by this version", "".join(seen))

    def test_reads_every_record_back_after_a_leader_was_killed(self):
        idempotent = ("-X", "acks=all", "-X", "enable.idempotence=true")
        self.produce(range(500), *idempotent)
        self.cluster[1].end(signal.SIGKILL)
        self.produce(range(500, 1000), *idempotent)
        self.assertEqual(sorted(map(int, self.consume().split())), list(range(1000)))

    def test_rubbish_on_the_client_port_ends_that_connection_and_nothing_else(self):
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x00\x00\x00\x08" + b"\x7f" * 8,
                        os.urandom(4096)):
            with socket.create_connection(("127.0.0.1", 9092), timeout=20) as client:
                try:
                    client.sendall(rubbish)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(4096):
                        pass
                except OSError as error:
                    # The broker may hang up before it has read, or we have sent, all of it.
                    self.assertIn(error.errno, HUNG_UP)
        self.produce(["after"])
        self.assertEqual(self.consume().split(), ["after"])
        self.assertIn("client connection closed", self.cluster[0].text())


if __name__ == "__main__":
    harness.main()
