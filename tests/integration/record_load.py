"""Producers and consumers that remember what they have sent and found."""

import json
import threading

import confluent_kafka

from astray import AstrayWatch
from harness import eventually

BROKERS = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"


class Load:
    """An idempotent producer with acks=all on a thread of its own, until it is stopped. Its records
    are numbers, of `digits` at least. A client that is astray is replaced."""

    def __init__(self, topic, partitions, digits=1):
        self.acknowledged = {p: [] for p in range(partitions)}
        self.failed = []
        self.topic = topic
        self.digits = digits
        self.stop_asked = threading.Event()
        self.begin()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def begin(self):
        self.watch = AstrayWatch()
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": BROKERS, "acks": "all", "enable.idempotence": True,
            "message.timeout.ms": 120_000, "linger.ms": 1, "reconnect.backoff.max.ms": 200,
            "statistics.interval.ms": 1000, "stats_cb": self.observe, "log_level": 0})

    def observe(self, statistics):
        self.watch.take(json.loads(statistics))

    def begin_anew_if_astray(self):
        if astray := self.watch.partitions:
            print(f"the client is replaced; (partition, broker, leader): {sorted(astray)}")
            self.producer.purge()
            self.producer.flush()
            self.begin()

    def run(self):
        number = 0
        while not self.stop_asked.is_set():
            value = str(number).zfill(self.digits).encode()
            for partition in self.acknowledged:
                while True:
                    try:
                        self.producer.produce(self.topic, value, partition=partition,
                                              on_delivery=self.delivered)
                        break
                    except BufferError:
                        self.producer.poll(0.05)
                        self.begin_anew_if_astray()
            number += 1
            self.producer.poll(0.002)
            self.begin_anew_if_astray()
        while self.producer.flush(0.5) > 0:
            self.begin_anew_if_astray()

    def delivered(self, error, message):
        if error is None:
            self.acknowledged[message.partition()].append(int(message.value()))
        elif error.code() not in (confluent_kafka.KafkaError._PURGE_QUEUE,
                                  confluent_kafka.KafkaError._PURGE_INFLIGHT):
            self.failed.append(str(error))

    def count(self):
        return min(len(got) for got in self.acknowledged.values())

    def await_progress(self):
        """Waits until every partition has acknowledged something new."""
        before = {p: len(got) for p, got in self.acknowledged.items()}
        eventually(lambda: all(len(got) > before[p] for p, got in self.acknowledged.items()),
                   "every partition acknowledges again")

    def stop(self):
        self.stop_asked.set()
        self.thread.join()


def read_all(topic, partitions):
    """Everything that one consumer finds in so many partitions, of each in order."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": BROKERS, "group.id": "unused", "enable.auto.commit": False,
        "enable.partition.eof": True, "log_level": 0})
    consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(partitions)])
    found = {p: [] for p in range(partitions)}
    unread = set(found)
    while unread:
        message = consumer.poll(20)
        assert message is not None, f"nothing came of partitions {sorted(unread)}"
        if message.error() is None:
            found[message.partition()].append(int(message.value()))
        elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
            unread.discard(message.partition())
    consumer.close()
    return found
