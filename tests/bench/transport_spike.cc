#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <iostream>
#include <malloc.h>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <glog/logging.h>
#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "regent/v1/replication.pb.h"

// transport_spike: what it costs to bring record batches from a leader to a follower, both ends
// together, over loopback: as `bytes` of a protobuf message, as slices of a ByteBuffer that refer
// to the batch, and over plain TCP. Whoever takes a batch has it in one piece of its own at the
// end, as a log wants it. Prints a line for each: processor time and wall time.

namespace regent::bench {
namespace {

constexpr size_t kPayloads = 16;  ///< Different ones, so that no cache holds them all.
constexpr int kMessageBytesMax = 64 << 20;
const char* const kMethod = "/regent.bench/Replicate";

using Payload = std::shared_ptr<const std::string>;

struct Work {
  std::vector<Payload> payloads;
  int messages = 0;

  const Payload& Of(int message) const {
    return payloads[static_cast<size_t>(message) % payloads.size()];
  }
  double megabytes() const { return static_cast<double>(payloads[0]->size()) * messages / 1e6; }
};

/// The leader's end of a stream: sends every message, then ends it.
class Sending final : public grpc::ServerGenericBidiReactor {
 public:
  using Make = std::function<grpc::ByteBuffer(const Payload&)>;

  Sending(const Work& work, Make make) : work_(work), make_(std::move(make)) { Next(); }
  void OnWriteDone(bool ok) override {
    CHECK(ok) << "the stream broke";
    Next();
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (sent_ == work_.messages) {
      Finish(grpc::Status::OK);
      return;
    }
    response_ = make_(work_.Of(sent_++));
    StartWrite(&response_);
  }

  const Work& work_;
  const Make make_;
  grpc::ByteBuffer response_;
  int sent_ = 0;
};

class Leader final : public grpc::CallbackGenericService {
 public:
  Leader(const Work& work, Sending::Make make) : work_(work), make_(std::move(make)) {}
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* /*context*/) override {
    return new Sending(work_, make_);
  }

 private:
  const Work& work_;
  const Sending::Make make_;
};

/// The follower's end: takes what comes.
template <class Response>
class Taking final : public grpc::ClientBidiReactor<v1::FollowerMessage, Response> {
 public:
  explicit Taking(std::function<size_t(const Response&)> take) : take_(std::move(take)) {}
  /// Returns how many bytes of payload came until the stream's end.
  size_t Run(const std::string& target) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
    grpc::TemplatedGenericStub<v1::FollowerMessage, Response> stub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
    stub.PrepareBidiStreamingCall(&context_, kMethod, {}, this);
    this->StartRead(&response_);
    this->StartCall();
    CHECK(done_.get_future().get().ok()) << "the stream broke";
    return bytes_;
  }
  void OnReadDone(bool ok) override {
    if (ok) {
      bytes_ += take_(response_);
      this->StartRead(&response_);
    }
  }
  void OnDone(const grpc::Status& status) override { done_.set_value(status); }

 private:
  std::function<size_t(const Response&)> take_;
  grpc::ClientContext context_;
  Response response_;
  size_t bytes_ = 0;
  std::promise<grpc::Status> done_;
};

template <class Response>
size_t OverGrpc(const Work& work, Sending::Make make, std::function<size_t(const Response&)> take) {
  Leader leader(work, std::move(make));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&leader);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const size_t bytes = Taking<Response>(std::move(take)).Run("127.0.0.1:" + std::to_string(port));
  server->Shutdown();
  return bytes;
}

v1::LeaderMessage HeadOf() {
  v1::LeaderMessage message;
  v1::Batches* const batches = message.add_batches();
  batches->mutable_partition()->set_topic_id(std::string(16, 't'));
  batches->set_base_offset(1'000'000);
  batches->set_next_offset(1'001'000);
  batches->add_heads()->set_base(1'000'000);
  return message;
}

size_t OverProtobuf(const Work& work) {
  using google::protobuf::BytesValue;
  return OverGrpc<BytesValue>(
      work,
      [](const Payload& payload) {
        BytesValue message;
        message.set_value(*payload);
        grpc::ByteBuffer buffer;
        bool own = false;
        CHECK(grpc::SerializationTraits<BytesValue>::Serialize(message, &buffer, &own).ok());
        return buffer;
      },
      [](const BytesValue& message) {
        return std::make_shared<const std::string>(message.value().substr(0))->size();
      });
}

/// A slice of gRPC's that holds a share in the payload.
grpc::Slice SharedSlice(const Payload& payload) {
  auto share = std::make_unique<Payload>(payload);
  return {const_cast<char*>(payload->data()), payload->size(),
          [](void* held) { delete static_cast<Payload*>(held); }, share.release()};
}

