#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sluice/base/ascii.hpp>
#include <sluice/event/field_hint.hpp>

namespace sluice {
namespace {

constexpr FieldHint meant_custom_id{"customId",
                                    "the API knows no such field: did you mean `customId`?"};
constexpr FieldHint meant_email{"email", "the API knows no such field: did you mean `email`?"};
constexpr FieldHint meant_uuid{"uuid", "the API knows no such field: did you mean `uuid`?"};
constexpr FieldHint meant_id{"id", "the API knows no such field: did you mean `id`?"};
constexpr FieldHint meant_time{"time", "the API knows no such field: did you mean `time`?"};
constexpr FieldHint meant_event_salt{"eventSalt",
                                     "the API knows no such field: did you mean `eventSalt`?"};
constexpr FieldHint meant_action{"action", "the API knows no such field: did you mean `action`?"};
constexpr FieldHint meant_client{"client", "the API knows no such field: did you mean `client`?"};
constexpr FieldHint meant_params{"params", "the API knows no such field: did you mean `params`?"};
constexpr FieldHint meant_recorded_at{"recordedAt",
                                      "the API knows no such field: did you mean `recordedAt`?"};
constexpr FieldHint meant_order_id{"orderId",
                                   "the API knows no such field: did you mean `orderId`?"};

struct Alias {
  std::string_view written;  // in lower case, without `_` and `-`
  FieldHint hint;
};

constexpr std::array<Alias, 14> of_client{{{"customid", meant_custom_id},
                                           {"customerid", meant_custom_id},
                                           {"customidentifier", meant_custom_id},
                                           {"externalid", meant_custom_id},
                                           {"userid", meant_custom_id},
                                           {"email", meant_email},
                                           {"emailaddress", meant_email},
                                           {"mail", meant_email},
                                           {"uuid", meant_uuid},
                                           {"clientuuid", meant_uuid},
                                           {"guid", meant_uuid},
                                           {"id", meant_id},
                                           {"clientid", meant_id},
                                           {"profileid", meant_id}}};
constexpr std::array<Alias, 17> of_event{{{"time", meant_time},
                                          {"timestamp", meant_time},
                                          {"eventtime", meant_time},
                                          {"eventtimestamp", meant_time},
                                          {"datetime", meant_time},
                                          {"recordedat", meant_time},
                                          {"occurredat", meant_time},
                                          {"createdat", meant_time},
                                          {"eventsalt", meant_event_salt},
                                          {"salt", meant_event_salt},
                                          {"action", meant_action},
                                          {"eventname", meant_action},
                                          {"client", meant_client},
                                          {"profile", meant_client},
                                          {"params", meant_params},
                                          {"parameters", meant_params},
                                          {"properties", meant_params}}};
constexpr std::array<Alias, 12> of_transaction{{{"recordedat", meant_recorded_at},
                                                {"time", meant_recorded_at},
                                                {"timestamp", meant_recorded_at},
                                                {"eventtime", meant_recorded_at},
                                                {"datetime", meant_recorded_at},
                                                {"occurredat", meant_recorded_at},
                                                {"createdat", meant_recorded_at},
                                                {"eventsalt", meant_event_salt},
                                                {"salt", meant_event_salt},
                                                {"client", meant_client},
                                                {"profile", meant_client},
                                                {"orderid", meant_order_id}}};
constexpr std::size_t alias_bytes_max = 16;

struct Word {
  std::array<char, alias_bytes_max> bytes{};
  std::size_t size = 0;

  [[nodiscard]] std::string_view text() const { return {bytes.data(), size}; }
};

// In lower case, without what people write in several ways; nothing for what is too long to be one.
std::optional<Word> word_of(std::string_view name) {
  if (name.size() > 2 * alias_bytes_max) {
    return std::nullopt;
  }
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

// A known name, as it is recognised however it is written.
struct Spelling {
  std::string word;
  std::string_view name;
  std::string message;
};

std::vector<Spelling> spellings_of(std::initializer_list<std::string_view> names) {
  std::vector<Spelling> spellings;
  for (const std::string_view name : names) {
    std::string word;
    for (const char c : name) {
      word += is_letter(c) ? static_cast<char>(c | 0x20) : c;
    }
    spellings.push_back(
        {.word = std::move(word),
         .name = name,
         .message = "the API knows no such field: did you mean `" + std::string(name) + "`?"});
  }
  return spellings;
}

const std::vector<Spelling>& transaction_spellings() {
  static const std::vector<Spelling> spellings = spellings_of(
      {"products", "revenue", "value", "paymentInfo", "source", "discountAmount", "metadata"});
  return spellings;
}

const std::vector<Spelling>& product_spellings() {
  static const std::vector<Spelling> spellings =
      spellings_of({"sku", "name", "quantity", "finalUnitPrice", "regularPrice", "discountPrice",
                    "netUnitPrice", "discountPercent", "categories"});
  return spellings;
}

FieldHint look_up(const std::vector<Spelling>& spellings, std::string_view name) {
  if (std::ranges::find(spellings, name, &Spelling::name) != spellings.end()) {
    return {};  // as most are
  }
  const std::optional<Word> word = word_of(name);
  for (const Spelling& spelling : spellings) {
    if (word && spelling.word == word->text()) {
      return {.meant = spelling.name, .message = spelling.message};
    }
  }
  return {};
}

template <class Aliases>
FieldHint look_up(const Aliases& aliases, std::string_view name) {
  const std::optional<Word> word = word_of(name);
  for (const Alias& alias : aliases) {
    if (word && alias.written == word->text()) {
      return alias.hint.meant == name ? FieldHint() : alias.hint;
    }
  }
  return {};
}

}  // namespace

FieldHint hint_for(FieldOf parent, std::string_view name) {
  switch (parent) {
    case FieldOf::event:
      return look_up(of_event, name);
    case FieldOf::transaction:
      if (const FieldHint hint = look_up(of_transaction, name); !hint.meant.empty()) {
        return hint;
      }
      return look_up(transaction_spellings(), name);
    case FieldOf::product:
      return look_up(product_spellings(), name);
    case FieldOf::client:
      return look_up(of_client, name);
  }
  return {};
}

}  // namespace sluice
