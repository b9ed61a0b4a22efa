#include "controller/core/store.h"

#include "common/base/overloaded.h"

namespace regent::controller {
namespace {

/// What stands around paths and data in a multi, and in a path around the names.
constexpr size_t kOpBytes = 64 + 80;
/// A number with its separator.
constexpr size_t kNumberBytes = 12;
/// The names of all fields of a state, or of a topic's node, and their numbers.
constexpr size_t kFieldsBytes = 256;
/// JSON writes some bytes as six.
constexpr size_t kEscapeMax = 6;

size_t BytesOf(const BrokerList& brokers) {
  return kNumberBytes * brokers.size();
}

size_t BytesOf(const TopicPartition& partition, const PartitionState& state) {
  return kOpBytes + partition.topic->name.size() + kFieldsBytes + BytesOf(state.isr) +
         BytesOf(state.elr) + BytesOf(state.last_known_elr) + state.extra.size();
}

size_t BytesOf(const TopicRef& topic, const std::vector<BrokerList>& assignment) {
  size_t bytes = kOpBytes + topic->name.size() + kFieldsBytes;
  for (const BrokerList& replicas : assignment) {
    bytes += 2 * kNumberBytes + BytesOf(replicas);
  }
  return bytes;
}

}  // namespace

int ZooKeeperOps(const StoreOp& op) {
  const auto* create = std::get_if<CreatePartitionState>(&op);
  return create != nullptr && create->with_directory ? 2 : 1;
}

size_t StoreBytes(const StoreOp& op) {
  return std::visit(
      Overloaded{
          [](const SetPartitionState& o) { return BytesOf(o.partition, o.state); },
          [](const CreatePartitionState& o) {
            const size_t directory =
                o.with_directory ? kOpBytes + o.partition.topic->name.size() : 0;
            return directory + BytesOf(o.partition, o.state);
          },
          [](const CreatePartitionsDirectory& o) { return kOpBytes + o.topic->name.size(); },
          [](const CreateTopicNode& o) { return BytesOf(o.topic, o.assignment); },
          [](const SetTopicNode& o) { return BytesOf(o.topic, o.assignment) + o.node_text.size(); },
          [](const WriteTopicConfig& o) {
            size_t bytes = kOpBytes + o.topic.size() + kFieldsBytes;
            for (const auto& [key, value] : o.overrides) {
              bytes += kEscapeMax * (key.size() + value.size()) + 8;
            }
            return bytes;
          },
          [](const DeleteConfigChange& o) { return kOpBytes + o.node.size(); },
          [](const WriteDeletionMark& o) {
            return kOpBytes + kFieldsBytes + o.mark.topic.size() + BytesOf(o.mark.brokers);
          },
          [](const RemoveDeletionMark&) { return kOpBytes; },
          [](const DeleteTopicChild& o) { return kOpBytes + o.topic.size() + o.below.size(); },
          [](const DeleteTopicNode& o) { return kOpBytes + o.topic.size(); },
          [](const DeleteTopicConfig& o) { return kOpBytes + o.topic.size(); },
          [](const DeleteDeletionRequest& o) { return kOpBytes + o.topic.size(); },
          [](const CreateStoppingMark&) { return kOpBytes + kFieldsBytes; },
          [](const DeleteStoppingMark&) { return kOpBytes; },
          [](const DeletePreferredElection&) { return kOpBytes; },
      },
      op);
}

}  // namespace regent::controller

namespace regent {
template class OutOfLine<controller::StoreOpTypes>;
}  // namespace regent
