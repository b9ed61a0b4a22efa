"""What brokers tell clients of the cluster, which take the next answer of any broker for the truth."""

import signal
import socket

import harness
import metadata
from harness import ClusterTest, eventually
from kafka_bytes import Connection, batch


class ClientViewTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.session_ms = 20_000
        self.controller = self.cluster.controller(100).start()
        self.cluster.start_brokers(3, "--controller-eligible=false")
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0:2,2:1:0,0:2:1")
        self.cluster.await_rows("t", [(1, [0, 1, 2]), (2, [0, 1, 2]), (0, [0, 1, 2])])

    def test_a_broker_that_starts_says_nothing_before_it_knows_who_leads(self):
        self.cluster[2].end()
        self.cluster.await_rows("t", [(1, [0, 1]), (1, [0, 1]), (0, [0, 1])])
        self.controller.pause()
        self.cluster[2].start()
        client = self.zk_client()
        eventually(lambda: client.exists("/brokers/ids/2"), "it has registered")
        socket.create_connection(("127.0.0.1", 9094), timeout=1.0).close()  # Silence is no refusal.
        self.assertIsNone(metadata.ask(9094, "t", patience=1.0))
        self.controller.resume()
        _, topics = eventually(lambda: metadata.ask(9094, "t"), "it answers")
        leaders = {partition: leader for partition, (leader, _) in topics["t"].items()}
        self.assertEqual(leaders, {0: 1, 1: 1, 2: 0})


class ClientViewAfterADeathTest(ClusterTest):
    def test_who_has_waited_for_an_acknowledgement_is_told_then_who_leads_then(self):
        self.cluster.start_brokers()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0,0:1")
        self.cluster.await_rows("t", [(1, [0, 1]), (0, [0, 1])])
        client = Connection()
        self.addCleanup(client.socket.close)
        self.cluster[1].end(signal.SIGKILL)
        # Broker 1 is in sync until its session has expired.
        client.send_produce("t", batch([b"x"]), partition=1, timeout_ms=30_000)
        client.send_request(metadata.METADATA, metadata.VERSION, metadata.body("t"))
        self.assertEqual(client.receive_produced("t"), (0, 0))
        brokers, topics = metadata.parse(client.receive_answer())
        self.assertEqual(topics["t"][0][0], 0, "broker 1 led when it was asked")
        self.assertNotIn(1, brokers)


if __name__ == "__main__":
    harness.main()
