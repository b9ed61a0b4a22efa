#include "tests/unit/broker-agent-kafka/golden.h"

#include <fstream>
#include <sstream>

#include <glog/logging.h>

namespace regent::kafka {
namespace {

constexpr int32_t kCorrelationId = 7;

std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> columns;
  std::istringstream stream(line);
  for (std::string column; std::getline(stream, column, '\t');) {
    columns.push_back(column);
  }
  return columns;
}

std::string Unhex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

int16_t Number(const std::string& text) {
  return static_cast<int16_t>(std::stoi(text));
}

GoldenFact Fact(const std::vector<std::string>& columns) {
  return {.number = Number(columns.at(1)), .rest = {columns.begin() + 2, columns.end()}};
}

Golden Load() {
  std::ifstream file(GOLDEN_FILE);
  CHECK(file) << "cannot read " << GOLDEN_FILE;
  Golden golden;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> columns = Split(line);
    const std::string& kind = columns.at(0);
    if (kind == "api") {
      golden.apis.push_back(Fact(columns));
    } else if (kind == "error") {
      golden.errors.push_back(Fact(columns));
    } else {
      golden.frames.push_back(
          {.direction = kind == "request" ? Direction::kRequest : Direction::kResponse,
           .filling = columns.at(1) == "full" ? Filling::kFull : Filling::kBare,
           .request = {.api = static_cast<ApiKey>(Number(columns.at(2))),
                       .version = Number(columns.at(3)),
                       .correlation_id = kCorrelationId},
           .bytes = Unhex(columns.at(4)),
           .text = columns.at(5)});
    }
  }
  return golden;
}

}  // namespace

const Golden& GoldenData() {
  static const Golden golden = Load();
  return golden;
}

std::string NameOf(const GoldenFrame& frame) {
  std::ostringstream name;
  name << frame.request.api << (frame.direction == Direction::kRequest ? " request " : " response ")
       << frame.request.version << ": " << frame.text;
  return name.str();
}

}  // namespace regent::kafka
