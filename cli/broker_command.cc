#include "cli/commands.h"

namespace regent::cli {

ExitCode BrokerListing(Client& client, const Console& console) {
  const Result<v1::ListBrokersResponse> brokers = client.ListBrokers();
  if (!brokers.ok()) {
    return console.Fail(brokers.error());
  }
  if (console.json()) {
    console.PrintJson(BrokersJson(*brokers));
  } else {
    console.Print(RenderBrokers(*brokers, console.style()));
  }
  return ExitCode::kOk;
}

}  // namespace regent::cli
