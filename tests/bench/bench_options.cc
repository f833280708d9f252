#include "tests/bench/bench_options.h"

#include "common/table_spec.h"

namespace rowhouse {

void AddBenchSettings(BenchOptions* options, uint32_t batch_rows_min, Settings* settings) {
  settings->Integer("rows", &options->rows, {1, 1ull << 32}, "rows",
                    "Rows in each table, rounded down to whole batches");
  settings->Integer("dim", &options->dim, {1, kDimMax}, "floats", "Length of a row");
  settings->Integer("batch_rows", &options->batch_rows, {batch_rows_min, 1 << 20}, "rows",
                    "Rows in a request");
  settings->Integer("in_flight", &options->in_flight, {1, 64}, "requests", "Open at a time");
  settings->Switch("pin", &options->pin,
                   "Give the servers the first half of the processors and the client the rest");
  settings->Switch("peers", &options->peers, "Measure Redis and PyTorch, too");
  settings->Text("server", &options->server, "FILE",
                 "The rowhouse-ps to measure; by default the one beside this program");
  settings->Text("data_dir", &options->data_dir, "DIR",
                 "Where the server's data goes meanwhile; by default a temporary directory");
  settings->Text("commit", &options->commit, "ID", "What the JSON says was measured");
  settings->Text("json", &options->json_file, "FILE", "Write the results as JSON too");
}

}  // namespace rowhouse
