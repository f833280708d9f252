// rowhouse-format-sample: writes, and reads back, the small data directories that are kept to prove
// that this build still reads what an older one wrote. See tests/data/make_format_sample.py.
//
//   write-first, write-second   what a directory holds: two tables, three clients, a few rows. The
//                               server is stopped in order between them and killed after the second
//   windows                     sends every push again and prints what the shard says; changes
//   nothing rows                        prints tables and rows of a stopped shard
//
// Prints JSON. Exit code: 0, 1 where something failed, 2 for wrong flags.
#include <boost/json.hpp>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/table_set.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/integration/raw_client.h"

namespace rowhouse {
namespace {

namespace json = boost::json;

TableSpec Users() {
  TableSpec spec{"users", 4, 17, Initializer::Uniform(-0.5f, 0.5f)};
  spec.adagrad = {0.1, 0.01, 0.001, 0.25, 1e-8};
  return spec;
}

TableSpec Items() {
  TableSpec spec{"items", 2, 18, Initializer::Normal(0, 0.1f)};
  spec.durability = Durability::kFsync;
  return spec;
}

TestPush MakePush(ClientId client, uint64_t incarnation, uint64_t sequence, uint64_t floor,
                  const TableSpec& table, std::vector<Key> keys) {
  TestPush push;
  push.client = client;
  push.incarnation = Incarnation(incarnation);
  push.sequence = Sequence(sequence);
  push.unretried_below = Sequence(floor);
  push.step = Step(sequence);
  TestSection section{TableIdOf(table.name), Generation(1), table.dim, std::move(keys), {}};
  for (size_t i = 0; i < section.keys.size() * table.dim; ++i) {
    section.gradients.push_back(0.25f * static_cast<float>(i + 1) -
                                static_cast<float>(sequence) / 8);
  }
  push.sections.push_back(std::move(section));
  return push;
}

// Client 101 keeps its numbers open, 102 gives them up as it goes, 103 comes back once.
std::vector<TestPush> FirstPushes() {
  return {MakePush(ClientId(101), 1, 1, 1, Users(), {Key(0), Key(1), Key(UINT64_MAX)}),
          MakePush(ClientId(101), 1, 2, 1, Items(), {Key(7), Key(8)}),
          MakePush(ClientId(102), 1, 1, 1, Users(), {Key(1), Key(2)}),
          MakePush(ClientId(102), 1, 2, 2, Users(), {Key(2), Key(3)}),
          MakePush(ClientId(103), 1, 1, 1, Items(), {Key(8)})};
}

std::vector<TestPush> SecondPushes() {
  return {MakePush(ClientId(101), 1, 3, 1, Users(), {Key(1), Key(1000)}),
          MakePush(ClientId(102), 1, 3, 3, Items(), {Key(7), Key(9)}),
          MakePush(ClientId(103), 2, 1, 1, Users(), {Key(0), Key(3)})};
}

absl::Status OpenClientOn(RawClient& server, ClientId client, uint64_t incarnation) {
  OpenClient open;
  open.client = client;
  open.incarnation = Incarnation(incarnation);
  return server.Ask<OpenClientAnswer>(Op::kOpenClient, open).status();
}

absl::Status PushAll(RawClient& server, const std::vector<TestPush>& pushes) {
  for (const TestPush& push : pushes) RETURN_IF_ERROR(server.Push(push).status());
  return absl::OkStatus();
}

absl::Status WriteFirst(RawClient& server) {
  for (const TableSpec& spec : {Users(), Items()}) {
    RETURN_IF_ERROR(server.Ask<CreateTableAnswer>(Op::kCreateTable, CreateTable{spec}).status());
  }
  for (const uint64_t id : {101, 102, 103}) {
    RETURN_IF_ERROR(OpenClientOn(server, ClientId(id), 1));
  }
  return PushAll(server, FirstPushes());
}

absl::Status WriteSecond(RawClient& server) {
  RETURN_IF_ERROR(OpenClientOn(server, ClientId(103), 2));
  return PushAll(server, SecondPushes());
}

// Of each push: the LSN under which the shard has applied it, or why it refuses to hear of it.
absl::Status PrintWindows(const std::string& endpoint) {
  std::vector<TestPush> pushes = FirstPushes();
  for (TestPush& push : SecondPushes()) pushes.push_back(std::move(push));
  json::array windows;
  for (const TestPush& push : pushes) {
    // A refusal that says "later" would end the connection, so each push has its own.
    ASSIGN_OR_RETURN(RawClient server, RawClient::Greet(endpoint, ShardId(0)));
    json::object said = {{"client", push.client.value()},
                         {"incarnation", push.incarnation.value()},
                         {"sequence", push.sequence.value()}};
    const absl::StatusOr<PushAnswer> answer = server.Push(push);
    if (answer.ok()) {
      said["lsn"] = answer->lsn.value();
      said["duplicate"] = answer->duplicate;
    } else {
      said["refused"] = std::string(RefusalReasonName(ReasonOf(answer.status())));
    }
    windows.push_back(std::move(said));
  }
  std::cout << json::serialize(windows) << std::endl;
  return absl::OkStatus();
}

json::object RowObject(const RowKey& key, const RowLayout& layout, std::byte* row) {
  json::array values;
  for (uint32_t i = 0; i < layout.dim() + layout.state_floats(); ++i) {
    values.push_back(double{RowLayout::Weights(row)[i]});
  }
  return {{"key", key.key.value()},
          {"lsn", RowLayout::Header(row).lsn.value()},
          {"weights_and_accumulators", values}};
}

absl::Status PrintRows(const std::string& shard_dir) {
  std::map<TableId, TableSpec> specs;
  json::object tables;
  for (const TableSpec& spec : {Users(), Items()}) {
    specs.emplace(TableIdOf(spec.name), spec);
    tables[spec.name] = json::array();
  }
  ASSIGN_OR_RETURN(const auto disk, OpenRocksDiskTier(shard_dir + "/rows"));
  RETURN_IF_ERROR(disk->Scan(
      "", MetaBegin(), [&](std::string_view disk_key, std::string_view value) -> absl::Status {
        ASSIGN_OR_RETURN(const RowKey key, DecodeRowKey(disk_key));
        const TableSpec& spec = specs.at(key.table);
        const RowLayout layout(spec.dim, spec.dim);
        std::vector<uint64_t> row(layout.stride_bytes() / sizeof(uint64_t));
        auto* bytes = reinterpret_cast<std::byte*>(row.data());
        RETURN_IF_ERROR(DecodeRow(value, layout, bytes));
        tables[spec.name].as_array().push_back(RowObject(key, layout, bytes));
        return absl::OkStatus();
      }));
  std::cout << json::serialize(tables) << std::endl;
  return absl::OkStatus();
}

absl::Status Run(std::string_view command, const std::string& server,
                 const std::string& shard_dir) {
  if (command == "rows") return PrintRows(shard_dir);
  if (command == "windows") return PrintWindows(server);
  ASSIGN_OR_RETURN(RawClient client, RawClient::Greet(server, ShardId(0)));
  return command == "write-first" ? WriteFirst(client) : WriteSecond(client);
}

int Main(int argc, char** argv) {
  std::string server;
  std::string shard_dir;
  Settings settings;
  settings.Section("sample", "Sample");
  settings.Text("server", &server, "HOST:PORT", "A server of one shard");
  settings.Text("shard_dir", &shard_dir, "DIR", "A stopped shard's directory");
  const auto parsed =
      settings.ParseCommandLine(argc, argv,
                                {"rowhouse-format-sample",
                                 ROWHOUSE_VERSION,
                                 "Writes and reads the sample data directories of tests/data.",
                                 {{"rows", "Print tables and rows of a stopped shard"},
                                  {"windows", "Send every push again, print what the shard says"},
                                  {"write-first", "Tables, clients and the first pushes"},
                                  {"write-second", "The pushes after a restart"}},
                                 {"rowhouse-format-sample rows --shard-dir copy/shard-0"}});
  if (!parsed.ok() || parsed->answer) {
    std::cerr << (parsed.ok() ? *parsed->answer : std::string(parsed.status().message())) << "\n";
    return parsed.ok() ? 0 : 2;
  }
  const absl::Status status = Run(parsed->command, server, shard_dir);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) { return rowhouse::Main(argc, argv); }