size_t OverSlices(const Work& work) {
  const size_t head = HeadOf().ByteSizeLong();
  const auto make = [](const Payload& payload) {
    const std::array<grpc::Slice, 2> slices = {grpc::Slice(HeadOf().SerializeAsString()),
                                               SharedSlice(payload)};
    return grpc::ByteBuffer(slices.data(), slices.size());
  };
  return OverGrpc<grpc::ByteBuffer>(work, make, [head](const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    CHECK(buffer.Dump(&slices).ok());
    auto batch = std::make_shared<std::string>();
    batch->reserve(buffer.Length());
    for (const grpc::Slice& slice : slices) {
      batch->append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return batch->size() - head;
  });
}

void WriteAll(int socket, const std::string& head, const std::string& payload) {
  std::array<iovec, 2> pieces = {iovec{const_cast<char*>(head.data()), head.size()},
                                 iovec{const_cast<char*>(payload.data()), payload.size()}};
  size_t left = head.size() + payload.size();
  size_t first = 0;
  while (left > 0) {
    const ssize_t written =
        writev(socket, &pieces.at(first), static_cast<int>(pieces.size() - first));
    PCHECK(written > 0);
    left -= static_cast<size_t>(written);
    auto gone = static_cast<size_t>(written);
    for (; first < pieces.size() && gone >= pieces.at(first).iov_len; ++first) {
      gone -= pieces.at(first).iov_len;
    }
    if (first < pieces.size()) {
      pieces.at(first).iov_base = static_cast<char*>(pieces.at(first).iov_base) + gone;
      pieces.at(first).iov_len -= gone;
    }
  }
}

void ReadAll(int socket, char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t got = read(socket, bytes, size);
    PCHECK(got > 0);
    bytes += got;
    size -= static_cast<size_t>(got);
  }
}

size_t OverTcp(const Work& work) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  PCHECK(bind(listener, generic, length) == 0 && listen(listener, 1) == 0);
  PCHECK(getsockname(listener, generic, &length) == 0);
  const std::string head = HeadOf().SerializeAsString();
  std::jthread leader([&] {
    const int peer = accept(listener, nullptr, nullptr);
    PCHECK(peer >= 0);
    for (int sent = 0; sent < work.messages; ++sent) {
      WriteAll(peer, head, *work.Of(sent));
    }
    close(peer);
  });
  const int follower = socket(AF_INET, SOCK_STREAM, 0);
  PCHECK(connect(follower, generic, length) == 0);
  size_t bytes = 0;
  std::string taken_head(head.size(), '\0');
  for (int taken = 0; taken < work.messages; ++taken) {
    ReadAll(follower, taken_head.data(), taken_head.size());
    const size_t size = work.Of(taken)->size();
    const std::unique_ptr<char[]> batch(new char[size]);  // Not set to zero first.
    ReadAll(follower, batch.get(), size);
    bytes += size;
  }
  close(follower);
  close(listener);
  return bytes;
}

double CpuSeconds() {
  rusage usage = {};
  PCHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Measure(const char* name, const Work& work, const std::function<size_t(const Work&)>& run) {
  const auto began = std::chrono::steady_clock::now();
  const double cpu = CpuSeconds();
  const size_t bytes = run(work);
  const double used = CpuSeconds() - cpu;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  CHECK_EQ(static_cast<double>(bytes), work.megabytes() * 1e6) << "not everything came";
  std::cout << name << ": " << 1000 * used / work.megabytes() << " ms/MB, "
            << work.megabytes() / wall.count() << " MB/s" << std::endl;
}

void Run(size_t batch_bytes, int messages, int runs) {
  // As the broker does; there is only one thread yet.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // NOLINT(concurrency-mt-unsafe)
  mallopt(M_TRIM_THRESHOLD, 64 << 20);  // NOLINT(concurrency-mt-unsafe)
  Work work{.payloads = {}, .messages = messages};
  for (size_t i = 0; i < kPayloads; ++i) {
    work.payloads.push_back(
        std::make_shared<const std::string>(batch_bytes, static_cast<char>('a' + i)));
  }
  for (int run = 0; run < runs; ++run) {
    Measure("protobuf bytes", work, OverProtobuf);
    Measure("ByteBuffer slices", work, OverSlices);
    Measure("plain TCP", work, OverTcp);
  }
}

}  // namespace
}  // namespace regent::bench

// NOLINTNEXTLINE(bugprone-exception-escape): what nobody expects ends the process.
int main(int argc, char** argv) {
  CLI::App app("What a transport of record batches costs, both ends together");
  size_t batch_bytes = 1 << 20;
  int messages = 1000;
  int runs = 3;
  app.add_option("--batch-bytes", batch_bytes, "Size of a message's payload")
      ->capture_default_str();
  app.add_option("--messages", messages, "Of a run")->capture_default_str();
  app.add_option("--runs", runs, "Of each transport, in turn")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  regent::bench::Run(batch_bytes, messages, runs);
}
