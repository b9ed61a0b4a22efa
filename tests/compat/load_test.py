"""A program on librdkafka judges the client protocol: every byte that was acknowledged comes back."""

import pathlib
import signal
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE.parent / "bench")]

import harness  # noqa: E402
import regent_load  # noqa: E402
from harness import ClusterTest, eventually  # noqa: E402

ALL = [0, 1, 2]
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
NO_FAULT = {"lost": 0, "doubled": 0, "disordered": 0, "different": 0, "trouble": ""}


@unittest.skipUnless(regent_load.PROGRAM.exists(),
                     "regent-load was not built: librdkafka-dev is not installed")
class Load(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    def topic(self, name):
        self.cluster.ctl("topic", "create", name, "--replica-assignment", "1:0:2,2:1:0,0:2:1",
                         "--config", "min.insync.replicas=2")
        self.cluster.await_rows(name, [(1, ALL), (2, ALL), (0, ALL)])
        return name

    def judge(self, objects, records=None):
        """Everything was acknowledged, and is there once, in order, as it was sent."""
        produced, found = objects
        self.assertEqual(produced["errors"], {})
        self.assertEqual({k: found[k] for k in NO_FAULT}, NO_FAULT)
        self.assertEqual(found["records"], produced["records"])
        if records is not None:
            self.assertEqual(found["records"], records)

    def test_every_byte_comes_back_with_every_acks_and_codec(self):
        for number, codec in enumerate(CODECS):
            for acks in ("0", "1", "all"):
                topic = self.topic(f"{codec}-{acks}")
                # Large enough for a second batch of each partition; the codecs see all kinds.
                self.judge(regent_load.run(
                    topic, f"--acks={acks}", f"--codec={codec}", "--partitions=3", "--keys",
                    "--headers=3", "--sizes=0,-1,1,100,5000", "--records=3000", "--verify",
                    *(["--idempotence"] if acks == "all" and number % 2 else [])), 3000)

    def test_large_values_come_back_with_every_codec(self):
        for codec in CODECS:
            self.judge(regent_load.run(
                self.topic(codec), f"--codec={codec}", "--idempotence", "--partitions=3",
                "--sizes=900000,0,-1,900000", "--records=24", "--verify"), 24)

    def test_more_than_a_broker_keeps_in_memory_comes_back_from_its_files(self):
        self.judge(regent_load.run(
            self.topic("files"), "--idempotence", "--partitions=3", "--sizes=1000,3000",
            "--records=45000", "--linger-ms=5", "--verify"), 45000)

    def lead_through_a_kill(self, *flags):
        topic = self.topic("t")
        load = regent_load.Running(topic, "--partitions=3", "--per-second=2000", "--sizes=300",
                                   "--acks=all", "--linger-ms=1", "--verify", "--tell-statistics",
                                   *flags)
        self.addCleanup(load.destroy)
        self.await_more(topic)
        self.cluster[1].end(signal.SIGKILL)
        self.cluster.await_rows(topic, [(0, [0, 2]), (2, [0, 2]), (0, [0, 2])])
        self.cluster[1].start()
        self.cluster.await_rows(topic, [(0, ALL), (2, ALL), (0, ALL)])
        self.await_more(topic, load)
        return load.stop()

    def await_more(self, topic, load=None):
        """Awaits that more is written; or that the client says that it has lost the leader for good,
        and then more once the leader has moved, which is all that helps such a client."""
        written = self.bytes_written(topic)

        def more():
            return self.bytes_written(topic) > written + 30_000

        eventually(lambda: more() or (load and load.watch.partitions), "more is written")
        if not more():
            print(f"the leader is moved; (partition, broker, leader): {load.watch.partitions}")
            self.cluster.ctl("leader", "elect", "--preferred", "--partition", f"{topic}:0")
            eventually(more, "more is written after the leader has moved")

    def bytes_written(self, topic):
        """Of the partition whose leader dies, as broker 0 has it."""
        home = self.directory / "broker-0" / f"{topic}-0"
        return sum(p.stat().st_size for p in home.glob("*.log"))

    def test_an_idempotent_producer_loses_and_doubles_nothing_through_a_leaders_death(self):
        self.judge(self.lead_through_a_kill("--idempotence"))

    def test_a_plain_producer_loses_nothing_through_a_leaders_death(self):
        produced, found = self.lead_through_a_kill()
        self.assertEqual(produced["errors"], {})
        self.assertEqual((found["lost"], found["different"], found["trouble"]), (0, 0, ""))

    def test_transactions_are_refused_for_good_and_with_a_reason(self):
        answer, = regent_load.run("t", "--init-transactions=mine")
        self.assertTrue(answer["fatal"], answer)
        self.assertFalse(answer["retriable"], answer)
        self.assertIn("transactions are not served by this version", answer["message"])


if __name__ == "__main__":
    harness.main()
