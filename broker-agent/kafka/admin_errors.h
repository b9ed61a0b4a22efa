#pragma once

#include <string>

#include "broker-agent/kafka/cluster_admin.h"
#include "broker-agent/kafka/error_code.h"
#include "common/base/result.h"

namespace regent::kafka {

/// What an admin request is told of something that was not done.
struct Refusal {
  KafkaError error = KafkaError::kUnknownServerError;
  std::string message;
};

/// An error of the controller in the protocol's words; what it calls invalid is `invalid_as`.
Refusal RefusalOf(const Error& error, KafkaError invalid_as);
/// Kafka's clients give milliseconds, 0 for what they only want begun; the controller waits for a
/// second at least, and ten minutes at most.
AdminOptions OptionsOf(int32_t timeout_ms, bool validate_only);

/// Writes it into the part of an answer that has these two fields.
template <class Answer>
void Take(const Refusal& refusal, Answer& answer) {
  answer.error = refusal.error;
  answer.error_message = refusal.message;
}

}  // namespace regent::kafka
