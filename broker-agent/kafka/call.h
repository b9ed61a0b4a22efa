#pragma once

#include <functional>
#include <string>

#include "broker-agent/kafka/pieces.h"

namespace regent::kafka {

/// A request of a client that is being worked on. Exactly one of the first three is called, once,
/// on any thread.
class Call {
 public:
  virtual ~Call() = default;

  virtual void Answer(Pieces response) = 0;
  /// The request wants no answer (acks=0).
  virtual void AnswerNothing() = 0;
  /// Closes the connection; `why` is for the log.
  virtual void HangUp(const std::string& why) = 0;

  /// `gone` is called when the client goes before the answer, on any thread; at once if it has gone
  /// already.
  virtual void OnGone(std::function<void()> gone) = 0;
};

}  // namespace regent::kafka
