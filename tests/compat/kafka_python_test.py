"""kafka-python, a client in Python alone, judges the client protocol and its admin requests."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
from harness import ClusterTest, eventually  # noqa: E402

try:
    import kafka
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions
    from kafka.admin import NewTopic
    from kafka.errors import GroupAuthorizationFailedError, TopicAlreadyExistsError
except ImportError:
    kafka = None

BROKERS = ["127.0.0.1:9092", "127.0.0.1:9093"]
RECORDS = 300


@unittest.skipUnless(kafka, "kafka-python is not installed (deploy/install-packages --test does that)")
class KafkaPython(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()
        self.admin = KafkaAdminClient(bootstrap_servers=BROKERS)
        self.addCleanup(self.admin.close)

    def create(self, topic):
        self.admin.create_topics([NewTopic(topic, 3, 3)], timeout_ms=10_000)
        eventually(lambda: (found := self.cluster.partitions(topic)) and
                   all(p["leaderConfirmed"] for p in found), f"{topic} is led")

    def consumer(self, **options):
        consumer = KafkaConsumer(bootstrap_servers=BROKERS, auto_offset_reset="earliest",
                                 consumer_timeout_ms=20_000, **options)
        self.addCleanup(consumer.close, autocommit=False)
        return consumer

    def produce(self, topic, **options):
        producer = KafkaProducer(bootstrap_servers=BROKERS, **options)
        sent = [producer.send(topic, b"v%d" % i, key=b"k%d" % i, partition=i % 3,
                              headers=[("h", b"x")]) for i in range(RECORDS)]
        for future in sent:
            future.get(timeout=20)
        producer.close()

    def test_reads_by_assignment_what_it_sent_in_order_and_whole(self):
        self.create("t")
        kinds = [{"acks": 1}, {"acks": "all"}, {"acks": "all", "compression_type": "gzip"}]
        for kind in kinds:
            self.produce("t", **kind)
        partitions = [TopicPartition("t", p) for p in range(3)]
        consumer = self.consumer(group_id=None)
        consumer.assign(partitions)
        self.assertEqual(set(consumer.end_offsets(partitions).values()),
                         {len(kinds) * RECORDS // 3})
        next_offset = dict.fromkeys(range(3), 0)
        for _, record in zip(range(len(kinds) * RECORDS), consumer):
            self.assertEqual(record.offset, next_offset[record.partition])
            self.assertEqual((record.key[:1], record.key[1:]), (b"k", record.value[1:]))
            self.assertEqual(record.headers, [("h", b"x")])
            next_offset[record.partition] += 1
        self.assertEqual(next_offset, dict.fromkeys(range(3), len(kinds) * RECORDS // 3))

    def test_makes_changes_and_deletes_topics(self):
        self.create("t")
        with self.assertRaises(TopicAlreadyExistsError):
            self.admin.create_topics([NewTopic("t", 1, 1)])
        self.admin.create_partitions({"t": NewPartitions(5)})
        eventually(lambda: len(self.cluster.partitions("t") or []) == 5, "it has five partitions")
        resource = ConfigResource(ConfigResourceType.TOPIC, "t", {"retention.ms": "7200000"})
        self.admin.alter_configs([resource])
        eventually(lambda: "'7200000'" in str(self.admin.describe_configs([resource])),
                   "the change is described")
        self.admin.delete_topics(["t"])
        eventually(lambda: "t" not in self.admin.list_topics(), "it is gone")

    def test_a_creation_that_it_does_not_wait_for_takes_place(self):
        self.admin.create_topics([NewTopic("t", 1, 1)], timeout_ms=1)
        eventually(lambda: "t" in self.admin.list_topics(), "it is there")

    def test_a_group_is_refused(self):
        self.create("t")
        consumer = self.consumer(group_id="g")
        consumer.subscribe(["t"])
        with self.assertRaises(GroupAuthorizationFailedError):
            consumer.poll(20_000)


if __name__ == "__main__":
    harness.main()
