"""Three machines, each a network namespace with a ZooKeeper server; room for a broker beside it."""

from harness import ClusterTest, ZooKeeper, eventually
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


class EnsembleTest(ClusterTest):
    """The machines and the servers, which are not started yet; no brokers."""

    with_zookeeper = False
    sync_limit = 20

    def setUp(self):
        super().setUp()
        self.machines = Machines({f"h{i}": host for i, host in HOSTS.items()}, OURS)
        self.addCleanup(self.machines.close)
        servers = {i + 1: host for i, host in HOSTS.items()}
        self.servers = [
            self.own(ZooKeeper(self.directory, f"zookeeper-{i}", host, 2181, servers, i + 1,
                               self.at(i), self.sync_limit)) for i, host in HOSTS.items()]
        self.cluster.zookeeper = self.addresses_of(*HOSTS)

    @staticmethod
    def at(host):
        return Machines.at(f"h{host}")

    @staticmethod
    def addresses_of(*hosts):
        return ",".join(f"{HOSTS[host]}:2181" for host in hosts)

    def start_servers(self):
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.await_serving()

    def start_broker(self, broker, *flags, **options):
        """Starts it on its machine, without waiting for it."""
        process = self.cluster.broker(broker, *flags, host=HOSTS[broker], prefix=self.at(broker),
                                      **options)
        self.cluster.prefixes[process.name] = []  # regentctl runs here, on the bridge.
        return process.start()

    def create_topic(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", ASSIGNMENT)
        self.cluster.await_rows("t", ALL)

    def await_all_in_sync(self):
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(sorted(p["isr"]) == [0, 1, 2] for p in found), "all are in sync")

    def walk(self, stop_signal):
        """The rows, and back to where they began."""
        for (verb, broker), expected in ROWS:
            if verb == "stop":
                self.cluster[broker].end(stop_signal)
            else:
                self.cluster[broker].start()
            self.cluster.await_rows("t", expected)
        self.cluster[1].start()
        self.cluster.await_live(1)
        self.await_all_in_sync()
        self.cluster.ctl("leader", "elect", "--preferred", "--all")
        self.cluster.await_rows("t", ALL)
