#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <glog/logging.h>

#include "broker-agent/io/broker_flags.h"
#include "cli/arguments.h"
#include "cli/regentctl.h"
#include "common/model/topic_settings.h"
#include "controller/io/controller_flags.h"
#include "controller/io/listen_flag.h"
#include "tests/fuzz/target.h"

// Command lines of the three programs, their flags and small languages: understood, or refused with
// a message.

namespace regent::fuzz {
namespace {

template <class T>
void Expect(const Result<T>& result) {
  CHECK(result.ok() || !result.error().message.empty());
}

void TryFlag(uint8_t kind, const std::string& text, BrokerFlags& flags) {
  switch (kind % 13) {
    case 0: flags.zookeeper.hosts = text; break;
    case 1: flags.zookeeper.root = text; break;
    case 2: flags.zookeeper.auth = text; break;
    case 3: flags.data_dir = text; break;
    case 4: flags.listen = text; break;
    case 5: flags.advertise = text; break;
    case 6: flags.metrics_listen = text; break;
    case 7: flags.flush = text; break;
    case 8: Expect(cli::ParseAddresses(text)); break;
    case 9: Expect(cli::ParseTimeout(text)); break;
    case 10: Expect(cli::ParseAssignment(text)); break;
    case 11: Expect(cli::ParsePartition(text)); break;
    default: Expect(controller::ParseRegentListener("--listen", text)); break;
  }
}

void TrySettings(const std::vector<std::string>& pairs) {
  const auto configs = cli::ParseConfigs(pairs);
  Expect(configs);
  if (!configs.ok()) {
    return;
  }
  for (const auto& [name, value] : *configs) {
    Expect(CheckTopicSetting(name, value));
  }
  static_cast<void>(SettingsOf(*configs));
}

/// As the two servers read their command lines.
template <class Flags>
void TryServer(const std::vector<std::string>& arguments, Flags flags) {
  CLI::App app("", "server");
  DefineFlags(app, flags);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    CHECK(error.what() != std::string());
    return;
  }
  Expect(Understand(flags));
}

std::string Arguments(const std::vector<std::string>& arguments) {
  std::string input;
  for (const std::string& argument : arguments) {
    input += Framed(20, argument);
  }
  return input;
}

}  // namespace

void Try(std::string_view input) {
  BrokerFlags flags{.id = 1, .zookeeper = {.hosts = "127.0.0.1:2181"}, .data_dir = "/d"};
  std::vector<std::string> words;  // Settings, or a command line.
  Messages messages(input);
  while (const auto message = messages.Next()) {
    TryFlag(message->kind, std::string(message->bytes), flags);
    words.emplace_back(message->bytes);
  }
  Expect(Understand(flags));
  TrySettings(words);
  TryServer(words, BrokerFlags());
  TryServer(words, controller::ControllerFlags());
  Expect(cli::CheckArguments(words));
}

std::vector<std::string> Seeds() {
  return {
      Framed(0, "127.0.0.1:2181,[::1]:2182,zk3:2183") + Framed(1, "/regent-a") +
          Framed(2, "digest:user:secret"),
      Framed(3, "/var/lib/regent") + Framed(4, "PLAINTEXT://0.0.0.0:9092,REGENT://[::]:9192") +
          Framed(5, "PLAINTEXT://h:9092,REGENT://h:9192") + Framed(6, "127.0.0.1:0"),
      Framed(7, "batch"),
      Framed(8, "a:1,[::1]:2") + Framed(9, "500ms") + Framed(10, "1:0:2,2:1:0") +
          Framed(11, "orders:7") + Framed(12, "REGENT://h:1"),
      Framed(20, "retention.ms=86400000") + Framed(20, "min.insync.replicas=2") +
          Framed(20, "cleanup.policy=delete"),
      Arguments({"--id", "1", "--zookeeper=zk:2181", "--data-dir", "/d", "--controller-eligible",
                 "false", "--shards=2", "--adopt"}),
      Arguments({"--id=100", "--zookeeper", "zk:2181", "--listen", "REGENT://h:9192", "--data-dir",
                 "/d", "--default-min-insync-replicas=2"}),
      Arguments({"topic", "create", "t", "--replica-assignment", "1:0:2,2:1:0", "--config", "a=b",
                 "-ojson", "--controller", "h:1", "--timeout", "500ms"}),
      Arguments({"leader", "elect", "--preferred", "--partition", "t:0", "--dry-run"}),
      Arguments({"partition", "describe", "t", "0", "--no-headers"}),
  };
}

}  // namespace regent::fuzz
