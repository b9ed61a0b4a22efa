#!/usr/bin/env python3
"""Plants a violation of every rule and expects it to be caught, and the like that is allowed not."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import rules  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def caught(rule, path, text):
    return [message for _, message in rules.RULES[rule](path, text)]


class Layers(unittest.TestCase):
    def assert_caught(self, path, line, part=""):
        messages = caught("layers", path, f"#pragma once\n{line}\n")
        self.assertTrue(any(part in message for message in messages), f"{path}: {line}: {messages}")

    def assert_allowed(self, path, line):
        self.assertEqual(caught("layers", path, f"#pragma once\n{line}\n"), [], f"{path}: {line}")

    def test_dependencies_point_one_way(self):
        for path, header in [
            ("common/base/x.h", "common/model/ids.h"),
            ("common/model/x.h", "common/wire/convert.h"),
            ("common/zk/x.cc", "common/wire/znode_json.h"),
            ("common/zk/x.cc", "common/model/ids.h"),
            ("common/runtime/x.cc", "common/zk/client.h"),
            ("common/wire/x.cc", "controller/core/elect.h"),
            ("controller/core/x.cc", "controller/io/office.h"),
            ("controller/core/x.cc", "common/zk/client.h"),
            ("controller/core/x.cc", "common/runtime/loop.h"),
            ("broker-agent/core/x.cc", "broker-agent/log/journal.h"),
            ("broker-agent/log/x.cc", "broker-agent/io/runner.h"),
            ("cli/x.cc", "controller/core/admin.h"),
            ("controller/io/x.cc", "tests/support/server.h"),
        ]:
            self.assert_caught(path, f'#include "{header}"', "must not include")

    def test_controller_and_agent_do_not_know_each_other_but_for_the_brokers_main(self):
        self.assert_caught("controller/io/x.cc", '#include "broker-agent/core/agent.h"')
        self.assert_caught("broker-agent/io/x.cc", '#include "controller/io/candidate_host.h"')
        self.assert_caught("broker-agent/core/x.cc", '#include "controller/core/elect.h"')
        self.assert_allowed("broker-agent/io/main.cc", '#include "controller/io/candidate_host.h"')
        self.assert_allowed("broker-agent/io/main.cc", '#include "broker-agent/io/agent_host.h"')

    def test_generated_code_is_seen_in_wire_io_cli_and_tests_only(self):
        include = '#include "regent/v1/types.pb.h"'
        for path in ["controller/core/x.cc", "broker-agent/core/x.h", "common/model/x.h", "common/zk/x.cc",
                     "broker-agent/log/x.cc", "common/runtime/x.cc"]:
            self.assert_caught(path, include, "generated code")
            self.assert_caught(path, "#include <regent/v1/types.pb.h>", "generated code")
        for path in ["common/wire/x.h", "controller/io/x.cc", "broker-agent/io/x.cc", "cli/x.cc",
                     "tests/unit/wire/x.cc"]:
            self.assert_allowed(path, include)

    def test_one_file_sees_the_c_client_of_zookeeper(self):
        include = "#include <zookeeper/zookeeper.h>"
        self.assert_allowed(rules.ZOOKEEPER_FILE, include)
        for path in ["common/zk/other.cc", "common/zk/handle.h", "tests/unit/zk/x.cc", "controller/io/x.cc"]:
            self.assert_caught(path, include, "C client")
        self.assertTrue((ROOT / rules.ZOOKEEPER_FILE).exists(), "rules.py names a file that is gone")

    def test_json_stays_in_wire(self):
        self.assert_caught("controller/io/x.h", "#include <nlohmann/json.hpp>")
        self.assert_allowed("common/wire/x.cc", "#include <nlohmann/json.hpp>")

    def test_grpc_stays_out_of_what_the_thread_sanitizer_sees(self):
        self.assert_caught("common/zk/x.cc", "#include <grpcpp/grpcpp.h>")
        self.assert_caught("controller/core/x.cc", "#include <grpcpp/grpcpp.h>")
        self.assert_allowed("broker-agent/io/x.cc", "#include <grpcpp/grpcpp.h>")

    def test_nothing_lies_directly_in_common(self):
        self.assert_caught("common/x.h", "", "directly in common/")

    def test_a_new_directory_must_take_its_place(self):
        self.assert_caught("broker-agent/magic/x.h", "", "in no layer")
        self.assert_caught("common/strings/x.h", "", "in no layer")

    def test_what_is_allowed_passes(self):
        self.assert_allowed("controller/io/x.cc", '#include "controller/core/elect.h"')
        self.assert_allowed("controller/core/x.cc", '#include "common/model/ids.h"')
        self.assert_allowed("broker-agent/io/x.cc", '#include "broker-agent/log/journal.h"')
        self.assert_allowed("tests/simulation/x.cc", '#include "broker-agent/core/agent.h"')


class PureCores(unittest.TestCase):
    def test_a_core_has_no_clock_thread_socket_file_random_number_or_unordered_container(self):
        for header in ["thread", "mutex", "atomic", "random", "unordered_map", "fstream", "sys/socket.h",
                       "unistd.h", "condition_variable"]:
            for path in ["controller/core/x.cc", "broker-agent/core/x.h"]:
                self.assertTrue(caught("layers", path, f"#include <{header}>\n"), header)
                self.assertFalse(caught("layers", "controller/io/x.cc", f"#include <{header}>\n"), header)
        for line in ["auto now = std::chrono::steady_clock::now();", "int x = rand();", "time(nullptr);",
                     "std::unordered_map<int, int> m;", "std::thread t;"]:
            self.assertTrue(caught("pure_cores", "controller/core/x.cc", line), line)
            self.assertFalse(caught("pure_cores", "controller/io/x.cc", line), line)
        self.assertFalse(caught("pure_cores", "controller/core/x.cc", "int x;  // not a std::thread"))


class Hygiene(unittest.TestCase):
    def test_no_file_carries_a_path_of_one_machine(self):
        for path in ["/" + "work/main/x", "cd /" + "work/shared", "'/" + "home/joe/x'", "/tmp/bash_" + "jobs.0"]:
            self.assertTrue(caught("machine_paths", "docs/x.md", f"see {path}\n"), path)
        for text in ["the work/life balance", "build/network/x", "a/work/of art"]:
            self.assertFalse(caught("machine_paths", "docs/x.md", text), text)

    def test_no_file_carries_a_registry_host(self):
        for host in ["deb." + "debian.org/debian", "repo1." + "maven.org/maven2", "pypi." + "org/simple"]:
            self.assertTrue(caught("registry_hosts", "deploy/x", f"get https://{host}/x"), host)
        self.assertFalse(caught("registry_hosts", "docs/x.md", "https://kafka.apache.org/documentation"))

    def test_no_test_sleeps(self):
        for line in ["std::this_thread::sl" + "eep_for(1s);", "u" + "sleep(10);", "time.s" + "leep(1)",
                     "  sle" + "ep 5"]:
            self.assertTrue(caught("sleeps", "tests/unit/x.cc", line), line)
            self.assertFalse(caught("sleeps", "cli/x.cc", line), line)
            self.assertFalse(caught("sleeps", "tests/x.py", f"{line}  # polling step"), line)
            self.assertFalse(caught("sleeps", "tests/x.cc", f"// The polling step.\n{line}"), line)

    def test_names_say_something(self):
        for path in ["common/util/x.h", "controller/core/helpers.cc", "cli/misc.h"]:
            self.assertTrue(caught("names", path, ""), path)
        self.assertFalse(caught("names", "common/base/result.h", ""))

    def test_headers_have_a_guard(self):
        self.assertTrue(caught("include_guards", "cli/x.h", "int x;\n"))
        self.assertFalse(caught("include_guards", "cli/x.h", "#pragma once\nint x;\n"))


class Programs(unittest.TestCase):
    """The programs find in real files what they are there to find."""

    def run_in_copy(self, files, *command):
        """Runs a program of this directory in a repository of its own that holds `files`."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            for path in [".clang-format", ".clang-tidy"]:
                (root / path).write_text((ROOT / path).read_text())
            (root / "tests/lint").mkdir(parents=True)
            for program in ["check", "format", "tidy", "rules.py"]:
                (root / "tests/lint" / program).write_text((HERE / program).read_text())
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text.replace("ROOT", name))
            git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", name]
            subprocess.run([*git, "init", "-q"], check=True)
            subprocess.run([*git, "add", "-A"], check=True)
            subprocess.run([*git, "commit", "-qm", "x"], check=True)
            interpreter = "python3" if command[0] == "check" else "bash"
            done = subprocess.run([interpreter, root / "tests/lint" / command[0], *command[1:]],
                                  cwd=name, capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr

    def test_check_names_file_line_and_rule(self):
        code, output = self.run_in_copy(
            {"common/base/x.h": '#pragma once\n\n#include "common/model/ids.h"\n'}, "check")
        self.assertEqual(code, 1, output)
        self.assertIn("common/base/x.h:3:", output)
        self.assertIn("[layers]", output)
        code, output = self.run_in_copy({"common/base/x.h": "#pragma once\n"}, "check")
        self.assertEqual(code, 0, output)

    def test_format_finds_a_line_that_is_not_formatted(self):
        code, output = self.run_in_copy({"x.cc": "int  main( ) {return 0;}\n"}, "format")
        self.assertEqual(code, 1, output)
        self.assertIn("x.cc:1:", output)
        code, output = self.run_in_copy({"x.cc": "int main() { return 0; }\n"}, "format")
        self.assertEqual(code, 1, output)  # short functions stay on one line only inside classes
        code, output = self.run_in_copy({"x.cc": "int main() {\n  return 0;\n}\n"}, "format")
        self.assertEqual(code, 0, output)

    def test_tidy_finds_a_badly_named_constant(self):
        commands = ('[{"directory": "ROOT", "file": "ROOT/x.cc", '
                    '"command": "c++ -std=c++20 -c ROOT/x.cc"}]')
        bad = "enum class Role { leader, follower };\nRole role = Role::leader;\n"
        good = "enum class Role { kLeader, kFollower };\nRole role = Role::kLeader;\n"
        code, output = self.run_in_copy(
            {"x.cc": bad, "b/compile_commands.json": commands}, "tidy", "--all", "--build", "b")
        self.assertEqual(code, 1, output)
        self.assertIn("invalid case style for enum constant 'leader'", output)
        code, output = self.run_in_copy(
            {"x.cc": good, "b/compile_commands.json": commands}, "tidy", "--all", "--build", "b")
        self.assertEqual(code, 0, output)
        self.assertIn("1 of 1 files checked", output)

    def test_tidy_checks_each_source_of_those_that_are_compiled_as_one(self):
        files = {
            "x.cc": "using Count = int;\n",
            "y.cc": "Count count = 0;\n",
            "b/Unity/one.cxx": '#include "ROOT/x.cc"\n#include "ROOT/y.cc"\n',
            "b/compile_commands.json": '[{"directory": "ROOT", "file": "ROOT/b/Unity/one.cxx", '
                                       '"command": "c++ -std=c++20 -c ROOT/b/Unity/one.cxx"}]'}
        code, output = self.run_in_copy(files, "tidy", "--all", "--build", "b")
        self.assertEqual(code, 1, output)
        self.assertIn("y.cc:1:1: error: unknown type name 'Count'", output)
        self.assertIn("2 of 2 files checked, 1 with findings", output)

    def test_tidy_checks_a_source_without_what_is_precompiled_for_it(self):
        for option in ("-include ROOT/b/cmake_pch.hxx",
                       "-Xclang -include -Xclang ROOT/b/cmake_pch.hxx",
                       "-Xclang -include-pch -Xclang ROOT/b/cmake_pch.hxx.pch"):
            with self.subTest(option):
                code, output = self.run_in_copy({
                    "x.cc": "Count count = 0;\n",
                    "b/cmake_pch.hxx": "using Count = int;\n",
                    "b/compile_commands.json": '[{"directory": "ROOT", "file": "ROOT/x.cc", "command": '
                                               f'"c++ -std=c++20 {option} -c ROOT/x.cc"}}]'},
                    "tidy", "--all", "--build", "b")
                self.assertEqual(code, 1, output)
                self.assertIn("x.cc:1:1: error: unknown type name 'Count'", output)


class Counts(unittest.TestCase):
    """What tests/run says at its end."""

    def count(self, cases, programs):
        """`cases`: the status of each test of ctest's; `programs`: its tests, failures and skipped ones."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            statuses = list(cases.values())
            skips = statuses.count("notrun")
            (root / "junit.xml").write_text(
                f'<testsuite tests="{len(cases)}" failures="{statuses.count("fail")}" skipped="{skips}">'
                + "".join(f'<testcase name="{case}" status="{status}">'
                          + "<skipped/>" * (status == "notrun") + "</testcase>"
                          for case, status in cases.items()) + "</testsuite>")
            for program, (tests, failures, skipped) in programs.items():
                (root / f"{program}.xml").write_text(
                    f'<testsuites tests="{tests}" failures="{failures}" errors="0"><testsuite>'
                    + "<testcase><skipped/></testcase>" * skipped + "</testsuite></testsuites>")
            done = subprocess.run([ROOT / "tests/count-results", root / "junit.xml", root],
                                  check=True, capture_output=True, text=True)
            return tuple(map(int, done.stdout.split()))

    def test_tests_of_ctest_count_as_they_are(self):
        self.assertEqual(self.count({"a": "run", "b": "fail", "c": "notrun"}, {}), (1, 1, 1))

    def test_of_a_program_its_tests_count(self):
        self.assertEqual(self.count({"a": "run", "p": "run"}, {"p": (10, 0, 2)}), (9, 0, 2))
        self.assertEqual(self.count({"a": "run", "p": "fail"}, {"p": (10, 3, 0)}), (8, 3, 0))

    def test_a_program_that_fails_without_a_failed_test_is_a_failure(self):
        self.assertEqual(self.count({"p": "fail"}, {"p": (10, 0, 0)}), (10, 1, 0))

    def test_a_program_that_died_is_a_failure(self):
        self.assertEqual(self.count({"a": "run", "p": "fail"}, {}), (1, 1, 0))


if __name__ == "__main__":
    unittest.main()
