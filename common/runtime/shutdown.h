#pragma once

#include <csignal>

namespace regent {

/// SIGTERM and SIGINT as something that main waits for. Made first of all in main: threads that
/// start later leave the two signals to it.
class ShutdownSignals {
 public:
  ShutdownSignals();
  ShutdownSignals(const ShutdownSignals&) = delete;
  ShutdownSignals& operator=(const ShutdownSignals&) = delete;

  /// Returns the signal that came. A second one, while main tidies up, ends the process at once.
  int Wait();

 private:
  sigset_t signals_{};
};

}  // namespace regent
