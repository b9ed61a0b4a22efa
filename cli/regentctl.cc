#include "cli/regentctl.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/console.h"

namespace regent::cli {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 ok, 1 some items failed, 2 usage, 3 not found, 4 unhealthy, 5 no controller\n"
    "reachable, 6 refused, 7 timed out or outcome unknown. Data goes to stdout, talk to stderr.";

/// Runs a parsed command; returns its exit code.
using Command = std::function<ExitCode(Client&, const Console&)>;
/// Reads a command's flags into a Command, or says what is wrong with them.
using Reader = std::function<Result<Command>()>;

/// What the flags in front of every command say.
struct Globals {
  std::string controllers = "127.0.0.1:9192";
  std::string timeout = "10s";
  std::string format = "table";
  bool no_headers = false;
};

Error Usage(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

/// The tree of commands. Each leaf sets `chosen` to what reads its flags; the objects that flags
/// are parsed into live as long as the closures do.
class CommandTree {
 public:
  CommandTree();

  CLI::App& app() { return app_; }
  const Globals& globals() const { return globals_; }
  Result<Command> Read() const { return chosen_(); }

 private:
  void AddCluster();
  void AddController();
  void AddBroker();
  void AddTopic();
  void AddTopicCreate(CLI::App& topic);
  void AddTopicDelete(CLI::App& topic);
  void AddTopicExtend(CLI::App& topic);
  void AddTopicConfig(CLI::App& topic);
  void AddPartition();
  void AddLeader();
  CLI::App& AddNoun(const char* name, const char* description);
  CLI::App& AddVerb(CLI::App& noun, const char* name, const char* description, Reader reader);

  CLI::App app_{"Looks after a Regent cluster.", "regentctl"};
  Globals globals_;
  Reader chosen_;
};

struct FilterFlags {
  bool under_replicated = false;
  bool under_min_isr = false;
  bool unavailable = false;

  void AddTo(CLI::App& verb) {
    auto* const replicated = verb.add_flag("--under-replicated", under_replicated,
                                           "Only where a replica is out of the ISR");
    auto* const min_isr = verb.add_flag("--under-min-isr", under_min_isr,
                                        "Only where the ISR is below min.insync.replicas");
    auto* const no_leader =
        verb.add_flag("--unavailable", unavailable, "Only where there is no leader");
    replicated->excludes(min_isr)->excludes(no_leader);
    min_isr->excludes(no_leader);
  }
  TopicFilter Chosen() const {
    return under_replicated ? TopicFilter::kUnderReplicated
           : under_min_isr  ? TopicFilter::kUnderMinIsr
           : unavailable    ? TopicFilter::kUnavailable
                            : TopicFilter::kAll;
  }
};

CommandTree::CommandTree() {
  app_.footer(kFooter);
  app_.require_subcommand(1);
  app_.fallthrough();
  app_.set_version_flag("--version", "regentctl " REGENT_VERSION);
  app_.add_option("--controller", globals_.controllers,
                  "gRPC address host:port of any broker or controller, or several with commas")
      ->envname("REGENTCTL_CONTROLLER")
      ->take_last()
      ->capture_default_str();
  app_.add_option("--timeout", globals_.timeout,
                  "Longest wait for an answer, the search for the controller included")
      ->take_last()
      ->capture_default_str();
  app_.add_option("-o,--output", globals_.format, "table or json")
      ->take_last()
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app_.add_flag("--no-headers", globals_.no_headers, "Tables without headings, for scripts");
  AddCluster();
  AddController();
  AddBroker();
  AddTopic();
  AddPartition();
  AddLeader();
}

CLI::App& CommandTree::AddNoun(const char* name, const char* description) {
  CLI::App& noun = *app_.add_subcommand(name, description);
  noun.require_subcommand(1);
  return noun;
}

CLI::App& CommandTree::AddVerb(CLI::App& noun,
                               const char* name,
                               const char* description,
                               Reader reader) {
  CLI::App& verb = *noun.add_subcommand(name, description);
  verb.callback([this, reader = std::move(reader)] { chosen_ = reader; });
  return verb;
}

void CommandTree::AddCluster() {
  CLI::App& cluster = AddNoun("cluster", "The cluster as a whole");
  AddVerb(cluster, "status", "Counts, problems and a verdict; exits with 4 when unhealthy",
          [] { return Result<Command>(ClusterStatus); });
}

void CommandTree::AddController() {
  CLI::App& controller = AddNoun("controller", "Who holds the office");
  AddVerb(controller, "status", "The active controller and its epoch",
          [] { return Result<Command>(ControllerStatus); });
  const auto count = std::make_shared<int32_t>(0);
  CLI::App& watch = AddVerb(
      controller, "watch", "Prints every change of controller and epoch as it happens", [count] {
        return Result<Command>([count](Client& client, const Console& console) {
          return ControllerWatch(client, console, *count);
        });
      });
  watch.add_option("--count", *count, "End after so many lines (default: never)")
      ->check(CLI::NonNegativeNumber);
}

void CommandTree::AddBroker() {
  CLI::App& broker = AddNoun("broker", "The brokers");
  AddVerb(broker, "list", "Registered brokers, their state and their share",
          [] { return Result<Command>(BrokerListing); });
}

void CommandTree::AddTopicCreate(CLI::App& topic) {
  struct Flags {
    CreateTopicOptions topic;
    std::string assignment;
    std::vector<std::string> configs;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& create = AddVerb(topic, "create", "Creates a topic", [flags]() -> Result<Command> {
    CreateTopicOptions options = flags->topic;
    if (!flags->assignment.empty()) {
      Result<std::vector<std::vector<int32_t>>> assignment = ParseAssignment(flags->assignment);
      if (!assignment.ok()) {
        return assignment.error();
      }
      options.assignment = *std::move(assignment);
    } else if (!options.partitions || !options.replication_factor) {
      return Usage(
          "topic create needs --partitions and --replication-factor, or --replica-assignment");
    }
    Result<std::map<std::string, std::string>> configs = ParseConfigs(flags->configs);
    if (!configs.ok()) {
      return configs.error();
    }
    options.configs = *std::move(configs);
    return Command([options](Client& client, const Console& console) {
      return TopicCreate(client, console, options);
    });
  });
  create.add_option("name", flags->topic.name, "Name of the topic")->required();
  auto* const partitions =
      create.add_option("--partitions", flags->topic.partitions, "Number of partitions");
  auto* const factor = create.add_option("--replication-factor", flags->topic.replication_factor,
                                         "Replicas of each partition");
  create
      .add_option("--replica-assignment", flags->assignment,
                  "Broker ids by hand, preferred leader first: 1:0:2,2:1:0,0:2:1")
      ->excludes(partitions)
      ->excludes(factor);
  create
      .add_option("--config", flags->configs,
                  "key=value, may be repeated, e.g. min.insync.replicas=2")
      ->allow_extra_args(false);
  create.add_flag("--validate-only", flags->topic.validate_only,
                  "Check and place everything, write nothing");
}

void CommandTree::AddTopicDelete(CLI::App& topic) {
  struct Flags {
    std::string name;
    std::string id;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& remove = AddVerb(
      topic, "delete", "Deletes a topic with all its records", [flags]() -> Result<Command> {
        if (flags->name.empty() == flags->id.empty()) {
          return Usage("topic delete needs a name or --id");
        }
        return Command([flags](Client& client, const Console& console) {
          return TopicDelete(client, console, flags->name + flags->id, !flags->id.empty());
        });
      });
  remove.add_option("name", flags->name, "Name of the topic");
  remove.add_option("--id", flags->id, "Id of the topic, instead of its name");
}

void CommandTree::AddTopicExtend(CLI::App& topic) {
  struct Flags {
    ExtendTopicOptions topic;
    std::string assignment;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& extend =
      AddVerb(topic, "extend", "Adds partitions to a topic", [flags]() -> Result<Command> {
        ExtendTopicOptions options = flags->topic;
        if (!flags->assignment.empty()) {
          Result<std::vector<std::vector<int32_t>>> assignment = ParseAssignment(flags->assignment);
          if (!assignment.ok()) {
            return assignment.error();
          }
          options.assignment = *std::move(assignment);
        }
        return Command([options](Client& client, const Console& console) {
          return TopicExtend(client, console, options);
        });
      });
  extend.add_option("name", flags->topic.name, "Name of the topic")->required();
  extend
      .add_option("--partitions", flags->topic.partitions,
                  "How many it is to have in total, more than it has")
      ->required()
      ->check(CLI::PositiveNumber);
  extend.add_option("--replica-assignment", flags->assignment,
                    "Brokers of the new partitions by hand, preferred leader first: 1:0:2,2:1:0");
  extend.add_flag("--validate-only", flags->topic.validate_only,
                  "Check and place everything, write nothing");
}

void CommandTree::AddTopicConfig(CLI::App& topic) {
  struct Flags {
    TopicConfigOptions config;
    std::vector<std::string> set;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& config =
      AddVerb(topic, "config", "Shows the settings of a topic, or changes them",
              [flags]() -> Result<Command> {
                TopicConfigOptions options = flags->config;
                Result<std::map<std::string, std::string>> set = ParseConfigs(flags->set);
                if (!set.ok()) {
                  return set.error();
                }
                options.set = *std::move(set);
                if (options.validate_only && options.set.empty() && options.reset.empty()) {
                  return Usage("topic config --validate-only needs --set or --reset");
                }
                return Command([options](Client& client, const Console& console) {
                  return TopicConfig(client, console, options);
                });
              });
  config.add_option("name", flags->config.name, "Name of the topic")->required();
  config.add_option("--set", flags->set, "key=value, may be repeated, e.g. retention.ms=3600000")
      ->allow_extra_args(false);
  config
      .add_option("--reset", flags->config.reset, "Key to give back its default, may be repeated")
      ->allow_extra_args(false);
  config.add_flag("--validate-only", flags->config.validate_only,
                  "Check everything, write nothing");
}

void CommandTree::AddTopic() {
  CLI::App& topic = AddNoun("topic", "Topics and their partitions");
  AddTopicCreate(topic);
  AddTopicDelete(topic);
  AddTopicExtend(topic);
  AddTopicConfig(topic);

  const auto list_filter = std::make_shared<FilterFlags>();
  list_filter->AddTo(AddVerb(topic, "list", "Topics, a line each", [list_filter] {
    return Result<Command>([list_filter](Client& client, const Console& console) {
      return TopicListing(client, console, list_filter->Chosen());
    });
  }));

  const auto names = std::make_shared<std::vector<std::string>>();
  const auto filter = std::make_shared<FilterFlags>();
  CLI::App& describe =
      AddVerb(topic, "describe", "Leader, replicas and ISR of every partition", [names, filter] {
        return Result<Command>([names, filter](Client& client, const Console& console) {
          return TopicDescribe(client, console, *names, filter->Chosen());
        });
      });
  describe.add_option("name", *names, "Names of topics (default: all)");
  filter->AddTo(describe);
}

void CommandTree::AddPartition() {
  struct Flags {
    std::string topic;
    std::string index;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& partition = AddNoun("partition", "One partition");
  CLI::App& describe =
      AddVerb(partition, "describe", "Everything the controller knows about one partition",
              [flags]() -> Result<Command> {
                const Result<int32_t> index = ParseNumber(flags->index, "partition");
                if (!index.ok()) {
                  return index.error();
                }
                return Command([topic = flags->topic, number = *index](Client& client,
                                                                       const Console& console) {
                  return PartitionDescribe(client, console, topic, number);
                });
              });
  describe.add_option("topic", flags->topic, "Name of the topic")->required();
  describe.add_option("partition", flags->index, "Number of the partition")->required();
}

void CommandTree::AddLeader() {
  struct Flags {
    ElectLeadersOptions elect;
    std::vector<std::string> partitions;
    bool preferred = false;
    bool all = false;
  };
  constexpr const char* kUncleanHelp =
      "Where nobody leads, elect whoever is left: a suspect member of the ISR, or a replica "
      "outside "
      "it. Records that the others alone have are lost for good";
  const auto flags = std::make_shared<Flags>();
  CLI::App& leader = AddNoun("leader", "Leadership of partitions");
  CLI::App& elect = AddVerb(
      leader, "elect",
      "Gives leadership back to the preferred replicas, or to whoever is left where nobody leads",
      [flags]() -> Result<Command> {
        ElectLeadersOptions options = flags->elect;
        if (!flags->preferred && !options.unclean) {
          return Usage("leader elect needs --preferred or --unclean");
        }
        if (!flags->all && options.topics.empty() && flags->partitions.empty()) {
          return Usage("leader elect needs --all, --topic T or --partition T:P");
        }
        for (const std::string& text : flags->partitions) {
          Result<std::pair<std::string, int32_t>> partition = ParsePartition(text);
          if (!partition.ok()) {
            return partition.error();
          }
          options.partitions.push_back(*std::move(partition));
        }
        return Command([options](Client& client, const Console& console) {
          return LeaderElect(client, console, options);
        });
      });
  auto* const preferred =
      elect.add_flag("--preferred", flags->preferred, "Elect the first replica of each partition");
  elect.add_flag("--unclean", flags->elect.unclean, kUncleanHelp)->excludes(preferred);
  auto* const all = elect.add_flag("--all", flags->all, "All partitions");
  auto* const topics =
      elect.add_option("--topic", flags->elect.topics, "All partitions of these topics");
  elect.add_option("--partition", flags->partitions, "These partitions, topic:number")
      ->excludes(all)
      ->excludes(topics);
  topics->excludes(all);
  elect.add_flag("--dry-run", flags->elect.dry_run, "Only say what would be elected");
}

/// Whether the user asked for JSON, as far as one can tell from a command line that does not parse.
bool WantsJson(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool flag = argument == "-o" || argument == "--output";
    if ((flag && i + 1 < arguments.size() && arguments[i + 1] == "json") || argument == "-ojson" ||
        argument == "-o=json" || argument == "--output=json") {
      return true;
    }
  }
  return false;
}

/// What is wrong with a command line. Of a word that is no command CLI11 says only that one is
/// missing.
Error Misread(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  const bool incomplete = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  const std::string what = incomplete && !unknown.empty()
                               ? "'" + unknown.front() + "' is not a command or flag here"
                               : error.what();
  return Usage(what + "; `regentctl --help` shows the commands");
}

int64_t WallClockMs() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// CLI11 takes them last first.
void ParseInto(CommandTree& tree, const std::vector<std::string>& arguments) {
  tree.app().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
}

/// What a command line says, and where it is to be said.
struct Order {
  std::vector<std::string> addresses;
  std::chrono::milliseconds timeout{0};
  Command command;
};

Result<Order> ReadOrder(const CommandTree& tree) {
  Result<std::vector<std::string>> addresses = ParseAddresses(tree.globals().controllers);
  if (!addresses.ok()) {
    return addresses.error();
  }
  const Result<std::chrono::milliseconds> timeout = ParseTimeout(tree.globals().timeout);
  if (!timeout.ok()) {
    return timeout.error();
  }
  Result<Command> command = tree.Read();
  if (!command.ok()) {
    return command.error();
  }
  return Order{
      .addresses = *std::move(addresses), .timeout = *timeout, .command = *std::move(command)};
}

ExitCode Run(const CommandTree& tree, const Console& console) {
  const Result<Order> order = ReadOrder(tree);
  if (!order.ok()) {
    return console.Fail(order.error());
  }
  Client client({.addresses = order->addresses,
                 .timeout = order->timeout,
                 .talk = [&](const std::string& sentence) { console.Talk(sentence); }});
  return order->command(client, console);
}

}  // namespace

ExitCode RunRegentctl(const std::vector<std::string>& arguments,
                      std::ostream& out,
                      std::ostream& err) {
  Console console{.out = out, .err = err, .now_ms = WallClockMs};
  CommandTree tree;
  try {
    ParseInto(tree, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      tree.app().exit(error, out, err);
      return ExitCode::kOk;
    }
    console.format = WantsJson(arguments) ? Format::kJson : Format::kTable;
    return console.Fail(Misread(tree.app(), error));
  }
  console.format = tree.globals().format == "json" ? Format::kJson : Format::kTable;
  console.headers = tree.globals().no_headers ? Headers::kOmit : Headers::kShow;
  return Run(tree, console);
}

Status CheckArguments(const std::vector<std::string>& arguments) {
  CommandTree tree;
  try {
    ParseInto(tree, arguments);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? Status(Success{}) : Status(Misread(tree.app(), error));
  }
  const Result<Order> order = ReadOrder(tree);
  return order.ok() ? Status(Success{}) : Status(order.error());
}

}  // namespace regent::cli
