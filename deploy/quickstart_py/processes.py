"""Processes that outlive us, found again by pid file, and never mistaken for somebody else's."""

import contextlib
import os
import signal
import socket
import subprocess
import time


class Failure(Exception):
    """Something that ends quickstart; the text names the value, the rule and the remedy."""


def start_time(pid):
    """Returns when `pid` was started (clock ticks since boot), or None if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    # Fields count from the state, the third of proc(5); a zombie has ended.
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def port_is_free(port):
    with socket.socket() as probe:
        # As servers do: a connection of an earlier life in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def signals_deferred():
    """Lets what would end us wait until the block is done. Children start with the usual signals:
    handlers, unlike a mask, are not handed on."""
    came = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda n, _frame: came.append(n))
              for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            os.kill(os.getpid(), number)


class Process:
    """One process of the cluster. Its pid file holds pid and start time, so that a pid which has
    come round to another process is not taken for ours."""

    def __init__(self, name, command, ports, state_dir):
        self.name = name
        self.command = command
        self.ports = ports  # {what it is for: number}
        self.log = state_dir / "log" / f"{name}.log"
        self._pid_file = state_dir / "run" / f"{name}.pid"

    def pid(self):
        """Returns the pid while the process that we started runs, else None."""
        try:
            pid, started = map(int, self._pid_file.read_text().split())
        except (OSError, ValueError):
            return None
        self._reap(pid)
        return pid if start_time(pid) == started else None

    def start(self):
        """Starts it unless it runs; returns whether it had to be started."""
        if self.pid() is not None:
            return False
        for purpose, port in self.ports.items():
            if not port_is_free(port):
                raise Failure(
                    f"port {port} ({purpose} of {self.name}) is in use on 127.0.0.1 by a process "
                    "that quickstart did not start; end that one, or shift all ports with "
                    "--base-port N (default 9092)"
                )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        with signals_deferred():  # A process that nobody has noted would be nobody's.
            self._note(self._spawn())
        return True

    def _spawn(self):
        with open(self.log, "ab") as log:
            try:
                return subprocess.Popen(
                    [str(part) for part in self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                raise Failure(
                    f"cannot run {self.command[0]}: {error.strerror}; without --no-build, "
                    "deploy/quickstart installs and builds what it needs"
                ) from None

    def _note(self, child):
        started = start_time(child.pid)
        if started is None:
            raise Failure(self.obituary())
        temporary = self._pid_file.with_suffix(".new")
        try:
            temporary.write_text(f"{child.pid} {started}\n")
            temporary.replace(self._pid_file)
        except OSError as error:
            child.kill()
            child.wait()
            raise Failure(f"cannot write {self._pid_file}: {error.strerror}") from None
        # Whether it lives is asked through /proc; the object must not wait for it on exit.
        child.returncode = 0

    def stop(self, signal_number, patience):
        """Ends it: the signal, `patience` seconds, then SIGKILL. Returns a word for what happened,
        None if it did not run."""
        pid = self.pid()
        if pid is None:
            self._pid_file.unlink(missing_ok=True)
            return None
        self._send(pid, signal_number)
        word = "killed" if signal_number == signal.SIGKILL else "stopped"
        if not self._gone_within(patience):
            self._send(pid, signal.SIGKILL)
            word = f"did not end within {patience:g} s of the signal and was killed"
            if not self._gone_within(patience):
                raise Failure(f"{self.name} (pid {pid}) does not end, not even by SIGKILL")
        self._pid_file.unlink(missing_ok=True)
        return word

    def obituary(self):
        """Says why it may have ended: its last words and where the rest is."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        last = "\n    ".join(lines[-5:]) if lines else "(it wrote nothing)"
        return f"{self.name} ended. Its last words:\n    {last}\n  The whole log: {self.log}"

    def _gone_within(self, seconds):
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    @staticmethod
    def _send(pid, signal_number):
        with contextlib.suppress(ProcessLookupError):  # It has just ended by itself.
            os.kill(pid, signal_number)

    @staticmethod
    def _reap(pid):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass  # A child of an earlier run: init reaps it.
