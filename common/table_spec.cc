#include "common/table_spec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "common/refusal.h"
#include "common/status_macros.h"

namespace rowhouse {
namespace {

absl::Status BadSpec(const TableSpec& spec, std::string_view what) {
  return Refuse(RefusalReason::kBadTableSpec, "table '", spec.name, "': ", what);
}

absl::Status CheckReal(const TableSpec& spec, std::string_view field, double value, double low,
                       double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadSpec(spec, absl::StrFormat("%s is %g; it must be at least %g and at most %g", field,
                                       value, low, high));
}

absl::Status ValidateName(const TableSpec& spec) {
  if (spec.name.empty()) return BadSpec(spec, "the name is empty");
  if (spec.name.size() > kTableNameBytesMax) {
    return Refuse(RefusalReason::kBadTableSpec, "table name: it has ", spec.name.size(),
                  " bytes; at most ", kTableNameBytesMax, " are allowed");
  }
  for (const char c : spec.name) {
    if (c < 0x21 || c > 0x7e || c == '\'') {
      return Refuse(RefusalReason::kBadTableSpec, "table name: byte ",
                    static_cast<int>(static_cast<unsigned char>(c)),
                    " is not allowed; use printable ASCII without spaces or quotes");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateInitializer(const TableSpec& spec) {
  const Initializer& init = spec.initializer;
  if (init.kind > InitializerKind::kNormal) {
    return BadSpec(spec,
                   absl::StrFormat("unknown initializer kind %d", static_cast<int>(init.kind)));
  }
  if (!(std::fabs(init.a) <= 1e6f) || !(std::fabs(init.b) <= 1e6f)) {
    return BadSpec(
        spec, absl::StrFormat("initializer values %g, %g must lie within +-1e6", init.a, init.b));
  }
  if (init.kind == InitializerKind::kUniform && init.a > init.b) {
    return BadSpec(spec,
                   absl::StrFormat("uniform initializer: low %g is above high %g", init.a, init.b));
  }
  if (init.kind == InitializerKind::kNormal && init.b < 0) {
    return BadSpec(spec, absl::StrFormat("normal initializer: stddev %g is negative", init.b));
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status CheckSame(const TableSpec& server, std::string_view field, const T& a, const T& b) {
  if (a == b) return absl::OkStatus();
  return Refuse(RefusalReason::kTableConflict, "table '", server.name, "': ", field, " is ", a,
                " on the server, ", b, " in this request");
}

std::string Describe(const Initializer& init) {
  return absl::StrFormat("%s(%.9g, %.9g)", InitializerKindName(init.kind), init.a, init.b);
}

std::string Exact(double value) { return absl::StrFormat("%.17g", value); }

}  // namespace

TableId TableIdOf(std::string_view name) { return TableId(XXH3_64bits(name.data(), name.size())); }

std::string_view InitializerKindName(InitializerKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"zeros", "constant", "uniform", "normal"};
  const auto i = static_cast<size_t>(kind);
  return i < kNames.size() ? kNames[i] : "unknown";
}

std::string_view DurabilityName(Durability durability) {
  constexpr std::array<std::string_view, 3> kNames = {"memory", "log", "fsync"};
  const auto i = static_cast<size_t>(durability);
  return i < kNames.size() ? kNames[i] : "unknown";
}

absl::Status Validate(const TableSpec& spec) {
  RETURN_IF_ERROR(ValidateName(spec));
  if (spec.dim < 1 || spec.dim > kDimMax) {
    return BadSpec(spec, absl::StrFormat("dim is %d; it must be 1 to %d", spec.dim, kDimMax));
  }
  RETURN_IF_ERROR(ValidateInitializer(spec));
  if (spec.optimizer != OptimizerKind::kAdagrad) {
    return BadSpec(spec, absl::StrFormat("unknown optimizer %d", static_cast<int>(spec.optimizer)));
  }
  if (spec.durability > Durability::kFsync) {
    return BadSpec(spec,
                   absl::StrFormat("unknown durability %d", static_cast<int>(spec.durability)));
  }
  const Adagrad& a = spec.adagrad;
  RETURN_IF_ERROR(CheckReal(spec, "lr", a.lr, 0, 1e6));
  RETURN_IF_ERROR(CheckReal(spec, "lr_decay", a.lr_decay, 0, 1e6));
  RETURN_IF_ERROR(CheckReal(spec, "weight_decay", a.weight_decay, 0, 1e3));
  RETURN_IF_ERROR(
      CheckReal(spec, "initial_accumulator_value", a.initial_accumulator_value, 0, 1e30));
  // 1e-30: with it lr * g / eps stays finite for every g whose square underflows.
  return CheckReal(spec, "eps", a.eps, 1e-30, 1e6);
}

absl::Status CheckSameSpec(const TableSpec& server, const TableSpec& request) {
  RETURN_IF_ERROR(CheckSame(server, "name", server.name, request.name));
  RETURN_IF_ERROR(CheckSame(server, "dim", server.dim, request.dim));
  RETURN_IF_ERROR(CheckSame(server, "seed", server.seed, request.seed));
  RETURN_IF_ERROR(CheckSame(server, "initializer", Describe(server.initializer),
                            Describe(request.initializer)));
  RETURN_IF_ERROR(CheckSame(server, "optimizer", static_cast<int>(server.optimizer),
                            static_cast<int>(request.optimizer)));
  const Adagrad& a = server.adagrad;
  const Adagrad& b = request.adagrad;
  RETURN_IF_ERROR(CheckSame(server, "lr", Exact(a.lr), Exact(b.lr)));
  RETURN_IF_ERROR(CheckSame(server, "lr_decay", Exact(a.lr_decay), Exact(b.lr_decay)));
  RETURN_IF_ERROR(CheckSame(server, "weight_decay", Exact(a.weight_decay), Exact(b.weight_decay)));
  RETURN_IF_ERROR(CheckSame(server, "initial_accumulator_value", Exact(a.initial_accumulator_value),
                            Exact(b.initial_accumulator_value)));
  RETURN_IF_ERROR(CheckSame(server, "eps", Exact(a.eps), Exact(b.eps)));
  return CheckSame(server, "durability", DurabilityName(server.durability),
                   DurabilityName(request.durability));
}

}  // namespace rowhouse
