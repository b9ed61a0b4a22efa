#include "cli/commands.h"

namespace regent::cli {

ExitCode ControllerStatus(Client& client, const Console& console) {
  const Result<v1::GetControllerResponse> answer = client.GetController();
  if (!answer.ok()) {
    return console.Fail(answer.error());
  }
  if (console.json()) {
    console.PrintJson(ControllerJson(*answer));
  } else {
    console.Print(RenderController(answer->header().controller(), console.style()));
  }
  return ExitCode::kOk;
}

ExitCode ControllerWatch(Client& client, const Console& console, int32_t count) {
  if (!console.json() && console.headers == Headers::kShow) {
    console.Print(RenderChangeHeadings());
  }
  int32_t printed = 0;
  const Status ended = client.WatchController([&](const v1::ControllerChange& change) {
    if (console.json()) {
      console.Print(JsonText(ChangeJson(change), -1));  // One line each: a stream of objects.
    } else {
      console.Print(RenderChange(change));
    }
    ++printed;
    return console.out.good() && (count == 0 || printed < count);
  });
  return ended.ok() ? ExitCode::kOk : console.Fail(ended.error());
}

}  // namespace regent::cli
