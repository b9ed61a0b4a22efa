"""deploy/quickstart: command line, packages, build."""

import argparse
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import cluster as clusters
import walk
from processes import Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOWEST_BASE_PORT = 9092 - 2181 + 1024  # So that ZooKeeper's port needs no privilege.
HIGHEST_BASE_PORT = 65535 - 9297 + 9092


def say(text):
    print(f"  {text}", flush=True)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="deploy/quickstart", allow_abbrev=False,
        description="Builds Regent, runs ZooKeeper and three brokers on this machine, and walks "
        "them through the eight rows of deploy/quickstart.rows.",
    )
    parser.add_argument(
        "command", nargs="*", default=["walk"], metavar="COMMAND",
        help="walk (default) | start | stop | status | broker start|stop|kill ID",
    )
    state_home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    parser.add_argument("--dir", metavar="DIR", default=f"{state_home}/regent/quickstart",
                        help="where all state is kept (default: %(default)s)")
    parser.add_argument("--base-port", type=int, metavar="N",
                        help="shifts every port by N - 9092 (defaults: clients 9092-9094, gRPC "
                        "9192-9194, metrics 9292-9294, ZooKeeper 2181)")
    parser.add_argument("--kill", action="store_true", help="stop brokers with SIGKILL")
    parser.add_argument("--stop-after", action="store_true", help="stop everything after the walk")
    parser.add_argument("--dedicated-controllers", action="store_true", default=None,
                        help="run the controllers as three processes of their own")
    parser.add_argument("--rows", metavar="FILE", type=pathlib.Path,
                        default=ROOT / "deploy" / "quickstart.rows",
                        help="the story to walk (default: deploy/quickstart.rows)")
    parser.add_argument("--wait", type=float, default=60, metavar="SECONDS",
                        help="longest wait for a row (default: %(default)g)")
    parser.add_argument("--build-dir", metavar="DIR", type=pathlib.Path,
                        help="where the programs are built (default: build/release, or where "
                        "those of the running cluster are)")
    parser.add_argument("--no-build", action="store_true",
                        help="neither install packages nor build: the programs are there")
    options = parser.parse_intermixed_args(arguments)
    verbs = {"walk": 0, "start": 0, "stop": 0, "status": 0, "broker": 2}
    verb, *rest = options.command
    if verb not in verbs or len(rest) != verbs[verb]:
        parser.error(f"'{' '.join(options.command)}' is not walk, start, stop, status or "
                     "broker start|stop|kill ID")
    if verb == "broker":
        ids = [str(broker) for broker in clusters.BROKERS]
        if rest[0] not in ("start", "stop", "kill") or rest[1] not in ids:
            parser.error(f"'broker {' '.join(rest)}' is not broker start|stop|kill with an id out "
                         f"of {', '.join(ids)}")
    if options.base_port and not LOWEST_BASE_PORT <= options.base_port <= HIGHEST_BASE_PORT:
        parser.error(f"--base-port {options.base_port} is out of range: {LOWEST_BASE_PORT} to "
                     f"{HIGHEST_BASE_PORT}, so that every port shifted with it exists")
    options.dir = pathlib.Path(options.dir).expanduser().resolve()
    if options.build_dir:
        options.build_dir = options.build_dir.resolve()
    return options


def open_state(options):
    """Makes the directory ours for this run; returns the lock, held as long as it is not closed."""
    try:
        options.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (options.dir / "log").mkdir(exist_ok=True)
        lock = open(options.dir / "lock", "w", encoding="ascii")
    except OSError as error:
        raise Failure(f"cannot keep state in {options.dir}: {error.strerror}; choose another "
                      "directory with --dir DIR") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Failure(f"another quickstart is at work in {options.dir}; wait for it, or choose "
                      "another directory with --dir DIR") from None
    return lock


def settle(options):
    """Returns the cluster of this directory. Its ports and its shape are chosen when its first
    process starts, and remembered as long as one of them runs."""
    remembered = options.dir / "settings.json"
    defaults = {"base_port": clusters.BASE_PORT, "dedicated": False,
                "build_dir": str(ROOT / "build" / "release")}
    old = {**defaults, **read_settings(remembered, defaults)}

    def make(chosen):
        return clusters.Cluster(options.dir, options.build_dir or pathlib.Path(old["build_dir"]),
                                chosen["base_port"], chosen["dedicated"])

    runs = any(process.pid() for process in make(old).processes())
    if not runs:
        old = defaults
    # These ask for no shape: they take what runs. Controllers of a cluster whose settings have been
    # lost end like the rest of it.
    if options.command[0] == "stop":
        return make({**old, "dedicated": True})
    if options.command[0] == "status":
        return make(old)
    asked = {"base_port": options.base_port, "dedicated": options.dedicated_controllers}
    new = {**old, **{key: value for key, value in asked.items() if value is not None}}
    if runs and new != old:
        raise Failure(f"the cluster in {options.dir} runs with base port {old['base_port']}"
                      f"{' and dedicated controllers' if old['dedicated'] else ''}; stop it first "
                      "(deploy/quickstart stop), or choose another directory with --dir DIR")
    options.build_dir = options.build_dir or pathlib.Path(old["build_dir"])
    new["build_dir"] = str(options.build_dir)
    remembered.write_text(json.dumps(new) + "\n")
    return make(new)


