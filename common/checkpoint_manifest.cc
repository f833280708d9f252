#include "common/checkpoint_manifest.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>
#include <span>

#include "absl/strings/str_format.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

namespace json = boost::json;

constexpr std::string_view kFormatName = "rowhouse_checkpoint";
constexpr uint64_t kFormat = 1;

// Every format ends like this: what a program can check before it understands the rest.
constexpr std::string_view kChecksumBegin = ",\n  \"checksum\": \"";
constexpr std::string_view kChecksumEnd = "\"\n}\n";
constexpr std::string_view kTextEnd = "\n}\n";
constexpr size_t kHexDigits = 16;
constexpr size_t kTailBytes = kChecksumBegin.size() + kHexDigits + kChecksumEnd.size();

std::string_view View(json::string_view text) { return {text.data(), text.size()}; }

std::string Hex(uint64_t value) { return absl::StrFormat("%016x", value); }

std::optional<uint64_t> FromHex(std::string_view text) {
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, 16);
  if (text.size() != kHexDigits || result.ec != std::errc() || result.ptr != end) {
    return std::nullopt;
  }
  return value;
}

uint64_t ChecksumOf(std::string_view text) {
  return Checksum(std::as_bytes(std::span(text.data(), text.size())));
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(StrCat("the manifest is damaged: ", what));
}

// --- Writing.

bool IsContainer(const json::value& value) { return value.is_object() || value.is_array(); }

bool HoldsContainers(const json::value& value) {
  if (value.is_array()) {
    return std::any_of(value.get_array().begin(), value.get_array().end(), IsContainer);
  }
  if (!value.is_object()) return false;
  return std::any_of(value.get_object().begin(), value.get_object().end(),
                     [](const auto& member) { return IsContainer(member.value()); });
}

// What holds no further lists or objects takes one line: a file, a half step.
void Write(const json::value& value, size_t indent, std::string* out) {
  if (!HoldsContainers(value)) {
    out->append(json::serialize(value));
    return;
  }
  const std::string line = StrCat("\n", std::string(indent + 2, ' '));
  std::string_view before = line;
  const std::string between = StrCat(",", line);
  out->append(value.is_object() ? "{" : "[");
  const auto begin_item = [&] {
    out->append(before);
    before = between;
  };
  if (value.is_object()) {
    for (const auto& member : value.get_object()) {
      begin_item();
      out->append(StrCat(json::serialize(member.key()), ": "));
      Write(member.value(), indent + 2, out);
    }
  } else {
    for (const json::value& item : value.get_array()) {
      begin_item();
      Write(item, indent + 2, out);
    }
  }
  out->append(StrCat("\n", std::string(indent, ' '), value.is_object() ? "}" : "]"));
}

json::value ToJson(const HalfStep& half) {
  return json::object{
      {"client", Hex(half.client.value())},  {"incarnation", half.incarnation.value()},
      {"sequence", half.sequence.value()},   {"step", half.step.value()},
      {"parts_present", half.parts_present}, {"parts", half.parts}};
}

json::value ToJson(const CheckpointFile& file) {
  return json::object{{"name", file.name},
                      {"original", file.original},
                      {"bytes", file.bytes},
                      {"xxh3", Hex(file.checksum)}};
}

json::value ToJson(const ShardManifest& shard);

template <typename T>
json::array ToJson(const std::vector<T>& items) {
  json::array list;
  for (const T& item : items) list.push_back(ToJson(item));
  return list;
}

json::value ToJson(const ShardManifest& shard) {
  return json::object{{"shard", shard.shard.value()},
                      {"watermark", shard.watermark.value()},
                      {"cut", shard.cut.value()},
                      {"files", ToJson(shard.files)}};
}

// --- Reading: the first thing that is not as it should be is remembered.

class Reader {
 public:
  const absl::Status& status() const { return status_; }
  void Fail(std::string_view what) {
    if (status_.ok()) status_ = Damaged(what);
  }

