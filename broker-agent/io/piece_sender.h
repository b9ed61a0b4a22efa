#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "broker-agent/kafka/pieces.h"

namespace regent {

/// What is still to be sent of frames, in order, on a socket that does not block: bytes of memory
/// by sendmsg, those of files by sendfile, which copies nothing.
///
/// sendfile raises SIGPIPE when the peer has gone: whatever thread sends has it blocked.
class PieceSender {
 public:
  enum class Progress {
    kAllSent,
    kSocketFull,  ///< Go on when there is room.
    kTurnOver,    ///< As many bytes have gone as were allowed.
    kPeerGone,
    kFileFailed,  ///< A file does not give out what it had: problem() says it. The frame is torn.
  };

  /// What `pieces` holds in memory stays there until all is sent.
  void Add(const kafka::Pieces& pieces);
  /// Sends what the socket takes, `bytes_max` at the most.
  Progress Send(int socket, size_t bytes_max);

  const std::string& problem() const { return problem_; }

 private:
  /// These return what the system calls return. Neither is called when nothing is left.
  ssize_t SendMemory(int socket, size_t bytes_max);
  ssize_t SendFile(int socket, const FileSlice& slice, size_t bytes_max);
  Progress FileFailed(const FileSlice& slice, const std::string& why);
  void Drop(size_t bytes);

  std::deque<kafka::Pieces::Piece> pieces_;  ///< None of them empty.
  std::string problem_;
};

/// Blocks SIGPIPE on the calling thread.
void BlockBrokenPipeSignal();

}  // namespace regent
