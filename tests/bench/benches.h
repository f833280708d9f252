// What rowhouse-bench can measure; each takes its command line, without the bench's name, and
// returns the exit code.
#pragma once

namespace rowhouse {

// The headline's point and every setting varied alone around it: rates, latencies, processor time.
int RunSweepBench(int argc, char** argv);

// The figures by which Rowhouse is judged: ratios to what the machine can do, and to peers.
int RunHeadlineBench(int argc, char** argv);

// Tables larger than the memory budget, beside plain RocksDB with the same memory as block cache.
int RunTierBench(int argc, char** argv);

// How fast a shard's start loads rows and replays the log.
int RunRecoveryBench(int argc, char** argv);

// What a checkpoint costs those who train meanwhile.
int RunCheckpointBench(int argc, char** argv);

}  // namespace rowhouse
