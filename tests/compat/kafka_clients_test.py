"""Kafka 3.9's own clients judge the client protocol, and its dump tool what lies on our disks."""

import json
import pathlib
import re
import signal
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
import judges  # noqa: E402
from harness import ClusterTest, eventually  # noqa: E402

BROKERS = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
ALL = [0, 1, 2]
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@unittest.skipUnless(judges.jars(judges.KAFKA).is_dir(),
                     f"the jars are not there: tests/compat/judges.py {judges.KAFKA}")
class KafkaTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    ASSIGNMENT = "1:0:2,2:1:0,0:2:1"

    def topic(self, name, assignment=ASSIGNMENT, *flags):
        self.cluster.ctl("topic", "create", name, "--replica-assignment", assignment, "--config",
                         "min.insync.replicas=2", *flags)
        leaders = [int(replicas.split(":")[0]) for replicas in assignment.split(",")]
        self.cluster.await_rows(name, [(leader, ALL) for leader in leaders])

    def run_kafka(self, *arguments, **options):
        """Runs a class of Kafka's; returns (exit code, standard output, standard error)."""
        done = subprocess.run(judges.java(judges.KAFKA, *arguments), capture_output=True,
                              text=True, check=False, timeout=120, **options)
        return done.returncode, done.stdout, done.stderr

    def kafka(self, *arguments, **options):
        """Likewise, of one that must succeed; returns its standard output."""
        code, said, complaints = self.run_kafka(*arguments, **options)
        self.assertEqual(code, 0, said[-3000:] + complaints[-3000:])
        return said


