#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/metadata_view.h"
#include "broker-agent/kafka/cluster_admin.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::kafka {

/// The broker behind the client protocol. Any thread may call; what is asked is answered once, on
/// any thread, perhaps within the call. Tickets are drawn by the backend.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual BrokerId self() const = 0;
  /// Empty before the broker is registered.
  virtual std::string cluster_id() const = 0;
  /// Null before the controller has told everything once: a topic that is missing before may be
  /// there, and no client may be told that it is not.
  virtual std::shared_ptr<const MetadataView> metadata() const = 0;
  /// True: the broker has been told of a leader of these topics that the metadata may not name yet
  /// (R1); calls `done` when they do, or have not for too long.
  virtual bool AwaitLeaders(const TopicNames& topics, std::function<void()> done) = 0;
  virtual Instant Now() const = 0;
  virtual ClusterAdmin& admin() = 0;

  virtual void Append(AppendRequested request, std::function<void(const Result<Offset>&)> done) = 0;
  /// The ticket is for Abandon, which does no harm when the answer has come.
  virtual FetchTicket Fetch(FetchRequested request,
                            std::function<void(const AnswerFetch&)> done) = 0;
  virtual void Abandon(FetchTicket ticket) = 0;
  virtual void FindOffset(OffsetRequested request,
                          std::function<void(const AnswerOffset&)> done) = 0;
  virtual void FindEpochEnd(EpochEndRequested request,
                            std::function<void(const AnswerEpochEnd&)> done) = 0;
  /// Draws an id that no producer of the cluster has had.
  virtual void DrawProducerId(std::function<void(const Result<int64_t>&)> done) = 0;
};

}  // namespace regent::kafka
