#include <array>
#include <optional>

#include <sluice/base/ascii.hpp>
#include <sluice/event/field_hint.hpp>

namespace sluice {
namespace {

struct Alias {
  std::string_view written;  // in lower case, without `_` and `-`
  std::string_view meant;
};

constexpr std::array<Alias, 14> of_client{{{"customid", "customId"},
                                           {"customerid", "customId"},
                                           {"customidentifier", "customId"},
                                           {"externalid", "customId"},
                                           {"userid", "customId"},
                                           {"email", "email"},
                                           {"emailaddress", "email"},
                                           {"mail", "email"},
                                           {"uuid", "uuid"},
                                           {"clientuuid", "uuid"},
                                           {"guid", "uuid"},
                                           {"id", "id"},
                                           {"clientid", "id"},
                                           {"profileid", "id"}}};
constexpr std::array<Alias, 16> of_event{{{"time", "time"},
                                          {"timestamp", "time"},
                                          {"eventtime", "time"},
                                          {"eventtimestamp", "time"},
                                          {"datetime", "time"},
                                          {"occurredat", "time"},
                                          {"createdat", "time"},
                                          {"eventsalt", "eventSalt"},
                                          {"salt", "eventSalt"},
                                          {"action", "action"},
                                          {"eventname", "action"},
                                          {"client", "client"},
                                          {"profile", "client"},
                                          {"params", "params"},
                                          {"parameters", "params"},
                                          {"properties", "params"}}};
constexpr std::size_t alias_bytes_max = 16;

struct Word {
  std::array<char, alias_bytes_max> bytes{};
  std::size_t size = 0;

  [[nodiscard]] std::string_view text() const { return {bytes.data(), size}; }
};

// In lower case, without what people write in several ways; nothing for what is too long to be one.
std::optional<Word> word_of(std::string_view name) {
  Word word;
  for (const char c : name) {
    if (c == '_' || c == '-') {
      continue;
    }
    if (word.size == word.bytes.size()) {
      return std::nullopt;
    }
    word.bytes[word.size++] = is_letter(c) ? static_cast<char>(c | 0x20) : c;
  }
  return word;
}

template <class Aliases>
std::string_view look_up(const Aliases& aliases, std::string_view name) {
  const std::optional<Word> word = word_of(name);
  for (const Alias& alias : aliases) {
    if (word && alias.written == word->text()) {
      return alias.meant == name ? std::string_view() : alias.meant;
    }
  }
  return {};
}

}  // namespace

std::string_view hint_for(std::string_view parent, std::string_view name) {
  return parent == "client" ? look_up(of_client, name)
         : parent.empty()   ? look_up(of_event, name)
                            : std::string_view();
}

}  // namespace sluice
