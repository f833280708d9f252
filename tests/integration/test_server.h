// A server inside the test, listening on a TCP port of its own and on a Unix-domain socket.
//
//   TestServer server(TestServer::InMemory());
//   ASSERT_TRUE(server.Start().ok());
//   RawClient::Greet(server.endpoint(Transport::kTcp), ShardId(0));
//
// Threading: one thread; the server has its own.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "ps/net/server.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {

enum class Transport { kTcp, kUnix };

class TestServer {
 public:
  // Options of a server whose shards keep everything in memory, gone when it stops.
  static ServerOptions InMemory();

  // Fills in where the server listens and, below a directory of its own, where its data lies.
  explicit TestServer(ServerOptions options);

  // Also again after Stop, on the same data.
  absl::Status Start();
  // Returns when everything is written, or with what was not.
  absl::Status Stop();

  std::string endpoint(Transport transport) const;
  const std::string& data_dir() const { return options_.data_dir; }

 private:
  TempDir dir_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

}  // namespace rowhouse
