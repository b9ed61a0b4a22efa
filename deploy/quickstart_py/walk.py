"""The story: rows of actions and of what `describe` must then show."""

import re
import signal
import time

from cluster import BROKERS
from processes import Failure
from records import Records

POLL = 0.1


class Row:
    """One step: its actions and, per partition, the (leader, ISR) expected, or None."""

    def __init__(self, step, actions, expected):
        self.step = step
        self.actions = actions  # [(verb, [broker, …]), …]
        self.expected = expected

    def text(self):
        words = {"start": "start broker", "stop": "stop broker"}
        parts = []
        for verb, brokers in self.actions:
            many = "s" if len(brokers) > 1 else ""
            listed = ", ".join(map(str, brokers))
            parts.append(
                f"{words[verb]}{many} {listed}"
                if verb in words
                else {"create": "create the topic", "elect": "elect the preferred leaders"}[verb]
            )
        return ", then ".join(parts)


class Story:
    """The rows of a file such as deploy/quickstart.rows."""

    def __init__(self, path):
        self.settings = {}
        self.rows = []
        try:
            lines = path.read_text().splitlines()
        except OSError as error:
            raise Failure(f"cannot read the rows in {path}: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            line = line.partition("#")[0].strip()
            try:
                self._read(line)
            except (ValueError, KeyError) as error:
                raise Failure(
                    f"{path}:{number}: {error}; deploy/quickstart.rows says how"
                ) from None
        if not self.rows or not {"topic", "assignment"} <= self.settings.keys():
            raise Failure(f"{path} needs topic = …, assignment = … and at least one row")
        self.replicas = [
            [int(broker) for broker in replicas.split(":")]
            for replicas in self.settings["assignment"].split(",")
        ]
        for row in self.rows:
            if row.expected and len(row.expected) != len(self.replicas):
                raise Failure(
                    f"{path}: step {row.step} expects {len(row.expected)} partitions, and the "
                    f"assignment has {len(self.replicas)}"
                )

    def _read(self, line):
        if "|" in line:
            step, actions, *cells = [cell.strip() for cell in line.split("|")]
            expected = [self._cell(cell) for cell in cells]
            known = [self._action(action) for action in actions.split(";")]
            self.rows.append(Row(step, known, None if None in expected else expected))
        elif line:
            key, equals, value = line.partition("=")
            if not equals:
                raise ValueError(f"'{line}' is neither a row nor a setting")
            self.settings[key.strip()] = value.strip()

    @staticmethod
    def _cell(text):
        if text == "-":
            return None
        match = re.fullmatch(r"leader (none|\d+), ISR (\d+(?:,\d+)*)", text)
        if not match:
            raise ValueError(f"'{text}' is not like 'leader 1, ISR 1,0,2' or '-'")
        leader = -1 if match[1] == "none" else int(match[1])
        return leader, frozenset(int(broker) for broker in match[2].split(","))

    @staticmethod
    def _action(text):
        verb, *brokers = text.split() or [""]
        if verb not in ("start", "stop", "create", "elect"):
            raise ValueError(f"'{verb}' is not start, stop, create or elect")
        known = [str(broker) for broker in BROKERS]
        if (verb in ("start", "stop")) != bool(brokers) or not set(brokers) <= set(known):
            raise ValueError(f"'{text.strip()}': start and stop name brokers out of "
                             f"{', '.join(known)}; create and elect name none")
        return verb, [int(broker) for broker in brokers]


class Snapshot:
    """What regentctl says of the topic and of the office at one moment."""

    def __init__(self, controller, partitions):
        self.controller = controller["id"]
        self.controller_epoch = controller["epoch"]
        self.partitions = partitions

    def matches(self, expected, replicas):
        return len(self.partitions) == len(expected) and all(
            (p["leader"], frozenset(p["isr"])) == wanted and p["replicas"] == placed
            for p, wanted, placed in zip(self.partitions, expected, replicas)
        )


class Walk:
    """Walks a story on a cluster, bounded in time, and prints what it sees."""

    def __init__(self, cluster, story, stop_signal, patience, say):
        self._records = Records(cluster, story.settings["topic"], say)
        self._cluster = cluster
        self._story = story
        self._stop_signal = stop_signal
        self._patience = patience
        self._say = say
        self._topic = story.settings["topic"]

    def run(self):
        """Returns what differed, as text; it ends at the first row that does. From the topic's
        creation on, records are produced before, while and after a row's actions."""
        before = None
        for row in self._story.rows:
            print(f"\nStep {row.step}: {row.text()}")
            began = time.monotonic()
            stopped = set()
            producing = self._records.begin() if before and before.partitions else None
            for verb, brokers in row.actions:
                self._act(verb, brokers, stopped)
            if row.expected is None:
                self._say(f"done after {time.monotonic() - began:.1f} s")
                before = self._snapshot(with_topic=False)
                continue
            now = self._await(row)
            took = time.monotonic() - began
            if producing:
                self._records.end(producing)
            self._show(row, now)
            if now is None or not now.matches(row.expected, self._story.replicas):
                return f"step {row.step} ({row.text()}) differs from what is expected"
            broken = self._broken_claims(before, now, stopped)
            if broken:
                return f"step {row.step} ({row.text()}): {'; '.join(broken)}"
            self._say(f"reached after {took:.1f} s")
            self._say(self._office(before, now))
            before = now
        tally = self._records.tally()
        print(f"\n{tally.text()}")
        return tally.problem()

    def _act(self, verb, brokers, stopped):
        if verb == "start":
            for broker in brokers:
                self._cluster.start_broker(broker, self._say)
        elif verb == "stop":
            for broker in brokers:
                stopped.add(broker)
                self._cluster.stop_broker(broker, self._stop_signal, self._say)
        elif verb == "create":
            self._create()
        else:
            self._elect()

    def _create(self):
        code, answer = self._cluster.ctl(
            "topic", "create", self._topic,
            "--replica-assignment", self._story.settings["assignment"], timeout="30s",
        )
        if code == 0:
            self._say(f"topic {self._topic} created")
            return
        if answer.get("code") != "ALREADY_EXISTS":
            raise Failure(f"creating {self._topic} failed: {answer.get('message')}")
        self._say(f"topic {self._topic} is there from an earlier walk: electing its first leaders")
        self._elect()

    def _elect(self):
        """Elects the preferred leaders, once they are in sync: that is asked of a leader."""
        deadline = time.monotonic() + self._patience
        while True:
            now = self._snapshot()
            if now and all(set(p["isr"]) == set(p["replicas"]) for p in now.partitions):
                break
            if time.monotonic() > deadline:
                self._say(f"not every replica is in sync after {self._patience:g} s")
                break
            time.sleep(POLL)
        code, answer = self._cluster.ctl(
            "leader", "elect", "--preferred", "--topic", self._topic, timeout="30s"
        )
        if answer.get("kind") == "Error":
            raise Failure(f"the election failed: {answer.get('message')}")
        outcomes = [f"{r['partition']}: {r['outcome']}" for r in answer["results"]]
        self._say(f"preferred leaders: {', '.join(outcomes) or 'nothing to do'}")

    def _snapshot(self, with_topic=True):
        """Returns what is so now, None while nobody can say."""
        noun = ("topic", "describe", self._topic) if with_topic else ("controller", "status")
        code, answer = self._cluster.ctl(*noun)
        controller = answer.get("controller")
        if code != 0 or controller is None:
            return None
        return Snapshot(controller, answer["topics"][0]["partitions"] if with_topic else [])

    def _await(self, row):
        deadline = time.monotonic() + self._patience
        while True:
            now = self._snapshot()
            if now and now.matches(row.expected, self._story.replicas):
                return now
            if time.monotonic() > deadline:
                return now
            time.sleep(POLL)

    def _show(self, row, now):
        if now is None:
            self._say(f"nobody describes {self._topic}: there is no controller, or no such topic")
            return
        lines = [
            ("PARTITION", "LEADER", "REPLICAS", "ISR", "LEADER-EPOCH", "PARTITION-EPOCH",
             "EXPECTED LEADER", "EXPECTED ISR", "")
        ]
        for index, wanted in enumerate(row.expected):
            placed = self._story.replicas[index]
            leader, isr = wanted
            seen = now.partitions[index] if index < len(now.partitions) else None
            cells = ("-",) * 5
            same = False
            if seen:
                cells = (seen["leader"], _join(seen["replicas"]), _join(seen["isr"]),
                         seen["leaderEpoch"], seen["partitionEpoch"])
                same = (seen["leader"], frozenset(seen["isr"])) == wanted
                same = same and seen["replicas"] == placed
            expected_isr = _join(broker for broker in placed if broker in isr)
            extra = sorted(isr - set(placed))
            lines.append((index, *cells, leader, expected_isr + "".join(f",{b}" for b in extra),
                          "ok" if same else "DIFFERS"))
        widths = [max(len(str(line[i])) for line in lines) for i in range(len(lines[0]))]
        for line in lines:
            cells = (str(cell).ljust(width) for cell, width in zip(line, widths))
            print("  " + "  ".join(cells).rstrip())

    def _broken_claims(self, before, now, stopped):
        """The claims under the scenario's table: when which epoch rises."""
        broken = []
        if before is None:
            return broken
        if before.controller in stopped:
            if now.controller_epoch <= before.controller_epoch:
                broken.append(
                    f"controller {before.controller} was stopped, and its epoch "
                    f"{before.controller_epoch} has not risen"
                )
        elif now.controller_epoch != before.controller_epoch:
            broken.append(
                f"the controller epoch went from {before.controller_epoch} to "
                f"{now.controller_epoch}, and the process of controller {before.controller} had "
                "not been stopped"
            )
        for old, new in zip(before.partitions, now.partitions):
            broken += self._broken_partition(old, new)
        return broken

    @staticmethod
    def _broken_partition(old, new):
        moved = old["leader"] != new["leader"]
        changed = moved or set(old["isr"]) != set(new["isr"])
        rose = new["leaderEpoch"] - old["leaderEpoch"]
        written = new["partitionEpoch"] - old["partitionEpoch"]
        name = f"partition {new['partition']}"
        if moved and rose <= 0:
            return [f"{name} has another leader in the same leader epoch {new['leaderEpoch']}"]
        if not moved and rose != 0:
            return [
                f"{name} kept its leader, and its leader epoch went from {old['leaderEpoch']} to "
                f"{new['leaderEpoch']}"
            ]
        if written < 0 or (changed and written == 0):
            return [
                f"{name} changed, and its partition epoch went from {old['partitionEpoch']} to "
                f"{new['partitionEpoch']}"
            ]
        return []

    @staticmethod
    def _office(before, now):
        if before and before.controller_epoch != now.controller_epoch:
            return (
                f"controller {now.controller}, epoch {now.controller_epoch} (was controller "
                f"{before.controller}, epoch {before.controller_epoch})"
            )
        return f"controller {now.controller}, epoch {now.controller_epoch}"


def stop_signal(kill):
    return signal.SIGKILL if kill else signal.SIGTERM


def _join(brokers):
    return ",".join(map(str, brokers))
