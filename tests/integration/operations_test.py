"""docs/operations.md, "Three machines beside your ZooKeeper ensemble", done to the letter: its
commands, the unit files and the samples that an installation has, three machines, an ensemble."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import ClusterTest, Process, ZooKeeper, eventually
from machines import Machines, run

PAGE = harness.ROOT / "docs" / "operations.md"
UNITS = "/usr/local/lib/systemd/system"
MACHINES = {n: f"10.0.0.{n}" for n in (1, 2, 3)}
OURS = "10.0.0.254"
# What the test has behind it when it begins: the programs are built.
DONE = ("deploy/install-packages", "cmake --preset")


def code_of(title):
    """The lines of the code blocks under a title of the page."""
    section = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text(),
                        re.MULTILINE | re.DOTALL)[1]
    return [line[4:] for line in section.splitlines() if line.startswith("    ")]


def shell(command):
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": f"/usr/local/bin:{os.environ['PATH']}"})
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def settings_of(path):
    """As systemd reads an EnvironmentFile without quotes."""
    with open(path, encoding="utf-8") as lines:
        return dict(line.rstrip("\n").split("=", 1) for line in lines
                    if "=" in line and not line.startswith("#"))


def set_in(path, key, value):
    """Edits a setting, as a person would."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changed, count = re.subn(rf"^{key}=.*$", f"{key}={value}", text, flags=re.MULTILINE)
    assert count == 1, f"{path} has no {key}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)


