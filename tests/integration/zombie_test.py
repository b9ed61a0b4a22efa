"""A controller that does not know that it has been replaced: nobody obeys it."""

import json

import harness
from harness import ClusterTest, epochs, eventually
from processes import Process, Proxy

PARTITIONS = 5000
DISK_PATIENCE = 150.0  # Seconds for as many directories to be made and synced, on a busy disk.


class Zombie(ClusterTest):
    """A controller is stopped while it has work to do, and wakes when another is in office."""

    # It looks for another connection after 3 s without an answer; until then it is to be stopped.
    SESSION_MS = 9000

    def setUp(self):
        super().setUp()
        self.cluster.session_ms = self.SESSION_MS
        # The zombie to be is alone at first, so it wins the office.
        self.proxy = Proxy(2182, ("127.0.0.1", 2181))
        self.addCleanup(self.proxy.close)
        self.client = self.zk_client()
        self.cluster.controller(100, "--unsafe-never-fence", zookeeper="127.0.0.1:2182").start()
        self.cluster.await_office(lambda office: office[0] == 100)
        self.cluster.controller(101).start()
        self.agent_proxy = Proxy(9182, ("127.0.0.1", 9192 + 2))
        self.addCleanup(self.agent_proxy.close)
        for broker, flags in ((0, []), (1, []), (2, ["--advertise=REGENT://127.0.0.1:9182"])):
            self.cluster.broker(broker, "--controller-eligible=false", *flags).start()
        for broker in (0, 1, 2):
            self.cluster.await_live(broker)

    def count(self, what):
        return self.cluster.metric("controller-100", f"regent_controller_{what}")

    def describe_all(self, at):
        """What it says of the partitions of both topics."""
        return [epochs(self.cluster.ctl("topic", "describe", topic, timeout="20s", at=at)
                       ["topics"][0]["partitions"]) for topic in ("big", "t")]

    def test_a_zombie_changes_nothing_is_refused_by_agents_and_fenced_by_zookeeper(self):
        rows = ",".join("0:1:2" for _ in range(PARTITIONS))
        # All led by broker 0; then broker 0 leaves and comes back, so that 5,000 want it back.
        self.cluster.ctl("topic", "create", "big", "--replica-assignment", rows, timeout="60s")
        self.cluster[0].end()
        self.cluster[0].start()
        eventually(lambda: self.count("under_replicated_partitions") == 0 and
                   self.count("not_preferred_leaders") == PARTITIONS,
                   "broker 0 is in sync and leads nothing", DISK_PATIENCE)
        # Broker 2 hears nothing of its role in another topic: the zombie will have that to tell.
        self.agent_proxy.cut()
        self.ask_zombie("topic", "create", "t", "--replica-assignment", "2")
        eventually(lambda: self.unacknowledged("controller-100"), "broker 2 is to be told")
        self.proxy.hold_answers()
        self.ask_zombie("leader", "elect", "--preferred", "--all")
        # As many writes as may be in flight have been obeyed, the zombie has not heard of it, and
        # thousands are still to come.
        eventually(lambda: self.elected(range(0, PARTITIONS, 100)), "the rebalance has begun")
        zombie = self.cluster["controller-100"]
        zombie.pause()
        self.assertNotIn("session state=Disconnected", zombie.text())
        self.assertLess(self.elected(range(PARTITIONS)), PARTITIONS)
        self.agent_proxy.mend()
        before = self.await_successor()
        refused = self.refusals()
        zombie.resume()
        eventually(lambda: self.refusals() > refused, "an agent refused the zombie")
        self.assertEqual(self.count("writes_fenced_total"), 0)  # It has heard of none.
        self.proxy.release_answers()
        eventually(lambda: self.count("writes_fenced_total"), "a write of the zombie was fenced")
        eventually(lambda: not self.is_active("controller-100"), "the zombie has given up")
        self.assertEqual(self.describe_all("controller-101"), before)

    def ask_zombie(self, *request):
        """Sends the zombie to be a request that nobody waits for."""
        command = [harness.PROGRAMS["regentctl"], "--controller",
                   self.cluster.addresses["controller-100"], "--timeout", "60s", *request]
        self.own(Process(request[0], command, self.directory)).start()

    def await_successor(self):
        """Another is in office and has told the agents; returns what it says of the topics."""
        eventually(lambda: self.is_active("controller-101"), "another is in office")
        eventually(lambda: self.unacknowledged("controller-101") == 0, "its agents have heard it",
                   DISK_PATIENCE)
        return self.describe_all("controller-101")

    def elected(self, partitions):
        """How many of these broker 0 leads, by what ZooKeeper holds."""
        states = [self.client.get_async(f"/brokers/topics/big/partitions/{i}/state")
                  for i in partitions]
        return sum(json.loads(state.get()[0])["leader"] == 0 for state in states)

    def refusals(self):
        return sum(self.cluster.metric(
            f"broker-{b}", "regent_broker_refused_controller_epochs_total") or 0 for b in (0, 1, 2))

    def is_active(self, name):
        return self.cluster.metric(name, "regent_controller_active") == 1

    def unacknowledged(self, name):
        """How many roles its agents have not acknowledged; None if it does not say."""
        code, answer = self.cluster.run_ctl("cluster", "status", timeout="5s", at=name)
        return answer["unacknowledged"] if code in (0, 4) else None


if __name__ == "__main__":
    harness.main()