class KafkaClients(KafkaTest):
    def test_console_consumer_prints_what_console_producer_sent_with_keys_and_headers(self):
        self.topic("t", "1:0:2")
        self.kafka("kafka.tools.ConsoleProducer", "--bootstrap-server", BROKERS, "--topic", "t",
                   "--property", "parse.key=true", "--property", "parse.headers=true",
                   input="".join(f"h:{i},g:x\tk{i}\tv{i}\n" for i in range(100)))
        said = self.kafka("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server",
                          BROKERS, "--topic", "t", "--partition", "0", "--offset", "earliest",
                          "--max-messages", "100", "--timeout-ms", "60000",
                          "--property", "print.key=true", "--property", "print.headers=true",
                          "--property", "print.offset=true")
        self.assertEqual(said.splitlines(),
                         [f"Offset:{i}\th:{i},g:x\tk{i}\tv{i}" for i in range(100)])

    def test_get_offsets_and_producer_perf_test_agree_on_what_was_written(self):
        self.topic("t")
        said = self.kafka("org.apache.kafka.tools.ProducerPerformance", "--topic", "t",
                          "--num-records", "20000", "--record-size", "1000", "--throughput", "-1",
                          "--producer-props", f"bootstrap.servers={BROKERS}", "acks=all",
                          "linger.ms=5", "compression.type=lz4")
        self.assertIn("20000 records sent", said)

        def offsets(*flags):
            rows = self.kafka("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server",
                              BROKERS, "--topic", "t", *flags).split()
            self.assertEqual([row.rsplit(":", 1)[0] for row in rows], ["t:0", "t:1", "t:2"])
            return [int(row.rsplit(":", 1)[1]) for row in rows]
        self.assertEqual(sum(offsets()), 20000)
        self.assertEqual(offsets("--time", "earliest"), [0, 0, 0])

    def test_what_verifiable_producer_was_acknowledged_outlives_a_leader(self):
        self.topic("t")
        count = 4000
        with subprocess.Popen(
                judges.java(judges.KAFKA, "org.apache.kafka.tools.VerifiableProducer",
                            "--bootstrap-server", BROKERS, "--topic", "t", "--max-messages", count,
                            "--throughput", 1000, "--acks", -1),
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            self.addCleanup(child.kill)
            acknowledged = set()
            for line in child.stdout:
                event = json.loads(line)
                if event["name"] == "producer_send_success":
                    acknowledged.add(int(event["value"]))
                    if len(acknowledged) == 100:
                        self.cluster[1].end(signal.SIGKILL)
        self.assertEqual((event["name"], event["sent"]), ("tool_data", count))
        # It never tries again, so some may have failed: those may be there, but none twice.
        found = subprocess.run(["kcat", "-b", BROKERS, "-C", "-t", "t", "-e", "-q"],
                               capture_output=True, text=True, check=True, timeout=60)
        found = list(map(int, found.stdout.split()))
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(acknowledged, set(found))
        self.assertGreater(len(acknowledged), count / 2)

    def test_a_group_ends_the_console_consumer_at_once(self):
        self.topic("t", "1:0:2")
        # It shows the error code's text, not the broker's own, and thinks that 0 is a fit end.
        _, _, complaints = self.run_kafka(
            "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", BROKERS,
            "--topic", "t", "--group", "g", "--timeout-ms", "100000")
        self.assertIn("terminating consumer process", complaints)
        self.assertIn("GroupAuthorizationException: Not authorized to access group: g", complaints)


class DumpLogSegments(KafkaTest):
    """The directories of three brokers after every codec and the kill of a leader."""

    PARTITIONS = range(3)

    def dump(self, files, *flags):
        said = self.kafka("kafka.tools.DumpLogSegments", "--files", ",".join(map(str, files)),
                          *flags)
        # Of each file: what is said after its name.
        dumps = dict(text.split("\n", 1) for text in said.split("Dumping ")[1:])
        self.assertEqual(sorted(dumps), sorted(map(str, files)))
        return dumps

    def produce(self, half):
        """Returns what it has written, by partition."""
        sent = {p: [] for p in self.PARTITIONS}
        for codec in CODECS:
            for partition, all_of_it in sent.items():
                values = [f"{codec}-{half}-{partition}-{i}-{'x' * 100}" for i in range(300)]
                done = subprocess.run(
                    ["kcat", "-b", BROKERS, "-P", "-t", "t", "-p", str(partition), "-z", codec,
                     "-X", "acks=all", "-X", "enable.idempotence=true", "-X",
                     "batch.num.messages=50"], input="\n".join(values).encode(),
                    capture_output=True, check=False, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr.decode())
                all_of_it += values
        return sent

    def test_reads_every_record_and_index_of_every_replica(self):
        self.topic("t", self.ASSIGNMENT, "--config", "segment.bytes=65536")
        first = self.produce(1)
        self.cluster[1].end(signal.SIGKILL)
        self.cluster.await_rows("t", [(0, [0, 2]), (2, [0, 2]), (0, [0, 2])])
        second = self.produce(2)
        self.cluster[1].start()
        eventually(lambda: all(sorted(p["isr"]) == ALL for p in self.cluster.partitions("t")
                               or [{"isr": []}]), "broker 1 has come back")
        for broker in ALL:
            self.cluster[broker].end()  # What lies on the disk is all there is.
        sent = {p: first[p] + second[p] for p in self.PARTITIONS}
        replicas = {self.directory / f"broker-{b}" / f"t-{p}": sent[p]
                    for b in ALL for p in self.PARTITIONS}
        self.judge_logs(replicas)
        self.judge_indexes(replicas)

    def judge_logs(self, replicas):
        files = {replica: sorted(replica.glob("*.log")) for replica in replicas}
        dumps = self.dump(sum(files.values(), []), "--deep-iteration", "--print-data-log")
        for replica, values in replicas.items():
            text = "".join(dumps[str(file)] for file in files[replica])
            self.assertEqual(re.findall(r" payload: (\S+)$", text, re.MULTILINE), values, replica)
            batches = re.findall(r"compresscodec: (\w+) .*isvalid: (\w+)$", text, re.MULTILINE)
            self.assertEqual(set(batches), {(codec, "true") for codec in CODECS}, replica)
            self.assertNotRegex(text, "(?i)found|mismatch|not consecutive|corrupt|exception")

    def judge_indexes(self, replicas):
        for kind, entry in (("*.index", r"^offset: \d+ position: \d+$"),
                            ("*.timeindex", r"^timestamp: \d+ offset: \d+$")):
            files = [file for replica in replicas for file in sorted(replica.glob(kind))]
            # Compares every entry with the log; says something of those only that do not fit.
            for file, text in self.dump(files, "--verify-index-only").items():
                self.assertEqual(text.strip(), "", file)
            for file, text in self.dump(files).items():
                self.assertRegex(text, re.compile(entry, re.MULTILINE), file)
            for file, text in self.dump(files, "--index-sanity-check").items():
                self.assertEqual(text.strip(), f"{file} passed sanity check.")


if __name__ == "__main__":
    harness.main()
