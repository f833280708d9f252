// cereal archives for control messages, bounded by the bytes that are there.
//
// cereal's own binary archives trust a size field and allocate what it says. These do not: strings
// are taken only where all their bytes are present, sequences grow one element at a time as bytes
// are consumed, so reading never allocates more than a constant times the frame.
//
//   std::vector<std::byte> body = EncodeControl(message);
//   ASSIGN_OR_RETURN(CreateTable message, DecodeControl<CreateTable>(frame.body));
//
// Encoding: integers and floats little-endian in their own width, enums as their representation,
// bool as one byte (0 or 1), strings and vectors as u32 count and elements.
//
// Errors: ControlReader throws ControlReadError; DecodeControl turns it into kMalformed.
#pragma once

#include <bit>
#include <cereal/cereal.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "common/refusal.h"
#include "common/types.h"

namespace rowhouse {

struct ControlReadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ControlWriter : public cereal::OutputArchive<ControlWriter, cereal::AllowEmptyClassElision> {
 public:
  explicit ControlWriter(std::vector<std::byte>* out) : OutputArchive(this), out_(out) {}

  void Write(const void* data, size_t bytes) {
    if (bytes == 0) return;
    const size_t at = out_->size();
    out_->resize(at + bytes);
    std::memcpy(out_->data() + at, data, bytes);
  }

 private:
  std::vector<std::byte>* out_;
};

class ControlReader : public cereal::InputArchive<ControlReader, cereal::AllowEmptyClassElision> {
 public:
  explicit ControlReader(std::span<const std::byte> in) : InputArchive(this), in_(in) {}

  void Read(void* data, size_t bytes) {
    if (bytes > in_.size()) throw ControlReadError("message ends too early");
    if (bytes != 0) std::memcpy(data, in_.data(), bytes);
    in_ = in_.subspan(bytes);
  }
  size_t remaining() const { return in_.size(); }

 private:
  std::span<const std::byte> in_;
};

template <typename T>
requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(ControlWriter& archive, const T& value) {
  static_assert(std::endian::native == std::endian::little);
  archive.Write(&value, sizeof(value));
}

template <typename T>
requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(ControlReader& archive, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    uint8_t byte = 0;
    archive.Read(&byte, 1);
    if (byte > 1) throw ControlReadError("a truth value is neither 0 nor 1");
    value = byte != 0;
  } else {
    archive.Read(&value, sizeof(value));
  }
}

inline void CEREAL_SAVE_FUNCTION_NAME(ControlWriter& archive, const std::string& text) {
  archive(static_cast<uint32_t>(text.size()));
  archive.Write(text.data(), text.size());
}

inline void CEREAL_LOAD_FUNCTION_NAME(ControlReader& archive, std::string& text) {
  uint32_t bytes = 0;
  archive(bytes);
  if (bytes > archive.remaining()) throw ControlReadError("a string ends beyond the message");
  text.resize(bytes);
  archive.Read(text.data(), bytes);
}

template <typename T>
void CEREAL_SAVE_FUNCTION_NAME(ControlWriter& archive, const std::vector<T>& items) {
  archive(static_cast<uint32_t>(items.size()));
  for (const T& item : items) archive(item);
}

template <typename T>
void CEREAL_LOAD_FUNCTION_NAME(ControlReader& archive, std::vector<T>& items) {
  uint32_t count = 0;
  archive(count);
  items.clear();
  for (uint32_t i = 0; i < count; ++i) {
    const size_t before = archive.remaining();
    archive(items.emplace_back());
    if (archive.remaining() == before) throw ControlReadError("a sequence of empty elements");
  }
}

template <typename Tag, typename Rep>
void CEREAL_SAVE_FUNCTION_NAME(ControlWriter& archive, const Strong<Tag, Rep>& value) {
  archive(value.value());
}

template <typename Tag, typename Rep>
void CEREAL_LOAD_FUNCTION_NAME(ControlReader& archive, Strong<Tag, Rep>& value) {
  Rep number = 0;
  archive(number);
  value = Strong<Tag, Rep>(number);
}

template <typename Message>
std::vector<std::byte> EncodeControl(const Message& message) {
  std::vector<std::byte> bytes;
  ControlWriter writer(&bytes);
  writer(message);
  return bytes;
}

// The whole of `body` must be one message; bytes left over are an error.
template <typename Message>
absl::StatusOr<Message> DecodeControl(std::span<const std::byte> body) {
  Message message;
  try {
    ControlReader reader(body);
    reader(message);
    if (reader.remaining() != 0) {
      return Refuse(RefusalReason::kMalformed, Message::kName, ": ", reader.remaining(),
                    " bytes too many");
    }
  } catch (const ControlReadError& error) {
    return Refuse(RefusalReason::kMalformed, Message::kName, ": ", error.what());
  }
  return message;
}

}  // namespace rowhouse

CEREAL_REGISTER_ARCHIVE(rowhouse::ControlWriter)
CEREAL_REGISTER_ARCHIVE(rowhouse::ControlReader)
CEREAL_SETUP_ARCHIVE_TRAITS(rowhouse::ControlReader, rowhouse::ControlWriter)
