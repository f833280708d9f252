// A relay in front of a server that cuts connections in the middle of frames.
//
//   Relay relay(cluster.endpoints()[0], seed);
//   options.servers = {relay.endpoint()};
//   relay.CutAfter(30000);   // from here on a connection lives for 1 to 30,000 bytes more
#pragma once

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "common/net/stream.h"
#include "common/text.h"

namespace rowhouse {

class Relay {
 public:
  Relay(const std::string& upstream, uint64_t seed)
      : upstream_(ParseEndpoint(upstream).value()),
        random_(seed),
        acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}),
        endpoint_(StrCat("127.0.0.1:", acceptor_.local_endpoint().port())) {
    asio::co_spawn(io_, Accept(), [](std::exception_ptr) {});
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Relay() {
    io_.stop();
    thread_.join();
  }

  const std::string& endpoint() const { return endpoint_; }
  // Concerns the connections there are, and all later ones.
  void CutAfter(uint64_t bytes_max) {
    asio::post(io_, [this, bytes_max] {
      cut_bytes_max_ = bytes_max;
      for (const auto& pair : pairs_) pair->bytes_left = Budget();
    });
  }
  uint64_t cuts() const { return cuts_; }

 private:
  struct Pair {
    StreamSocket client;
    StreamSocket server;
    uint64_t bytes_left;

    void Close() {
      boost::system::error_code ignored;
      client.close(ignored);
      server.close(ignored);
    }
  };

  uint64_t Budget() { return cut_bytes_max_ == 0 ? UINT64_MAX : 1 + random_() % cut_bytes_max_; }

  asio::awaitable<void> Accept() {
    while (true) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwaitTuple);
      if (error) co_return;
      absl::StatusOr<StreamSocket> server = co_await ConnectTo(upstream_);
      if (!server.ok()) continue;
      auto pair =
          std::make_shared<Pair>(StreamSocket(std::move(socket)), *std::move(server), Budget());
      pairs_.insert(pair);
      asio::co_spawn(io_, Pump(pair, &pair->client, &pair->server), [](std::exception_ptr) {});
      asio::co_spawn(io_, Pump(pair, &pair->server, &pair->client), [](std::exception_ptr) {});
    }
  }

  asio::awaitable<void> Pump(std::shared_ptr<Pair> pair, StreamSocket* from, StreamSocket* to) {
    std::vector<std::byte> buffer(16 << 10);
    while (true) {
      auto [error, bytes] = co_await from->async_read_some(asio::buffer(buffer), kAwaitTuple);
      if (error) break;
      const size_t taken = std::min<uint64_t>(bytes, pair->bytes_left);
      pair->bytes_left -= taken;
      std::vector<asio::const_buffer> pieces;
      pieces.emplace_back(buffer.data(), taken);
      absl::Status written = co_await WriteAll(*to, std::move(pieces));
      if (!written.ok()) break;
      if (pair->bytes_left > 0) continue;
      ++cuts_;
      break;
    }
    pair->Close();
    pairs_.erase(pair);
  }

  asio::io_context io_;  // outlives the sockets of pairs_
  const Endpoint upstream_;
  std::atomic<uint64_t> cuts_ = 0;
  // The relay's thread alone.
  uint64_t cut_bytes_max_ = 0;  // 0: never
  std::set<std::shared_ptr<Pair>> pairs_;
  std::mt19937_64 random_;
  asio::ip::tcp::acceptor acceptor_;
  const std::string endpoint_;
  std::thread thread_;
};

}  // namespace rowhouse
