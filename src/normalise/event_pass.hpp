// One event's way through the normaliser: walks its tokens once, checks them and writes canonical
// bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sluice/event/field_hint.hpp>
#include <sluice/normalise/normaliser.hpp>
#include <sluice/normalise/time.hpp>

#include "json_walker.hpp"

namespace sluice::normalise {

// What the passes of one request share.
struct PassContext {
  JsonWalker& walker;
  Rng& rng;
  std::string& scratch;  // for what must be unescaped
  const Request& request;
  Schema schema;  // of the request's kind
  const Rules& rules;
  Normalised& out;
  std::string_view received_at_text;  // canonical form of request.received_at
};

// Room that one event's output may need beyond the bytes of its input: what is filled in, and the
// blocks in which strings are copied.
inline constexpr std::size_t output_slack_bytes = 1024;

inline constexpr std::string_view one_of_sources =
    "must be one of WEB_DESKTOP, WEB_MOBILE, MOBILE_APP, POS, MOBILE, DESKTOP";

// Where a field stands in its event; becomes text only when it is rejected.
struct FieldPath {
  std::string_view root{};
  std::optional<std::size_t> position{};  // in the array `root`
  std::string_view name{};
  std::string_view leaf{};

  [[nodiscard]] std::string to_string() const;  // such as products[2].finalUnitPrice.amount
};

class EventPass {
 public:
  EventPass(PassContext& context, std::uint32_t index)
      : context_(context),
        walker_(context.walker),
        first_token_(context.walker.mark()),
        index_(index) {}

  // The cursor stands on the event. Appends a record, or rejections, to the outcome. Moves past the
  // event unless the walker reports an error.
  void run();

 private:
  using Text = JsonWalker::Text;

  void event();
  void event_member(Text key_text);
  void type_member();
  void action_member();
  void label_member();
  void params_member();
  void param(Text key_text);
  void copy_required_param(int known);
  void finish_event();
  void check_params_email();
  void check_required_params();
  void insert_original_time();

  void transaction();
  void transaction_member(Text key_text);
  void products();
  void product(std::size_t position);
  void product_member(FieldPath field, Text key_text);
  void payment_info();
  void discount();
  void metadata();
  void finish_transaction();

  void client_member();
  void identifier_member(int identifier);
  void identifier_text(int identifier);
  void id_member();
  // Whether the identifier has the form of its kind, as far as that is asked for.
  bool check_identifier(int identifier, std::string_view value);
  void identify_profile(int identifier, std::string_view value);
  void time_member(std::string_view field);
  Result<ParsedTime, TimeError> with_zone(ParsedTime local, std::string_view field);
  void salt_member();
  // Copies `[]` as `{}`, if it is there.
  bool empty_list(std::string_view field);
  // Each checks the value at the cursor and copies it. An amount is said to be above zero or not.
  bool money(FieldPath field, std::size_t depth);
  bool amount(FieldPath field);
  void currency(FieldPath field);
  void one_of(FieldPath field, std::span<const std::string_view> allowed, Rule rule,
              std::string_view message);
  void text_value(FieldPath field);
  void number_value(FieldPath field);
  void position_value(FieldPath field);
  // Copies the integer at the cursor as a string, if it is one.
  bool number_as_text(Rule rule, FieldPath field);
  // A value of another kind of JSON: in params, which are free form, the API decides.
  void other_kind(FieldPath field, std::string_view message);
  void hash_content();
  void finish_time_and_salt(std::string_view time_name);
  // What all kinds of events have in common: fills in what is missing, and appends the record.
  void finish(std::string_view time_name);
  // Whether the event's keys and strings are within their limits; else it is rejected.
  bool check_limits();

  // The index of the member's name in the table. A known name that is written with escapes is
  // refused: it would be one name to us and another to whoever compares bytes.
  template <class Table>
  int find_field(const Table& table, Text name) {
    if (!name.escaped) [[likely]] {
      return table.find(name.raw);
    }
    context_.scratch.clear();
    if (JsonWalker::unescape(name.raw, context_.scratch) && table.find(context_.scratch) >= 0) {
      reject(RejectReason::field_invalid, {.root = context_.scratch},
             "is written with escapes: write the name plainly");
    }
    return Table::not_found;
  }

