"""Whatever a znode holds: the item is reported and left alone, and the cluster goes on."""

import dataclasses
import re
import signal

import harness
from harness import ClusterTest, eventually

HOSTILE = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"version":', b"[" * 100_000,
           b'{"version":1,"leader":99999999999999999999,"isr":[1]}', b'{"partitions":{"0":"x"}}']

AT_ONCE = "at once"  # The controller in office sees it by a watch.
WHEN_LOADED = "when loaded"  # The next controller reads it.
STATUS, LOG = "status", "log"


@dataclasses.dataclass(frozen=True)
class Kind:
    """Znodes of one kind: where, what is reported of each, where and when. "#" is a number."""
    name: str
    path: str
    report: str
    where: str = STATUS
    when: str = WHEN_LOADED
    contents: tuple = tuple(HOSTILE)
    ephemeral: bool = False
    topic: bool = False  # Of a topic of ours, made before.


KINDS = [
    Kind("topic", "/brokers/topics/bad-#", "/brokers/topics/bad-#: ", when=AT_ONCE),
    Kind("name of a topic", "/brokers/topics/bad name #", "/brokers/topics/bad name #: ",
         when=AT_ONCE, contents=(b"{}",)),
    Kind("partition's state", "/brokers/topics/state-#/partitions/0/state",
         "/brokers/topics/state-#/partitions/0/state: ", topic=True),
    # As to Kafka, an empty config and one without "config" are no config.
    Kind("topic's config", "/config/topics/config-#", "/config/topics/config-#: ", topic=True,
         contents=(*HOSTILE[1:7], b'{"version":1,"config":{"min.insync.replicas":7}}')),
    Kind("registration", "/brokers/ids/90#", "/brokers/ids/90#: ", when=AT_ONCE, ephemeral=True),
    Kind("id of a broker", "/brokers/ids/nobody-#", "not a broker id path=/brokers/ids/nobody-#",
         LOG, AT_ONCE, contents=(b"{}",), ephemeral=True),
    Kind("mark of a stop", "/regent/stopping/bad-#", "/regent/stopping/bad-#:"),
    Kind("quarantine", "/regent/quarantine/bad-#", "/regent/quarantine/bad-#:"),
    Kind("election", "/admin/preferred_replica_election", "/admin/preferred_replica_election: ",
         when=AT_ONCE, contents=(b"{hostile",)),
]


class HostileTest(ClusterTest):
    """Three brokers and a topic that is whole."""

    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()
        self.cluster.ctl("topic", "create", "good", "--replica-assignment", "0:1:2")
        self.office = self.cluster.office()
        self.client = self.zk_client()

    def assert_alive(self, name):
        """The cluster goes on: a topic is made and led, the good one is in sync."""
        self.cluster.ctl("topic", "create", name, "--replica-assignment", "2:1:0")
        self.cluster.await_rows(name, [(2, [0, 1, 2])])
        eventually(lambda: (found := self.cluster.partitions("good")) and
                   sorted(found[0]["isr"]) == [0, 1, 2], "the good topic is in sync")


class HostileZnodes(HostileTest):
    def write(self, kind):
        """Writes all contents; returns the reports to be expected."""
        reports = []
        for number, content in enumerate(kind.contents):
            path = kind.path.replace("#", str(number))
            if kind.topic:
                self.cluster.ctl("topic", "create", path.split("/")[3], "--replica-assignment",
                                 "0:1:2", "--config", "min.insync.replicas=1")
                self.client.set(path, content)
            else:
                self.client.create(path, content, ephemeral=kind.ephemeral)
            reports.append(kind.report.replace("#", str(number)))
        return reports

    def unreported(self, kind, reports):
        if kind.where == LOG:
            said = self.cluster[self.cluster.await_office()[0]].text()
        else:
            code, answer = self.cluster.run_ctl("cluster", "status")
            said = "\n".join(answer["problems"]) if code in (0, 4) else ""
        return [report for report in reports if report not in said]

    def assert_reported(self, kind, reports):
        with self.subTest(kind=kind.name):
            try:
                eventually(lambda: not self.unreported(kind, reports), f"{kind.name} is reported")
            except AssertionError as error:
                raise AssertionError(f"{error}: {self.unreported(kind, reports)}") from None

    def change_office(self):
        """Another takes over and has to load all there is; the old one's broker comes back."""
        office = self.cluster.await_office()
        self.cluster[office[0]].end(signal.SIGKILL)
        successor = self.cluster.await_office(lambda o: o[1] > office[1], "a new controller")
        self.assertEqual(successor[1], office[1] + 1)
        self.cluster[office[0]].start()
        self.cluster.await_live(office[0])

    def test_every_kind_is_reported_and_left_alone_and_controllers_live(self):
        reports = {kind: self.write(kind) for kind in KINDS}
        for kind in KINDS:
            if kind.when == AT_ONCE:
                self.assert_reported(kind, reports[kind])
        self.assertEqual(self.cluster.office(), self.office)
        self.assert_alive("before")
        self.change_office()
        for kind in KINDS:
            self.assert_reported(kind, reports[kind])
        self.assert_alive("after")

    def test_an_unreadable_cluster_id_keeps_newcomers_out_until_it_is_repaired(self):
        whole = self.client.get("/cluster/id")[0]
        self.client.set("/cluster/id", b"{hostile")
        self.assertEqual(self.cluster.office(), self.office)
        self.assert_alive("before")
        newcomer = self.cluster.broker(3).start()
        eventually(lambda: "a readable /cluster/id" in newcomer.text(), "it says what it waits for")
        self.assertEqual(self.cluster.office(), self.office)
        self.client.set("/cluster/id", whole)
        self.cluster.await_live(3)

    # The mark goes when a controller sends the cluster id that its process knows.
    def test_a_successor_governs_whatever_becomes_of_the_cluster_id(self):
        self.client.set("/cluster/id", b"{hostile")
        self.cluster[self.office[0]].end(signal.SIGKILL)
        self.cluster.await_office(lambda o: o[1] > self.office[1], "a new controller")
        others = ":".join(str(b) for b in (0, 1, 2) if b != self.office[0])
        self.cluster.ctl("topic", "create", "after", "--replica-assignment", others)
        eventually(lambda: self.cluster.run_ctl("cluster", "status")[1]["unacknowledged"] == 0,
                   "agents have heard it", patience=10)

    def test_an_unreadable_format_keeps_new_candidates_out_until_it_is_repaired(self):
        whole = self.client.get("/regent/format")[0]
        self.client.set("/regent/format", b"{hostile")
        candidate = self.cluster.controller(100).start()
        eventually(lambda: 'root not readable problem="/regent/format: ' in candidate.text(),
                   "it says so")
        self.assertEqual(self.cluster.office(), self.office)
        self.client.set("/regent/format", whole)
        for broker in (0, 1, 2):
            self.cluster[broker].end()
        self.cluster.await_office(lambda office: office[0] == 100, "it is elected")


