// What a table is: name, dim, initial values, optimizer, durability. Clients state it, shards keep
// it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/types.h"

namespace rowhouse {

inline constexpr uint32_t kDimMax = 8192;
inline constexpr size_t kTableNameBytesMax = 128;
// A gradient element beyond this is refused; with it no Adagrad step can leave the finite floats.
inline constexpr float kGradientAbsMax = 1e15f;

enum class InitializerKind : uint8_t { kZeros = 0, kConstant = 1, kUniform = 2, kNormal = 3 };

// Initial values of a row that no push has touched.
//   zeros: 0     constant: a     uniform: in [a, b)     normal: mean a, standard deviation b
struct Initializer {
  InitializerKind kind = InitializerKind::kZeros;
  float a = 0;
  float b = 0;

  static Initializer Zeros() { return {}; }
  static Initializer Constant(float value) { return {InitializerKind::kConstant, value, 0}; }
  static Initializer Uniform(float low, float high) {
    return {InitializerKind::kUniform, low, high};
  }
  static Initializer Normal(float mean, float stddev) {
    return {InitializerKind::kNormal, mean, stddev};
  }
  bool operator==(const Initializer&) const = default;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(kind, a, b);
  }
};

enum class OptimizerKind : uint8_t { kAdagrad = 1 };

// Element-wise Adagrad; meanings and defaults as torch.optim.Adagrad. Doubles, because the learning
// rate of a step is computed in double and rounded to float once.
struct Adagrad {
  double lr = 0.01;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;

  bool operator==(const Adagrad&) const = default;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(lr, lr_decay, weight_decay, initial_accumulator_value, eps);
  }
};

// What the acknowledgement of a push waits for. Ordered: a later one implies the earlier ones.
enum class Durability : uint8_t {
  kMemory = 0,  // applied; the log record follows within a stated time
  kLog = 1,     // log record handed to the operating system: survives a killed process
  kFsync = 2,   // log record synced: survives power loss
};

struct TableSpec {
  std::string name;
  uint32_t dim = 0;
  uint64_t seed = 0;  // of the initial values
  Initializer initializer;
  OptimizerKind optimizer = OptimizerKind::kAdagrad;
  Adagrad adagrad;
  Durability durability = Durability::kLog;

  bool operator==(const TableSpec&) const = default;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(name, dim, seed, initializer, optimizer, adagrad, durability);
  }
};

// XXH3 of the name; clients in any order agree on it, and a server refuses two names with one id.
TableId TableIdOf(std::string_view name);

// Names the field that is out of bounds, and the bounds.
absl::Status Validate(const TableSpec& spec);

// OK where equal; else a refusal that names the first differing field with both values:
// "table 'user': dim is 64 on the server, 32 in this request".
absl::Status CheckSameSpec(const TableSpec& server, const TableSpec& request);

std::string_view InitializerKindName(InitializerKind kind);
std::string_view DurabilityName(Durability durability);

}  // namespace rowhouse
