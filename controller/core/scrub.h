#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/config_desk.h"
#include "controller/core/extension_desk.h"
#include "controller/core/term.h"
#include "controller/core/topic_desk.h"

namespace regent::controller {

/// Finds what no watch tells: a topic's node or config that somebody has edited. Goes round over
/// all topics, so many in a second, spread evenly, and looks at versions; only what has another one
/// than memory is read. A batch at a time.
class Scrub {
 public:
  Scrub(Term& term, TopicDesk& topics, ConfigDesk& configs, ExtensionDesk& extensions)
      : term_(term), topics_(topics), configs_(configs), extensions_(extensions) {}

  void Tick();

 private:
  std::vector<std::string> Next(size_t most);
  void Stated(const std::vector<std::string>& names, const Result<std::vector<TopicStat>>& stats);
  void Read(Result<std::vector<TopicRead>> topics);

  Term& term_;
  TopicDesk& topics_;
  ConfigDesk& configs_;
  ExtensionDesk& extensions_;
  bool out_ = false;               ///< A batch is.
  std::optional<Instant> last_;    ///< Up to when what is due has been reckoned.
  double due_ = 0;                 ///< Topics, with what is left over of one.
  std::optional<std::string> at_;  ///< The topic looked at last.
};

}  // namespace regent::controller
