#include "cli/commands.h"

namespace regent::cli {

ExitCode PartitionDescribe(Client& client,
                           const Console& console,
                           const std::string& topic,
                           int32_t index) {
  v1::DescribeTopicsRequest request;
  request.add_names(topic);
  request.set_partition(index);
  const Result<v1::DescribeTopicsResponse> answer = client.DescribeTopics(request);
  if (!answer.ok()) {
    return console.Fail(answer.error());
  }
  if (answer->topics().empty()) {
    return console.Fail({ErrorCode::kNotFound, "topic '" + topic +
                                                   "' does not exist; `regentctl topic list` "
                                                   "shows those that do"});
  }
  const v1::TopicDescription& found = answer->topics(0);
  if (found.partitions().empty()) {
    return console.Fail({ErrorCode::kNotFound, "partition " + std::to_string(index) +
                                                   " of topic '" + topic +
                                                   "' does not exist; its partitions are 0 to " +
                                                   std::to_string(found.partition_count() - 1)});
  }
  if (console.json()) {
    console.PrintJson(PartitionJson(*answer));
  } else {
    console.Print(RenderPartition(found, console.style()));
  }
  return ExitCode::kOk;
}

}  // namespace regent::cli
