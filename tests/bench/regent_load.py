"""regent-load (tests/bench/load), run from Python: writes records, measures, reads them back."""

import json
import subprocess
import threading

import harness
from astray import AstrayWatch

PROGRAM = harness.BUILD / "tests/bench/regent-load"
BROKERS = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
PATIENCE = 300.0


def command(topic, *flags, brokers=BROKERS):
    return [PROGRAM, f"--brokers={brokers}", f"--topic={topic}", *flags]


def run(topic, *flags, brokers=BROKERS):
    """Returns the objects that it printed, one for each run and one for the reading."""
    done = subprocess.run(command(topic, *flags, brokers=brokers), capture_output=True, text=True,
                          check=False, timeout=PATIENCE)
    assert done.returncode == 0, f"regent-load exited {done.returncode}: {done.stderr}"
    return _results(map(json.loads, done.stdout.splitlines()))


def _results(objects):
    return [o for o in objects if o["kind"] != "underWay"]


class Running:
    """A load that goes on until it is stopped; under way once made. `watch` knows what its client has
    lost, if the flags have it tell statistics."""

    def __init__(self, topic, *flags, brokers=BROKERS):
        self.watch = AstrayWatch()
        self._said = []
        self._popen = subprocess.Popen(command(topic, "--until-eof", *flags, brokers=brokers),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while self._take(self._popen.stdout.readline()) != "underWay":
            pass
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _take(self, line):
        said = json.loads(line)
        if said["kind"] == "statistics":
            self.watch.take(said["statistics"])
        else:
            self._said.append(said)
        return said["kind"]

    def _listen(self):
        for line in self._popen.stdout:
            self._take(line)

    def stop(self):
        """Returns the objects that it printed."""
        self._popen.stdin.close()
        self._end()
        assert self._popen.returncode == 0, f"regent-load exited {self._popen.returncode}"
        return _results(self._said)

    def destroy(self):
        self._popen.kill()
        self._end()

    def _end(self):
        self._popen.wait(PATIENCE)
        self._listener.join()
        self._popen.stdin.close()
        self._popen.stdout.close()
