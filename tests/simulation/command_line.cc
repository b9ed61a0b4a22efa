#include "tests/simulation/command_line.h"

#include <charconv>
#include <functional>
#include <map>
#include <string_view>

#include "tests/simulation/text.h"

namespace regent::simulation {

const char* const kUsage =
    "tests/simulation/run [--seeds N] [--first S] [--minutes M] [--at-least N] [--jobs J]\n"
    "                     [--resume FILE] [--workload PART,…] [--without PART,…] [--until MS]\n"
    "                     [--variant V] [--mutant X] [--only CHECKER]\n"
    "                     [--find-mutants] [--trace] [--hashes] [--keep-going] [--as-it-is]\n"
    "                     [--no-probes]\n"
    "  --seeds N       how many seeds to run (1000)\n"
    "  --first S       the first of them (1)\n"
    "  --minutes M     stop after so long, however many seeds that were\n"
    "  --at-least N    but not before so many\n"
    "  --jobs J        so many at a time (1)\n"
    "  --resume FILE   note there how far it has come, and go on from what is noted\n"
    "  --mutant X      with a planted bug: runs until it is caught\n"
    "  --only C        look at one checker's rule alone (a mutant's own by default)\n"
    "  --workload P,Q  with these of the faults and activities, whether the seeds draw them or "
    "not\n"
    "  --variant V     what happens is drawn anew, in the setting that the seed has drawn\n"
    "  --without P,Q   without these of the faults and activities that the seeds draw\n"
    "  --until MS      everything heals after so many milliseconds at the latest\n"
    "  --find-mutants  look for a seed that catches each mutant, and print them as a table\n"
    "  --trace         print everything that happens in each seed\n"
    "  --hashes        print each seed's trace hash: the same on every compiler\n"
    "  --keep-going    do not stop at the first seed that fails\n"
    "  --as-it-is      do not look for a shorter history that fails, too\n"
    "  --no-probes     do not ask that every rare branch was reached\n";

namespace {

template <class T>
bool Read(const std::string& word, T& number) {
  const char* const end = word.data() + word.size();
  const auto [read, error] = std::from_chars(word.data(), end, number);
  return error == std::errc() && read == end && number > T{};
}

bool ReadMutant(const std::string& word, Arguments& arguments) {
  const auto mutant = MutantNamed(word);
  if (mutant) {
    const RunOptions options = OptionsFor(*mutant);
    arguments.run.mutant = options.mutant;
    arguments.run.only = options.only;
    arguments.run.with.insert(options.with.begin(), options.with.end());
    arguments.probes = false;
  }
  return mutant.has_value();
}

bool ReadChecker(const std::string& word, Arguments& arguments) {
  arguments.run.only = CheckerNamed(word);
  return arguments.run.only.has_value();
}

bool ReadParts(std::string_view words, std::set<std::string>& parts) {
  while (!words.empty()) {
    const std::string_view part = words.substr(0, words.find(','));
    if (!IsPart(part)) {
      return false;
    }
    parts.emplace(part);
    words.remove_prefix(std::min(part.size() + 1, words.size()));
  }
  return true;
}

bool ReadWithout(const std::string& word, Arguments& arguments) {
  arguments.probes = false;
  return ReadParts(word, arguments.run.without);
}

bool ReadUntil(const std::string& word, Arguments& arguments) {
  int64_t ms = 0;
  const bool read = Read(word, ms);
  arguments.run.until = milliseconds(ms);
  arguments.probes = false;
  return read;
}

bool ReadMinutes(const std::string& word, Arguments& arguments) {
  arguments.seeds = UINT64_MAX;
  return Read(word, arguments.minutes);
}

std::string Joined(const std::set<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    joined += (joined.empty() ? "" : ",") + part;
  }
  return joined;
}

using ReadValue = std::function<bool(const std::string& word, Arguments& arguments)>;

const std::map<std::string, ReadValue, std::less<>>& Options() {
  static const std::map<std::string, ReadValue, std::less<>> options = {
      {"--seeds", [](const auto& word, auto& into) { return Read(word, into.seeds); }},
      {"--first", [](const auto& word, auto& into) { return Read(word, into.run.seed); }},
      {"--variant", [](const auto& word, auto& into) { return Read(word, into.run.variant); }},
      {"--jobs", [](const auto& word, auto& into) { return Read(word, into.jobs); }},
      {"--resume",
       [](const auto& word, auto& into) {
         into.resume_file = word;
         return !word.empty();
       }},
      {"--minutes", ReadMinutes},
      {"--at-least", [](const auto& word, auto& into) { return Read(word, into.at_least); }},
      {"--mutant", ReadMutant},
      {"--only", ReadChecker},
      {"--workload", [](const auto& word, auto& into) { return ReadParts(word, into.run.with); }},
      {"--without", ReadWithout},
      {"--until", ReadUntil}};
  return options;
}

const std::map<std::string, bool Arguments::*, std::less<>>& Flags() {
  static const std::map<std::string, bool Arguments::*, std::less<>> flags = {
      {"--find-mutants", &Arguments::find_mutants},
      {"--trace", &Arguments::trace},
      {"--hashes", &Arguments::hashes},
      {"--keep-going", &Arguments::keep_going},
      {"--help", &Arguments::help}};
  return flags;
}

const std::map<std::string, bool Arguments::*, std::less<>>& NegativeFlags() {
  static const std::map<std::string, bool Arguments::*, std::less<>> flags = {
      {"--as-it-is", &Arguments::shorten}, {"--no-probes", &Arguments::probes}};
  return flags;
}

}  // namespace

Result<Arguments> ParseArguments(const std::vector<std::string>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    if (const auto flag = Flags().find(words[i]); flag != Flags().end()) {
      arguments.*flag->second = true;
      continue;
    }
    if (const auto flag = NegativeFlags().find(words[i]); flag != NegativeFlags().end()) {
      arguments.*flag->second = false;
      continue;
    }
    const auto option = Options().find(words[i]);
    if (option == Options().end()) {
      return Error{ErrorCode::kInvalidArgument, "unknown option " + words[i]};
    }
    if (i + 1 == words.size() || !option->second(words[i + 1], arguments)) {
      return Error{ErrorCode::kInvalidArgument, i + 1 == words.size()
                                                    ? words[i] + " wants a value"
                                                    : words[i] + " cannot be " + words[i + 1]};
    }
    ++i;
  }
  return arguments;
}

std::vector<std::string> WordsOf(const RunOptions& options) {
  std::vector<std::string> words = {"--first", Text(options.seed)};
  const auto add = [&](const char* option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  };
  if (options.variant != 0) {
    add("--variant", Text(options.variant));
  }
  if (options.mutant != Mutant::kNone) {
    add("--mutant", Text(Name(options.mutant)));
  }
  if (options.only) {
    add("--only", Text(Name(*options.only)));
  }
  if (!options.with.empty()) {
    add("--workload", Joined(options.with));
  }
  if (!options.without.empty()) {
    add("--without", Joined(options.without));
  }
  if (options.until) {
    add("--until", Text(*options.until / milliseconds(1)));
  }
  return words;
}

std::string ReplayCommand(const RunOptions& options) {
  std::string command = "tests/simulation/run --seeds 1 --as-it-is --trace";
  for (const std::string& word : WordsOf(options)) {
    command += ' ' + word;
  }
  return command;
}

}  // namespace regent::simulation
