// Lets RocksDB outlive a full disk. As it comes, version 7.8 does not:
//
// - its own log file lies on the disk that it speaks of; the line after one that failed aborts the
//   process;
// - after "no space" in its manifest it stays stopped, whatever is freed, and the next ingest
//   aborts: only its way for errors that may pass brings a database back whole.
//
// So its errors go to the server's log, and "no space" reaches it as an error that may pass: it
// tries again every second, and refuses ingests until that works.
//
// Threading: while the options are made.
#pragma once

#include <memory>

namespace rocksdb {
class Env;
class Logger;
class Status;
struct Options;
}  // namespace rocksdb

namespace rowhouse {

// No log file in the database's folder.
std::shared_ptr<rocksdb::Logger> MakeRocksLogger();

// Sets the environment of `options` to one over the present one. What is returned outlives the
// database.
std::unique_ptr<rocksdb::Env> SurviveFullDisk(rocksdb::Options* options);

// Whether the error is one that was "no space" before.
bool IsFullDisk(const rocksdb::Status& status);

}  // namespace rowhouse
