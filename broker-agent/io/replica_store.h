#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "broker-agent/core/actions.h"
#include "broker-agent/io/event_sink.h"
#include "common/base/result.h"

namespace regent {

/// What the agent may ask of its logs.
using LogAction = std::variant<ChangeLogs,
                               ConfigureLogs,
                               TrimLogs,
                               AppendToLog,
                               SyncLog,
                               TruncateLog,
                               RestartLog,
                               ReadFromLog,
                               FindInLog,
                               RecordMarks,
                               WriteCheckpoints,
                               RecordEpochs>;

/// Where the agent's replicas lie. The real one works on a thread of its own over a
/// storage::DataDirectory; simulations bring their own.
///
/// Called on the agent's thread; never blocks it. Results go to the sink given to Start, those of
/// one log in the order of the calls.
class ReplicaStore {
 public:
  virtual ~ReplicaStore() = default;

  /// Before anything else.
  virtual void Start(AgentEventSink sink) = 0;
  virtual void Do(LogAction action) = 0;

  /// The cluster that the directory belongs to; nothing if it is not bound yet. Thread-safe.
  virtual std::optional<std::string> cluster_id() const = 0;
  /// Binds a fresh directory to a cluster, durably; `done` comes on any thread. A directory of that
  /// cluster is bound already; one of another cluster is refused (R10).
  virtual void Bind(std::string cluster_id, std::function<void(Status)> done) = 0;
  /// Names the directory wherever it is mounted; empty if it is not bound yet. Thread-safe.
  virtual std::string directory_id() const = 0;
  /// Finishes what was asked for, closes the logs and lets the directory go; `done` comes on any
  /// thread. Nothing may be asked afterwards.
  virtual void Close(std::function<void(Status)> done) = 0;
};

}  // namespace regent