  const json::value& Member(const json::object& object, std::string_view name) {
    static const json::value null;
    const json::value* value = object.if_contains({name.data(), name.size()});
    if (value == nullptr) Fail(StrCat("'", name, "' is missing"));
    return value == nullptr ? null : *value;
  }

  template <typename T>
  T Number(const json::object& object, std::string_view name) {
    const json::value& value = Member(object, name);
    boost::system::error_code error;
    const T number = value.to_number<T>(error);
    if (error.failed()) Fail(StrCat("'", name, "' is not a number in range"));
    return error.failed() ? T() : number;
  }

  template <typename T>
  T Tagged(const json::object& object, std::string_view name) {
    return T(Number<typename T::rep>(object, name));
  }

  std::string Text(const json::object& object, std::string_view name) {
    const json::value& value = Member(object, name);
    if (value.is_string()) return std::string(View(value.get_string()));
    Fail(StrCat("'", name, "' is not text"));
    return "";
  }

  uint64_t HexNumber(const json::object& object, std::string_view name) {
    const std::optional<uint64_t> value = FromHex(Text(object, name));
    if (!value.has_value()) Fail(StrCat("'", name, "' is not 16 hexadecimal digits"));
    return value.value_or(0);
  }

  template <typename T>
  std::vector<T> List(const json::object& object, std::string_view name,
                      T (*read)(Reader&, const json::object&)) {
    std::vector<T> list;
    const json::value& value = Member(object, name);
    if (!value.is_array()) {
      Fail(StrCat("'", name, "' is not a list"));
      return list;
    }
    for (const json::value& item : value.get_array()) {
      if (!item.is_object()) {
        Fail(StrCat("an item of '", name, "' is not an object"));
        return list;
      }
      list.push_back(read(*this, item.get_object()));
    }
    return list;
  }

 private:
  absl::Status status_;
};

// Names become paths: none may lead out of its directory.
bool IsPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

