"""regent-load (tests/bench/load), run from Python: writes records, measures, reads them back."""

import json
import subprocess

import harness

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
    return _objects(done.stdout.splitlines())


def _objects(lines):
    return [o for o in map(json.loads, lines) if o["kind"] != "underWay"]


class Running:
    """A load that goes on until it is stopped; under way once made."""

    def __init__(self, topic, *flags, brokers=BROKERS):
        self._popen = subprocess.Popen(command(topic, "--until-eof", *flags, brokers=brokers),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert json.loads(self._popen.stdout.readline())["kind"] == "underWay"

    def stop(self):
        """Returns the objects that it printed."""
        said, _ = self._popen.communicate(timeout=PATIENCE)
        assert self._popen.returncode == 0, f"regent-load exited {self._popen.returncode}"
        return _objects(said.splitlines())

    def destroy(self):
        self._popen.kill()
        self._popen.communicate()
