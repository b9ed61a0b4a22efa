#include "broker-agent/io/piece_sender.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <variant>

#include <glog/logging.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "broker-agent/log/file_system.h"

namespace regent {
namespace {

constexpr size_t kPiecesPerCall = 64;

/// Whether an error of sendfile is one that the socket may have, rather than the file.
bool IsOfSocket(int error) {
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN: return true;
    default: return false;
  }
}

}  // namespace

void PieceSender::Add(const kafka::Pieces& pieces) {
  for (kafka::Pieces::Piece& piece : pieces.InOrder()) {
    pieces_.push_back(std::move(piece));
  }
}

PieceSender::Progress PieceSender::Send(int socket, size_t bytes_max) {
  while (!pieces_.empty()) {
    if (bytes_max == 0) {
      return Progress::kTurnOver;
    }
    const auto* const slice = std::get_if<FileSlice>(&pieces_.front());
    const ssize_t sent =
        slice == nullptr ? SendMemory(socket, bytes_max) : SendFile(socket, *slice, bytes_max);
    if (sent > 0) {
      bytes_max -= static_cast<size_t>(sent);
      Drop(static_cast<size_t>(sent));
      continue;
    }
    const int error = errno;
    if (sent < 0 && error == EINTR) {
      continue;
    }
    if (sent < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
      return Progress::kSocketFull;
    }
    if (slice == nullptr || (sent < 0 && IsOfSocket(error))) {
      return Progress::kPeerGone;
    }
    return FileFailed(*slice, sent == 0 ? "the file has become shorter"
                                        : "sendfile: " + std::generic_category().message(error));
  }
  return Progress::kAllSent;
}

ssize_t PieceSender::SendMemory(int socket, size_t bytes_max) {
  std::array<iovec, kPiecesPerCall> views;
  size_t count = 0;
  size_t bytes = 0;
  for (const kafka::Pieces::Piece& piece : pieces_) {
    const auto* const view = std::get_if<std::string_view>(&piece);
    if (view == nullptr || count == views.size() || bytes == bytes_max) {
      break;
    }
    const size_t taken = std::min(view->size(), bytes_max - bytes);
    // sendmsg does not write to what it is given; the type is older than const.
    views[count++] = {.iov_base = const_cast<char*>(view->data()), .iov_len = taken};
    bytes += taken;
  }
  msghdr message{};
  message.msg_iov = views.data();
  message.msg_iovlen = count;
  // The head of an answer shares a packet with its records.
  const bool file_follows =
      count < pieces_.size() && std::holds_alternative<FileSlice>(pieces_[count]);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | (file_follows ? MSG_MORE : 0));
}

ssize_t PieceSender::SendFile(int socket, const FileSlice& slice, size_t bytes_max) {
  auto offset = static_cast<off_t>(slice.position);
  return ::sendfile(socket, slice.file->descriptor(), &offset,
                    std::min<uint64_t>(slice.length, bytes_max));
}

PieceSender::Progress PieceSender::FileFailed(const FileSlice& slice, const std::string& why) {
  problem_ = "records cannot be sent from " + slice.file->path() + " at byte " +
             std::to_string(slice.position) + ": " + why + "; " + std::to_string(slice.length) +
             " bytes of the answer are missing";
  return Progress::kFileFailed;
}

void PieceSender::Drop(size_t bytes) {
  while (bytes > 0) {
    const size_t gone = std::min(bytes, kafka::SizeOf(pieces_.front()));
    kafka::RemoveFront(pieces_.front(), gone);
    bytes -= gone;
    if (kafka::SizeOf(pieces_.front()) == 0) {
      pieces_.pop_front();
    }
  }
}

void BlockBrokenPipeSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
}

}  // namespace regent