def read_settings(path, defaults):
    """Returns what of the file is known and of the right kind."""
    try:
        found = json.loads(path.read_text())
        return {key: found[key] for key, value in defaults.items()
                if type(found.get(key)) is type(value)}
    except (OSError, ValueError, AttributeError):
        return {}


def install_packages():
    print("Packages", flush=True)
    done = subprocess.run([ROOT / "deploy" / "install-packages", "--build", "--run"], check=False)
    if done.returncode != 0:
        raise Failure(f"deploy/install-packages ended with {done.returncode}; it says why above "
                      "(it needs root and a working apt, unless everything is installed)")


def build(options):
    """Builds the programs; what is up to date is not built again."""
    print("Build (release)", flush=True)
    log_path = options.dir / "log" / "build.log"
    with open(log_path, "w", encoding="utf-8") as log:
        if not (options.build_dir / "build.ninja").exists():
            say("configuring")
            run_logged(["cmake", "--preset", "release", "-B", options.build_dir], log)
        run_logged(["cmake", "--build", options.build_dir, "--target", *clusters.PROGRAMS], log)
    say("up to date")


def run_logged(command, log):
    """Runs `command` with its output in the log, and shows how far it is every few seconds."""
    shown = time.monotonic()
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as child:
        for line in child.stdout:
            log.write(line)
            progress = re.match(r"\[(\d+)/(\d+)\]", line)
            if progress and time.monotonic() - shown > 5:
                say(f"{progress[1]} of {progress[2]} steps")
                shown = time.monotonic()
    if child.returncode != 0:
        log.flush()
        tail = pathlib.Path(log.name).read_text(errors="replace").splitlines()[-15:]
        raise Failure("the build failed:\n    " + "\n    ".join(tail) +
                      f"\n  The whole log: {log.name}")


def prepare(options):
    if not options.no_build:
        install_packages()
        build(options)


def how_to_go_on(cluster, options):
    flag = "" if options.dir == parse_arguments([]).dir else f" --dir {options.dir}"
    return (
        "\nThe cluster runs. To go on:\n"
        f"  export REGENTCTL_CONTROLLER={cluster.addresses()}\n"
        f"  {cluster.regentctl} cluster status\n"
        f"  {cluster.regentctl} topic describe\n"
        f"  {cluster.regentctl} controller watch\n"
        f"  deploy/quickstart{flag} broker stop|kill|start ID\n"
        f"  deploy/quickstart{flag} stop\n"
        f"State and logs: {options.dir}\n"
        f"For Kafka clients: {cluster.client_addresses()}"
    )


def do_walk(cluster, options):
    story = walk.Story(options.rows)  # First: a bad file should not cost a build.
    prepare(options)
    print("Cluster", flush=True)
    try:
        cluster.start_base(say)
        steps = walk.Walk(cluster, story, walk.stop_signal(options.kill), options.wait, say)
        differs = steps.run()
        if differs:
            raise Failure(differs)
    except Failure:
        print_logs(cluster)
        raise
    finally:
        if options.stop_after:
            print("\nStop", flush=True)
            cluster.stop(say)
    print(f"\nAll {len(story.rows)} rows are as expected.")
    if not options.stop_after:
        print(how_to_go_on(cluster, options))


def do_start(cluster, options):
    prepare(options)
    print("Cluster", flush=True)
    cluster.start(say)
    print(how_to_go_on(cluster, options))


def do_status(cluster):
    """Prints what runs; returns whether all of it does."""
    for process in cluster.processes():
        ports = ", ".join(f"{purpose} {port}" for purpose, port in process.ports.items())
        pid = process.pid()
        say(f"{process.name:15} {'pid ' + str(pid) if pid else 'stopped':12} {ports}")
    return all(process.pid() for process in cluster.processes())


def do_broker(cluster, verb, broker, options):
    if verb == "start":
        cluster.start_broker(broker, say)
        return True
    return cluster.stop_broker(broker, walk.stop_signal(options.kill or verb == "kill"), say)


def print_logs(cluster):
    print("\nLogs:")
    for process in cluster.processes():
        print(f"  {process.log}")


def run(arguments):
    options = parse_arguments(arguments)
    lock = open_state(options)
    verb, *rest = options.command
    cluster = settle(options)
    try:
        if verb == "walk":
            do_walk(cluster, options)
        elif verb == "start":
            do_start(cluster, options)
        elif verb == "stop":
            cluster.stop(say)
            say("nothing of this cluster runs any more")
        elif verb == "status":
            return 0 if do_status(cluster) else 1
        else:
            return 0 if do_broker(cluster, rest[0], int(rest[1]), options) else 1
    finally:
        lock.close()
    return 0


def main():
    sys.stdout.reconfigure(line_buffering=True)
    try:
        return run(sys.argv[1:])
    except Failure as failure:
        print(f"quickstart: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("quickstart: interrupted; what was started runs on (deploy/quickstart stop ends it)",
              file=sys.stderr)
        return 130


sys.exit(main())
