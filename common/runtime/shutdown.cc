#include "common/runtime/shutdown.h"

#include <glog/logging.h>

namespace regent {

ShutdownSignals::ShutdownSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &signals_, nullptr), 0);
}

int ShutdownSignals::Wait() {
  int signal = 0;
  CHECK_EQ(sigwait(&signals_, &signal), 0);
  CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr), 0);
  return signal;
}

}  // namespace regent
