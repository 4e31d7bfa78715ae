// Numbers in bytes, little endian, as they are in memory here and in RocksDB's files.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice::store {

template <class T>
void put_number(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

// Takes numbers off the front; beyond the end it gives zeros, and is not ok() any more.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T take() {
    T value{};
    if (const std::string_view taken = take_bytes(sizeof(T)); taken.size() == sizeof(T)) {
      std::memcpy(&value, taken.data(), sizeof(T));
    }
    return value;
  }
  // 7 bits a byte, the lowest first; the highest bit says that there are more.
  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = take<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) {
        return value;
      }
    }
    ok_ = false;
    return 0;
  }
  std::string_view take_bytes(std::uint64_t size) {
    if (size > bytes_.size()) {
      ok_ = false;
      size = 0;
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return bytes_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size(); }
  // What was taken is nonsense unless that is so: then it is not ok() any more either.
  void expect(bool so) { ok_ = ok_ && so; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace sluice::store
