// What the lobby and all shards of one server share.
//
// Threading: options and endpoints constant; the rest is safe from any thread.
#pragma once

#include <sys/resource.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <utility>

#include "common/types.h"
#include "ps/net/server.h"
#include "ps/refusal_counters.h"

namespace rowhouse {

struct ServerContext {
  explicit ServerContext(ServerOptions server_options)
      : options(std::move(server_options)),
        log_pool(options.io_threads),
        file_pool(options.io_threads),
        read_pool(options.read_threads) {
    // Linux gives each thread a priority of its own: requests go before a checkpoint's files.
    boost::asio::post(checkpoint_pool, [] { ::setpriority(PRIO_PROCESS, 0, kCheckpointNice); });
  }

  static constexpr int kCheckpointNice = 10;

  const ServerOptions options;
  RefusalCounters refusals;
  std::atomic<uint32_t> connections{0};
  // Apart, because acknowledgements wait for the push log, and a file may take seconds: it waits
  // for RocksDB's merges.
  boost::asio::thread_pool log_pool;         // writes of the push log
  boost::asio::thread_pool file_pool;        // files of rows
  boost::asio::thread_pool read_pool;        // reads of missing rows
  boost::asio::thread_pool memory_pool{1};   // pages that tables are about to grow into
  boost::asio::thread_pool removal_pool{1};  // blocks of removed files, which nobody waits for
  // Images and publishing, one after another.
  boost::asio::thread_pool checkpoint_pool{1};
};

// Counts one connection for as long as it lives.
class ConnectionSlot {
 public:
  explicit ConnectionSlot(ServerContext* context) : context_(context) { ++context_->connections; }
  ~ConnectionSlot() { --context_->connections; }
  ConnectionSlot(const ConnectionSlot&) = delete;
  ConnectionSlot& operator=(const ConnectionSlot&) = delete;

 private:
  ServerContext* context_;
};

}  // namespace rowhouse
