#include "cli/commands.h"

namespace regent::cli {

ExitCode ClusterStatus(Client& client, const Console& console) {
  const Result<v1::GetClusterStatusResponse> status = client.GetClusterStatus();
  if (!status.ok()) {
    if (status.error().code != ErrorCode::kNotController) {
      return console.Fail(status.error());
    }
    // Somebody answers and nobody governs: that is a finding about the cluster.
    if (console.json()) {
      console.PrintJson(VacantClusterJson(status.error()));
    } else {
      console.Print("Health:      unhealthy\nController:  none\n");
    }
    console.Talk(status.error().message);
    return ExitCode::kUnhealthy;
  }
  if (console.json()) {
    console.PrintJson(ClusterStatusJson(*status));
  } else {
    console.Print(RenderClusterStatus(*status));
  }
  return HealthOf(*status) == Health::kUnhealthy ? ExitCode::kUnhealthy : ExitCode::kOk;
}

}  // namespace regent::cli