def command_of(unit, instance=""):
    """What systemd would run, as whom, from which unit file and environment file."""
    with open(f"{UNITS}/{unit}", encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ").replace("%i", instance)
    key = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    settings = settings_of(key["EnvironmentFile"])
    words = []
    for word in key["ExecStart"].split():
        whole = re.fullmatch(r"\$(\w+)", word)
        words += settings[whole[1]].split() if whole else [
            re.sub(r"\$\{(\w+)\}", lambda found: settings[found[1]], word)]
    state = f"/var/lib/{key['StateDirectory']}"
    os.makedirs(state, int(key["StateDirectoryMode"], 8))
    shutil.chown(state, key["User"], key["Group"])
    return ["setpriv", f"--reuid={key['User']}", f"--regid={key['Group']}", "--clear-groups",
            *words]


def may_make_accounts():
    """Root of a namespace with one account has nobody to hand anything to."""
    with open("/proc/self/uid_map", encoding="ascii") as lines:
        return os.geteuid() == 0 and sum(int(line.split()[2]) for line in lines) > 1


@unittest.skipUnless(may_make_accounts(), "making an account needs root")
class Operations(ClusterTest):
    with_zookeeper = False

    def setUp(self):
        super().setUp()
        self.hide_this_machine()
        self.machines = Machines({f"m{n}": address for n, address in MACHINES.items()}, OURS)
        self.addCleanup(self.machines.close)
        self.ctl_environment = ""

    def hide_this_machine(self):
        """What an installation touches is a copy that only this test sees."""
        copies = tempfile.TemporaryDirectory(prefix="regent-operations-")
        self.addCleanup(copies.cleanup)
        run("cp", "-a", "/etc", f"{copies.name}/etc")
        os.makedirs(f"{copies.name}/usr/local")
        os.makedirs(f"{copies.name}/var/lib")
        for target in ("/etc", "/usr/local", "/var/lib"):
            run("mount", "--bind", copies.name + target, target)
            self.addCleanup(run, "umount", "--lazy", target)
        with open("/etc/hosts", "a", encoding="ascii") as hosts:
            hosts.writelines(f"{address} zk{n}\n" for n, address in MACHINES.items())

    def start_ensemble(self):
        servers = [
            self.own(ZooKeeper(self.directory, f"zookeeper-{n}", address, 2181, MACHINES, n,
                               Machines.at(f"m{n}"))).start() for n, address in MACHINES.items()]
        for server in servers:
            server.await_serving()

    def start_unit(self, unit, machine):
        """systemctl enable --now, without a systemd."""
        name, _, instance = unit.partition("@")
        file = f"{name}@.service" if instance else unit
        process = Process(unit, [*Machines.at(f"m{machine}"), *command_of(file, instance)],
                          self.directory)
        return self.own(process).start()

    def do_lines(self, lines):
        """Does what the page says on three machines; returns what regentctl printed."""
        printed = []
        for line in lines:
            command, _, remark = line.partition("#")
            edit = re.match(r" *(?:edit: +)?(REGENT_\w+)=(\S+)", remark)
            if command.startswith(DONE) or line.strip() == "…":
                continue
            if command.startswith("cmake --install"):
                shell(f"cmake --install {shlex.quote(str(harness.BUILD))}")
            elif command.startswith("export "):
                self.ctl_environment = command
            elif command.startswith("regentctl "):
                printed.append(shell(f"{self.ctl_environment}\n{command}"))
            elif command.startswith("systemctl enable --now "):
                for n in MACHINES:
                    self.start_unit(command.split()[-1].replace("@N", f"@{n}"), n)
            elif command.startswith(("mkdir ", "cp ")):
                for n in MACHINES:
                    shell(command.replace("-N.", f"-{n}."))
            elif command.startswith("systemd-sysusers"):
                # Where there is no systemd, what it would do.
                shell(command if shutil.which("systemd-sysusers") else
                      "/usr/sbin/useradd --system --home-dir /var/lib/regent regent")
            elif edit:
                for n in MACHINES:
                    set_in(f"/etc/regent/broker-{n}.env", edit[1], edit[2].replace(".N:", f".{n}:"))
            else:
                self.fail(f"the page has a line that this test does not know: {line}")
        return printed

    def ctl(self, command):
        return shell(f"{self.ctl_environment}\nregentctl {command}")

    def until(self, command, expected):
        eventually(lambda: self.try_ctl(command, expected), f"regentctl {command}: {expected}")

    def try_ctl(self, command, expected):
        try:
            return re.search(expected, self.ctl(command))
        except AssertionError:
            return None  # Nobody holds the office yet.

    def test_three_machines_beside_an_ensemble(self):
        self.start_ensemble()
        lines = code_of("Three machines beside your ZooKeeper ensemble")
        first = next(i for i, line in enumerate(lines) if line.startswith("regentctl "))
        self.do_lines(lines[:first])
        self.until("broker list", r"(?s)1 .*live.*2 .*live.*3 .*live")
        status, created = self.do_lines(lines[first:])
        self.assertIn("healthy", status)
        self.assertIn("orders", created)
        self.until("topic describe orders -o json", r'"partitions"')
        self.assertEqual(self.ctl("topic describe --unavailable -o json").count('"leader"'), 0)

    def test_a_controller_apart(self):
        self.start_ensemble()
        lines = code_of("Three machines beside your ZooKeeper ensemble")
        start = next(i for i, line in enumerate(lines) if line.startswith("systemctl "))
        self.do_lines(lines[:start])
        shutil.copy("/usr/local/share/regent/controller.env", "/etc/regent/controller.env")
        ensemble = settings_of("/etc/regent/broker-1.env")["REGENT_ZOOKEEPER"]
        set_in("/etc/regent/controller.env", "REGENT_ZOOKEEPER", ensemble)
        self.start_unit("regent-controller.service", 1)
        for n in MACHINES:
            set_in(f"/etc/regent/broker-{n}.env", "REGENT_OPTIONS", "--controller-eligible=false")
            self.start_unit(f"regent-broker@{n}", n)
        self.ctl_environment = "export REGENTCTL_CONTROLLER=10.0.0.2:9192"
        self.until("controller status -o json", r'"id": *100\b')
        self.until("broker list", r"(?s)1 .*live.*2 .*live.*3 .*live")

    @unittest.skipIf(shutil.which("systemd-analyze") is None, "there is no systemd-analyze")
    def test_the_units_are_what_systemd_takes(self):
        self.do_lines([line for line in code_of("Three machines beside your ZooKeeper ensemble")
                       if line.startswith("cmake --install")])
        done = subprocess.run(
            ["systemd-analyze", "verify", "regent-broker@1.service", "regent-controller.service"],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        # What it merely ignores, it says and ends with 0.
        self.assertNotIn("regent", done.stderr)


if __name__ == "__main__":
    harness.main()
