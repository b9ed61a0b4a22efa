"""Machines for one test: network namespaces on a bridge; they go with the program's own."""

import os
import subprocess


def run(*command):
    subprocess.run(command, check=True)


class Machines:
    """{name of a namespace: its address}; this program is on the same bridge."""

    def __init__(self, addresses, ours):
        self._names = list(addresses)
        os.makedirs("/run/netns", exist_ok=True)
        run("mount", "-t", "tmpfs", "none", "/run/netns")
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "addr", "add", f"{ours}/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        for name, address in addresses.items():
            run("ip", "netns", "add", name)
            run("ip", "link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns",
                name)
            run("ip", "link", "set", f"v-{name}", "master", "br0", "up")
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            run("ip", "-n", name, "link", "set", "lo", "up")

    @staticmethod
    def at(name):
        """What goes in front of a command to run it there."""
        return ["ip", "netns", "exec", name]

    @staticmethod
    def unplug(name):
        run("ip", "link", "set", f"v-{name}", "down")

    @staticmethod
    def plug_in(name):
        run("ip", "link", "set", f"v-{name}", "up")

    def close(self):
        for name in self._names:
            run("ip", "link", "del", f"v-{name}")  # A namespace takes its own time to go.
            run("ip", "netns", "del", name)
        run("ip", "link", "del", "br0")
        run("umount", "/run/netns")