class HostileOffice(HostileTest):
    """The znodes that say who governs."""

    def let_somebody_else_govern(self):
        for broker in (0, 1, 2):
            self.cluster[broker].end()
        self.seen = self.client.get("/controller_epoch")[0]
        self.client.create("/controller", b"{hostile", ephemeral=True)
        for broker in (0, 1, 2):
            self.cluster[broker].start()

    def test_somebody_elses_unreadable_controller_is_left_alone_and_succeeded(self):
        self.let_somebody_else_govern()
        eventually(lambda: all(self.client.exists(f"/brokers/ids/{b}") for b in (0, 1, 2)),
                   "all are registered")
        self.assertIsNone(self.cluster.office())
        self.assertEqual(self.client.get("/controller_epoch")[0], self.seen)
        self.client.delete("/controller")
        self.cluster.await_office()
        for broker in (0, 1, 2):
            self.cluster.await_live(broker)
        self.assert_alive("after")

    def test_somebody_elses_unreadable_controller_is_reported(self):
        self.let_somebody_else_govern()
        self.await_said("controller not readable")

    def await_said(self, words):
        eventually(lambda: all(words in self.cluster[b].text() for b in (0, 1, 2)),
                   f"everybody says: {words}")

    def test_an_office_that_somebody_overwrites_is_filled_again(self):
        for content, report in ((b"{hostile", "the text is not valid JSON"),
                                (b'{"brokerid":-7}', "brokerid is -7")):
            with self.subTest(content=content):
                office = self.cluster.await_office()
                self.client.set("/controller", content)
                # It is gone within milliseconds: who held the office has certainly seen it.
                eventually(lambda: f"/controller: controller registration: {report}"
                           in self.cluster[office[0]].text(), "who held the office says it")
                self.cluster.await_office(lambda now: now[1] > office[1], "a new controller")
                self.assert_alive(f"after-{self.client.get('/controller_epoch')[1].version}")

    def test_an_unreadable_epoch_is_reported_and_waited_out_until_it_is_repaired(self):
        for content in ("abc", "2147483647"):
            with self.subTest(content=content):
                office = self.cluster.await_office()
                self.overwrite_epoch(office, content, f"office not readable .*{content}")
                # As it is said there.
                self.client.set("/controller_epoch", str(office[1]).encode())
                self.assert_governed_after(office)

    def test_an_epoch_without_a_next_one_is_reported_and_waits_for_its_repair(self):
        office = self.cluster.await_office()
        self.overwrite_epoch(office, "2147483646", "office not claimed .*2147483646")
        # As it is said there: all stopped, and a number above those in use.
        for broker in (0, 1, 2):
            self.cluster[broker].end(signal.SIGKILL)
        self.client.set("/controller_epoch", str(office[1] + 1).encode())
        for broker in (0, 1, 2):
            if broker != office[0]:
                self.cluster[broker].start()
        self.assert_governed_after(office)

    def overwrite_epoch(self, office, content, report):
        """Whoever governs goes; whoever would follow says why it does not."""
        self.client.set("/controller_epoch", content.encode())
        self.cluster[office[0]].end(signal.SIGKILL)
        others = [b for b in (0, 1, 2) if b != office[0]]
        eventually(lambda: all(re.search(report, self.cluster[b].text()) for b in others),
                   f"it is said: {report}")
        self.assertIsNone(self.cluster.office())

    def assert_governed_after(self, office):
        self.cluster.await_office(lambda now: now[1] > office[1], "a new controller")
        self.cluster[office[0]].start()
        for broker in (0, 1, 2):
            self.cluster.await_live(broker)
        self.assert_alive(f"after-{office[1]}")


if __name__ == "__main__":
    harness.main()
