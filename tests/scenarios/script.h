#pragma once

#include <string>
#include <vector>

namespace regent::controller::toy {

/// Runs a scenario: a text of blocks, each some commands, a line of four dashes, and what the
/// controllers did in answer, up to an empty line. Comments begin with '#' and stay where they are.
///
/// Returns the text with the output that the commands gave now; equal to `text` if nothing changed.
/// README.md lists the commands.
std::string RunScenario(const std::string& text);

}  // namespace regent::controller::toy
