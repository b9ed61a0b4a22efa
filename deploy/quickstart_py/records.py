"""Records for the story: kcat produces through every step, and reads all of it back at the end."""

import collections
import re
import shutil
import subprocess
import threading
import time
import uuid

from processes import Failure
from tally import Tally

PER_STEP = 1000
PAUSE = 0.002  # Between two records that are sent while brokers stop and start.
DELIVERY_MAX_MS = 60_000
DELIVERED = re.compile(r"^% Message delivered to partition", re.MULTILINE)


class Step:
    """One kcat, idempotent with acks=all, that is fed before, while and after brokers move."""

    def __init__(self, brokers, topic, values):
        self._values = collections.deque(values)
        self._third = len(values) // 3
        self._kcat = subprocess.Popen(
            ["kcat", "-b", brokers, "-P", "-t", topic, "-vvv", "-X", "enable.idempotence=true",
             "-X", "acks=all", "-X", f"message.timeout.ms={DELIVERY_MAX_MS}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._said = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._feeder = threading.Thread(target=self._feed, args=(self._third, PAUSE), daemon=True)
        self._feed(self._third, 0)
        self._feeder.start()

    def finish(self):
        """Sends the rest; returns how many records were acknowledged, and kcat's complaints."""
        self._feeder.join()
        self._feed(len(self._values), 0)
        try:
            self._kcat.stdin.close()
        except OSError:
            pass  # It has ended; what it said tells why.
        self._kcat.wait()
        self._listener.join()
        said = b"".join(self._said).decode(errors="replace")
        complaints = [line for line in said.splitlines() if "Delivery failed" in line]
        return len(DELIVERED.findall(said)), complaints

    def _listen(self):
        for line in self._kcat.stderr:
            self._said.append(line)

    def _feed(self, count, pause):
        for _ in range(count):
            try:
                self._kcat.stdin.write(self._values.popleft() + b"\n")
                self._kcat.stdin.flush()
            except OSError:
                return  # kcat has ended; finish() tells.
            if pause:
                time.sleep(pause)


class Records:
    """All of them, of one walk. A topic may hold those of earlier walks: they count for nothing."""

    def __init__(self, cluster, topic, say):
        if not shutil.which("kcat"):
            raise Failure("kcat is not installed; deploy/install-packages --run installs it")
        self._brokers = cluster.client_addresses()
        self._topic = topic
        self._say = say
        self._mark = uuid.uuid4().hex
        self._sent = 0
        self._acknowledged = 0

    def begin(self):
        values = [f"{self._mark}-{n}".encode() for n in range(self._sent, self._sent + PER_STEP)]
        self._sent += len(values)
        return Step(self._brokers, self._topic, values)

    def end(self, step):
        acknowledged, complaints = step.finish()
        self._acknowledged += acknowledged
        self._say(f"{acknowledged} of {PER_STEP} records acknowledged")
        for line in complaints[:3]:
            self._say(line)

    def tally(self):
        """Reads the topic from its beginning to its end."""
        done = subprocess.run(
            ["kcat", "-b", self._brokers, "-C", "-t", self._topic, "-o", "beginning", "-e", "-q"],
            capture_output=True, check=False)
        if done.returncode != 0:
            raise Failure(f"reading {self._topic} back failed: "
                          f"{done.stderr.decode(errors='replace').strip()}")
        read = [line for line in done.stdout.decode().splitlines() if line.startswith(self._mark)]
        return Tally(self._sent, self._acknowledged, read)
