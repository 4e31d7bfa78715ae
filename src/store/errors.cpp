#include <string>
#include <system_error>

#include <sluice/store/engine.hpp>

namespace sluice::store {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "store"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::failed:
        return "the store cannot be read or written at present";
      case Errc::disk_full:
        return "the disk is full";
      case Errc::corrupt:
        return "the store is damaged";
      case Errc::locked:
        return "the store is in use by another process";
      case Errc::format:
        return "the store has another format";
      case Errc::unreadable:
        return "the device refuses to read a part of the store";
      case Errc::gone:
        return "the store's files are not where they were";
    }
    return "unknown";
  }
};

}  // namespace

std::error_code make_error_code(Errc code) {
  static const Category category;
  return {static_cast<int>(code), category};
}

}  // namespace sluice::store
