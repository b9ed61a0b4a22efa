// What every operator's tool expects of a gRPC server: health and reflection. Their messages are
// put together by hand: the packages bring no generated code for them.

#include "controller/io/grpc_server.h"

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "controller/io/admin_service.h"
#include "controller/io/controller_service.h"
#include "controller/io/office_source.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* kServing = "\x08\x01";
constexpr const char* kNotServing = "\x08\x02";

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

std::string TextOf(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(bytes.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

/// A protobuf field of bytes: all lengths here fit one byte.
std::string Field(int number, const std::string& value) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(value.size()) +
         value;
}

class GrpcServerTest : public testing::Test {
 protected:
  GrpcServerTest()
      : controller_(nullptr),
        admin_(office_, nullptr, [] { return int64_t{0}; }),
        server_(*GrpcServer::Start(
            {.listen = Endpoint{"127.0.0.1", 0}, .services = {&controller_, &admin_}})),
        stub_(grpc::CreateChannel("127.0.0.1:" + std::to_string(server_->port()),
                                  grpc::InsecureChannelCredentials())) {}

  /// The HealthCheckResponse; nothing if the service is not known.
  std::optional<std::string> HealthOf(const std::string& service) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    const grpc::ByteBuffer request = Bytes(Field(1, service));
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub_.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                    [&](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return std::nullopt;
    }
    EXPECT_TRUE(status.ok()) << status.error_message();
    return TextOf(response);
  }

  OfficeBoard office_;
  ControllerService controller_;
  AdminService admin_;
  std::unique_ptr<GrpcServer> server_;
  grpc::GenericStub stub_;
};

TEST_F(GrpcServerTest, TellsTheHealthOfTheProcessAndOfEachService) {
  EXPECT_EQ(HealthOf(""), kServing);
  EXPECT_EQ(HealthOf("regent.v1.Controller"), std::nullopt);
  server_->SetHealthy("regent.v1.Controller", false);
  EXPECT_EQ(HealthOf("regent.v1.Controller"), kNotServing);
  server_->SetHealthy("regent.v1.Controller", true);
  EXPECT_EQ(HealthOf("regent.v1.Controller"), kServing);
}

TEST_F(GrpcServerTest, ListsItsServicesByReflection) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(10));
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto stream = stub_.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(next());
  stream->WriteLast(Bytes(Field(7, "*")), {}, nullptr);  // list_services
  ASSERT_TRUE(next());
  grpc::ByteBuffer response;
  stream->Read(&response, nullptr);
  ASSERT_TRUE(next());
  const std::string services = TextOf(response);
  for (const char* service : {"regent.v1.Admin", "regent.v1.Controller", "grpc.health.v1.Health"}) {
    EXPECT_THAT(services, HasSubstr(service));
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(next());
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace regent::controller