bool IsPlainPath(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    if (!IsPlainName(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

CheckpointFile ReadFile(Reader& reader, const json::object& object) {
  CheckpointFile file;
  file.name = reader.Text(object, "name");
  file.original = reader.Text(object, "original");
  file.bytes = reader.Number<uint64_t>(object, "bytes");
  file.checksum = reader.HexNumber(object, "xxh3");
  if (!IsPlainName(file.name)) reader.Fail(StrCat("'", file.name, "' is not a file's name"));
  if (!IsPlainPath(file.original)) {
    reader.Fail(StrCat("'", file.original, "' is not a path inside a shard's directory"));
  }
  return file;
}

HalfStep ReadHalfStep(Reader& reader, const json::object& object) {
  HalfStep half;
  half.client = ClientId(reader.HexNumber(object, "client"));
  half.incarnation = reader.Tagged<Incarnation>(object, "incarnation");
  half.sequence = reader.Tagged<Sequence>(object, "sequence");
  half.step = reader.Tagged<Step>(object, "step");
  half.parts_present = reader.Number<uint32_t>(object, "parts_present");
  half.parts = reader.Number<uint32_t>(object, "parts");
  return half;
}

ShardManifest ReadShard(Reader& reader, const json::object& object) {
  ShardManifest shard;
  shard.shard = reader.Tagged<ShardId>(object, "shard");
  shard.watermark = reader.Tagged<Lsn>(object, "watermark");
  shard.cut = reader.Tagged<Lsn>(object, "cut");
  shard.files = reader.List<CheckpointFile>(object, "files", ReadFile);
  return shard;
}

void CheckWhole(const CheckpointManifest& manifest, Reader& reader) {
  if (manifest.mark.value() == 0) reader.Fail("its mark is 0");
  if (manifest.shard_count == 0 || manifest.shard_count > kShardCountMax) {
    reader.Fail(StrCat(manifest.shard_count, " shards"));
  }
  if (manifest.shards.size() != manifest.shard_count) {
    reader.Fail(
        StrCat("it lists ", manifest.shards.size(), " of ", manifest.shard_count, " shards"));
  }
  for (size_t i = 0; i < manifest.shards.size(); ++i) {
    if (manifest.shards[i].shard.value() != i) reader.Fail("its shards are not in order");
  }
}

// The text without its checksum, which has been found right.
absl::StatusOr<std::string> CheckedBody(std::string_view text) {
  if (text.size() < kTailBytes) return Damaged("it is too short");
  const std::string_view tail = text.substr(text.size() - kTailBytes);
  if (!tail.starts_with(kChecksumBegin) || !tail.ends_with(kChecksumEnd)) {
    return Damaged("it does not end with its checksum; it may be cut off");
  }
  const auto told = FromHex(tail.substr(kChecksumBegin.size(), kHexDigits));
  std::string body = StrCat(text.substr(0, text.size() - kTailBytes), kTextEnd);
  if (!told.has_value() || *told != ChecksumOf(body)) return Damaged("its checksum is wrong");
  return body;
}

}  // namespace

std::string EncodeManifest(const CheckpointManifest& manifest) {
  const json::object object{{json::string_view(kFormatName.data(), kFormatName.size()), kFormat},
                            {"mark", manifest.mark.value()},
                            {"timeline", Hex(manifest.timeline.value())},
                            {"shard_count", manifest.shard_count},
                            {"slot_bits", manifest.slot_bits},
                            {"created_ms", manifest.created_ms},
                            {"user_data", manifest.user_data},
                            {"half_steps", ToJson(manifest.half_steps)},
                            {"shards", ToJson(manifest.shards)}};
  std::string body;
  Write(object, 0, &body);
  body.append("\n");
  const std::string checksum = Hex(ChecksumOf(body));
  body.resize(body.size() - kTextEnd.size());
  return StrCat(body, kChecksumBegin, checksum, kChecksumEnd);
}

absl::StatusOr<CheckpointManifest> DecodeManifest(std::string_view text) {
  ASSIGN_OR_RETURN(const std::string body, CheckedBody(text));
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // user_data is any text
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error, {}, options);
  if (error.failed() || !parsed.is_object()) return Damaged("it is not a JSON object");
  const json::object& object = parsed.get_object();

  Reader reader;
  const auto format = reader.Number<uint64_t>(object, kFormatName);
  if (format > kFormat) {
    return absl::UnimplementedError(StrCat("the manifest has format ", format,
                                           "; this build reads up to format ", kFormat,
                                           ": use a newer build"));
  }
  if (format == 0) reader.Fail("its format is 0");
  CheckpointManifest manifest;
  manifest.mark = reader.Tagged<Mark>(object, "mark");
  manifest.timeline = Timeline(reader.HexNumber(object, "timeline"));
  manifest.shard_count = reader.Number<uint32_t>(object, "shard_count");
  manifest.slot_bits = reader.Number<uint32_t>(object, "slot_bits");
  manifest.created_ms = reader.Number<uint64_t>(object, "created_ms");
  manifest.user_data = reader.Text(object, "user_data");
  manifest.half_steps = reader.List<HalfStep>(object, "half_steps", ReadHalfStep);
  manifest.shards = reader.List<ShardManifest>(object, "shards", ReadShard);
  CheckWhole(manifest, reader);
  RETURN_IF_ERROR(reader.status());
  return manifest;
}

std::string ManifestName(Mark mark) {
  return absl::StrFormat("checkpoint-%08d.json", mark.value());
}

Mark ParseManifestName(std::string_view name) {
  constexpr std::string_view kBegin = "checkpoint-";
  constexpr std::string_view kEnd = ".json";
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return Mark(0);
  const std::string_view digits =
      name.substr(kBegin.size(),
                  std::max(kBegin.size() + kEnd.size(), name.size()) - kBegin.size() - kEnd.size());
  uint64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec != std::errc() || ManifestName(Mark(value)) != name) return Mark(0);
  return Mark(value);
}

}  // namespace rowhouse