  // Whether the field comes for the first time; else it is rejected and skipped.
  bool first_time(unsigned field, std::string_view name) {
    if ((seen_ & (1U << field)) == 0) [[likely]] {
      seen_ |= 1U << field;
      return true;
    }
    refuse_value(RejectReason::duplicate_field, {.root = name}, "occurs twice");
    return false;
  }
  // The place behind a comma, if one is needed. It and the next two work on a local: through a
  // member every byte written would have to be waited for.
  [[nodiscard]] static char* comma(char* out) {
    if (out[-1] != '{' && out[-1] != '[') {
      *out++ = ',';
    }
    return out;
  }
  void key(Text name) {
    char* const out = JsonWalker::copy_key(comma(out_), name);
    *out = ':';
    out_ = out + 1;
  }
  void key(std::string_view name) {
    char* out = comma(out_);
    *out = '"';
    out = copy_text(out + 1, name);
    out[0] = '"';
    out[1] = ':';
    out_ = out + 2;
  }
  // Of a name that is known here: it is copied in a piece.
  template <std::size_t size_with_nul>
  [[gnu::always_inline]] void key(const char (&name)[size_with_nul]) {
    char* const out = comma(out_);
    *out = '"';
    std::memcpy(out + 1, name, size_with_nul - 1);
    out[size_with_nul] = '"';
    out[size_with_nul + 1] = ':';
    out_ = out + size_with_nul + 2;
  }
  // A JSON string of a text that needs no escapes.
  void quoted(std::string_view text) {
    char* out = out_;
    *out = '"';
    out = copy_text(out + 1, text);
    *out = '"';
    out_ = out + 1;
  }
  void put(std::string_view text) { out_ = copy_text(out_, text); }
  template <std::size_t size_with_nul>
  [[gnu::always_inline]] void put(const char (&text)[size_with_nul]) {
    std::memcpy(out_, text, size_with_nul - 1);
    out_ += size_with_nul - 1;
  }
  void reject(RejectReason reason, FieldPath field, std::string_view message);
  // With a message that is made only if somebody will read it.
  template <std::invocable Make>
  void reject(RejectReason reason, FieldPath field, Make&& make) {
    const std::string message = context_.out.lists_more() ? make() : std::string();
    reject(reason, field, std::string_view(message));
  }
  // The event breaks a rule that not all sources make. Whether it goes on: else it is rejected. The
  // message is static.
  [[gnu::cold, gnu::noinline]] bool goes_on(Rule rule, FieldPath field, std::string_view message);
  // Tells of a field that the API does not know and that looks like one of its own.
  [[gnu::noinline]] void unknown_member(FieldOf parent, Text name);
  [[gnu::noinline]] void unknown_product_member(FieldPath product, Text name);
  [[nodiscard]] std::string no_identifier() const;
  // The same of the string at the cursor, which is copied if the event goes on.
  void doubtful_text(Rule rule, FieldPath field, std::string_view message);
  // Rejects the value at the cursor and moves past it.
  void refuse_value(RejectReason reason, FieldPath field, std::string_view message);
  [[nodiscard]] bool strict() const { return context_.rules.strict; }

  PassContext& context_;
  JsonWalker& walker_;
  const std::uint32_t* first_token_;
  std::uint32_t index_;
  bool rejected_ = false;
  char* out_ = nullptr;
  std::size_t start_ = 0;   // of the event in the outcome's bytes
  std::uint32_t seen_ = 0;  // fields of the event, a bit each

  EventType type_ = EventType::custom;
  bool type_known_ = false;
  std::string_view action_;
  bool labelled_ = false;
  std::uint32_t identities_ = 0;            // identifiers given, a bit each
  std::string_view misnamed_identifier_{};  // of the input, and what may be meant by it
  std::string_view meant_identifier_{};
  int profile_rank_ = std::numeric_limits<int>::max();
  std::uint64_t profile_hash_ = 0;
  std::string_view client_email_;
  std::optional<Text> params_email_;  // empty for a value that is no string
  std::uint32_t required_ = 0;        // params that the type requires, a bit each
  std::uint32_t params_seen_ = 0;
  char* free_form_end_ = nullptr;  // the closing brace of params (or metadata)
  bool has_original_time_ = false;

  bool has_time_ = false;
  std::int64_t given_time_ms_ = 0;  // 0: none
  char* time_value_ = nullptr;      // in the outcome's bytes, with its quotes
  std::string_view original_time_;  // JSON text of a time that was clamped; empty: none was
  bool has_salt_ = false;
  std::string_view salt_;  // in the outcome's bytes
  std::uint64_t content_hash_ = 0;
  std::string_view currency_;  // of the first amount, where it was written
};

}  // namespace sluice::normalise
