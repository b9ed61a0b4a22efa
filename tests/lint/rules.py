"""The rules that a compiler does not check: who includes whom (architecture, section 5), and what
no file may carry. Each rule takes a file's path from the root and its text and yields
(line number, message)."""

import re
from pathlib import PurePosixPath

# --- Layers ---

COMMON = ["common/base", "common/model", "common/rpc", "common/runtime", "common/wire", "common/zk"]

# A module may include itself and what stands here; nothing else of ours. The longest prefix counts.
LAYERS = {
    "common/base": [],
    "common/model": ["common/base"],
    "common/rpc": ["common/base", "common/runtime"],
    "common/runtime": ["common/base"],
    "common/wire": ["common/base", "common/model", "proto"],
    "common/zk": ["common/base", "common/runtime"],
    "controller/core": ["common/base", "common/model"],
    "controller/io": COMMON + ["proto", "controller/core"],
    "broker-agent/core": ["common/base", "common/model"],
    "broker-agent/log": ["common/base", "common/model", "broker-agent/core"],
    "broker-agent/kafka": ["common/base", "common/model", "broker-agent/core", "broker-agent/log"],
    "broker-agent/io": COMMON
    + ["proto", "broker-agent/core", "broker-agent/kafka", "broker-agent/log"],
    # The broker's main runs a candidate.
    "broker-agent/io/main.cc": COMMON + ["proto", "broker-agent/io", "controller/io", "controller/core"],
    "cli": ["common/base", "common/model", "common/runtime", "common/wire", "proto"],
    "tests": None,  # everything
}

CORES = ("controller/core/", "broker-agent/core/")

# The C client's calls stand in one file.
ZOOKEEPER_FILE = "common/zk/handle.cc"

# <header> -> who may include it.
FENCED_HEADERS = [
    (r"zookeeper/", lambda path: path == ZOOKEEPER_FILE, f"only {ZOOKEEPER_FILE} sees the C client"),
    (r"nlohmann/", lambda path: path.startswith(("common/wire/", "cli/", "tests/")),
     "JSON is common/wire's business"),
    (r"grpcpp/", lambda path: not path.startswith(CORES + ("common/base/", "common/model/", "common/zk/",
                                                           "common/runtime/", "broker-agent/log/")),
     "gRPC is spoken in io, rpc, wire, cli and tests"),
    # A core has no clock, thread, socket, file, random number or unordered container.
    (r"(thread|mutex|shared_mutex|condition_variable|atomic|future|stop_token|random|unordered_map|"
     r"unordered_set|fstream|filesystem|iostream|cstdio|ctime)$|(sys|arpa|netinet)/|unistd\.h|fcntl\.h|"
     r"grpc|prometheus",
     lambda path: not path.startswith(CORES),
     "a core has no clock, thread, socket, file, random number or unordered container"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
GENERATED = re.compile(r"\.pb\.h$")
OURS = ("common/", "controller/", "broker-agent/", "cli/", "tests/")


def is_cpp(path):
    return path.endswith((".h", ".cc"))


def module_of(path):
    """The longest entry of LAYERS that `path` lies in; None if there is none."""
    matches = [m for m in LAYERS if path == m or path.startswith(m + "/")]
    return max(matches, key=len, default=None)


def layers(path, text):
    if not is_cpp(path):
        return
    if re.fullmatch(r"common/[^/]+", path):
        yield 1, "nothing lies directly in common/: it has modules"
    module = module_of(path)
    if module is None:
        if path.startswith(OURS):
            yield 1, "this directory is in no layer: tests/lint/rules.py lists them"
        return
    allowed = LAYERS[module]
    own = str(PurePosixPath(path).parent) if module == path else module
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match[2]
        for pattern, may, why in FENCED_HEADERS:
            if match[1] == "<" and re.match(pattern, header) and not may(path):
                yield number, f"<{header}>: {why}"
        if allowed is None:
            continue
        if GENERATED.search(header):
            if "proto" not in allowed:
                yield number, f"{header}: only wire, io, cli and tests see generated code"
        elif header.startswith(OURS):
            target = module_of(header)
            if target != own and target not in allowed:
                yield number, f"{own} must not include {target or header} ({header})"


NOW = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock)::now\b|\b(rand|random|time)\s*\(\s*"
                 r"(NULL|nullptr|0)?\s*\)|\bstd::unordered_|\bstd::(this_)?thread\b")


def pure_cores(path, text):
    if not (is_cpp(path) and path.startswith(CORES)):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if NOW.search(line.split("//")[0]):
            yield number, "a core is told the time, and has no threads, random numbers, unordered walks"


# --- What no file carries ---

# Written so that they do not match themselves.
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.-])/(?:wo[r]k|fa[r]m|home/[a-z]+|Use[r]s/[A-Za-z]+)/|bash_job[s]")
REGISTRY = re.compile(r"https?://[^ /\"']*(?:debian|maven|pypi|npmjs|golang|crates)[^ /\"']*\.(?:org|io|com)")
SLEEP = re.compile(r"\bsleep_(?:for|until)\b|\b(?:u|nano)sleep\b|\btime\.sleep\b|^\s*sleep\s+[0-9.$]")


def machine_paths(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield number, "a path of one machine"


def registry_hosts(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if REGISTRY.search(line):
            yield number, "the host of a package registry: whoever builds has one configured"


def sleeps(path, text):
    """Tests wait for a condition, with a bound. The step of such a wait says that it is one, on its
    line or the one above: "polling step"."""
    if not path.startswith("tests/") or path.endswith(".md"):
        return
    above = ""
    for number, line in enumerate(text.splitlines(), 1):
        if SLEEP.search(line) and "polling step" not in line + above:
            yield number, 'a sleep in a test: wait for a condition (a "polling step" of it says so)'
        above = line


EMPTY_NAMES = {"util", "utils", "helper", "helpers", "types", "misc"}


def names(path, text):
    if not is_cpp(path):
        return
    parts = PurePosixPath(path)
    for part in [*parts.parts[:-1], parts.stem]:
        if part in EMPTY_NAMES:
            yield 1, f'"{part}" is no name: it says nothing about what is inside'


def include_guards(path, text):
    if path.endswith(".h") and "\n#pragma once\n" not in "\n" + text:
        yield 1, "a header begins with #pragma once"


RULES = {
    "layers": layers,
    "pure_cores": pure_cores,
    "machine_paths": machine_paths,
    "registry_hosts": registry_hosts,
    "sleeps": sleeps,
    "names": names,
    "include_guards": include_guards,
}
