"""Three machines, each a network namespace with a ZooKeeper server and a broker beside it."""

import signal

import harness
from harness import Cluster, ClusterTest, ZooKeeper, eventually
from machines import Machines

HOSTS = {0: "10.77.0.1", 1: "10.77.0.2", 2: "10.77.0.3"}
OURS = "10.77.0.254"
ASSIGNMENT = "1:0:2,2:1:0,0:2:1"
ALL = [(1, [0, 1, 2]), (2, [0, 1, 2]), (0, [0, 1, 2])]
ROWS = [  # What is done, and what describe must then show; see deploy/quickstart.rows.
    (("stop", 0), [(1, [1, 2]), (2, [1, 2]), (2, [1, 2])]),
    (("stop", 2), [(1, [1]), (1, [1]), (1, [1])]),
    (("start", 0), [(1, [0, 1]), (1, [0, 1]), (1, [0, 1])]),
    (("start", 2), [(1, [0, 1, 2]), (1, [0, 1, 2]), (1, [0, 1, 2])]),
    (("stop", 1), [(0, [0, 2]), (2, [0, 2]), (0, [0, 2])]),
]


class Ensemble(ClusterTest):
    with_zookeeper = False

    def setUp(self):
        super().setUp()
        self.machines = Machines({f"h{i}": host for i, host in HOSTS.items()}, OURS)
        self.addCleanup(self.machines.close)
        servers = {i + 1: host for i, host in HOSTS.items()}
        self.servers = [
            self.own(ZooKeeper(self.directory, f"zookeeper-{i}", host, 2181, servers, i + 1,
                               self.at(i))) for i, host in HOSTS.items()]
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.await_serving()
        self.cluster = Cluster(self.directory, ",".join(f"{h}:2181" for h in HOSTS.values()))
        for broker, host in HOSTS.items():
            self.cluster.broker(broker, host=host, prefix=self.at(broker)).start()
        for name in self.cluster.prefixes:
            self.cluster.prefixes[name] = []  # regentctl runs here, on the bridge.
        for broker in HOSTS:
            self.cluster.await_live(broker)
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", ASSIGNMENT)
        self.cluster.await_rows("t", ALL)

    @staticmethod
    def at(host):
        return Machines.at(f"h{host}")

    def walk(self, stop_signal):
        for (verb, broker), expected in ROWS:
            if verb == "stop":
                self.cluster[broker].end(stop_signal)
            else:
                self.cluster[broker].start()
            self.cluster.await_rows("t", expected)
        self.cluster[1].start()
        self.cluster.await_live(1)
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(sorted(p["isr"]) == [0, 1, 2] for p in found), "all are in sync")
        self.cluster.ctl("leader", "elect", "--preferred", "--all")
        self.cluster.await_rows("t", ALL)

    def test_the_rows_with_controlled_shutdowns(self):
        self.walk(signal.SIGTERM)

    def test_the_rows_with_kills(self):
        self.walk(signal.SIGKILL)

    def test_killing_the_ensembles_leader_changes_no_leader_isr_or_epoch(self):
        before = eventually(lambda: self.cluster.standing("t"), "t can be described")
        office = self.cluster.office()
        leader = next(s for s in self.servers if s.mode() == "leader")
        leader.end(signal.SIGKILL)
        rest = [s for s in self.servers if s is not leader]
        eventually(lambda: any(s.mode() == "leader" for s in rest), "the rest has a leader")
        self.assertEqual(self.cluster.await_office(), office)
        self.cluster.assert_outlived("t", before)
        self.cluster.ctl("topic", "create", "after", "--replica-assignment", "0:1:2")
        self.cluster.await_rows("after", [(0, [0, 1, 2])])

    def test_a_server_that_lags_behind_misleads_nobody(self):
        lagging = next(s for s in self.servers if s.mode() == "follower")
        lagging.pause()
        victim = (self.servers.index(lagging) + 1) % 3
        self.cluster[victim].end()
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(victim not in p["isr"] and p["leader"] != victim for p in found),
                   "the others lead")
        lagging.resume()
        self.cluster[victim].start()
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(sorted(p["isr"]) == [0, 1, 2] for p in found), "all are in sync")
        self.cluster.ctl("leader", "elect", "--preferred", "--all")
        self.cluster.await_rows("t", ALL)

    def test_a_machine_cut_off_is_left_behind_and_taken_back(self):
        office = self.cluster.office()
        victim = office[0]  # The one whose loss costs most: it holds the office.
        self.machines.unplug(f"h{victim}")
        others = [b for b in HOSTS if b != victim]

        def left_behind():
            code, answer = self.cluster.run_ctl("topic", "describe", "t", timeout="2s",
                                                at=f"broker-{others[0]}")
            return code == 0 and all(victim not in p["isr"] and p["leader"] in others
                                     for p in answer["topics"][0]["partitions"])
        eventually(left_behind, "the others lead")
        self.machines.plug_in(f"h{victim}")
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(sorted(p["isr"]) == [0, 1, 2] for p in found), "all are in sync")
        self.assertGreater(self.cluster.office()[1], office[1])


if __name__ == "__main__":
    harness.main()
