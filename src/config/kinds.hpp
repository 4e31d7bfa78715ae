// The kinds of values that keys have: how each is read, printed and described (table.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>

#include "address.hpp"
#include "names.hpp"
#include "quantity.hpp"
#include "table.hpp"

namespace sluice::config {

// A type by the name of its definition in the schema.
[[nodiscard]] inline std::string defined(std::string_view name) {
  return fmt::format(R"("$ref": "#/$defs/{}")", name);
}

[[nodiscard]] inline std::string json_text(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

// A number with bounds.
template <class T>
struct Bounded {
  const Quantity<T>* quantity;
  Bounds<T> bounds;

  [[nodiscard]] std::string schema() const { return defined(quantity->name); }
  [[nodiscard]] std::string range() const {
    return fmt::format("{} to {}", quantity->format(bounds.min), quantity->format(bounds.max));
  }
  [[nodiscard]] std::optional<T> read(const Place& at) const {
    return at.quantity(*quantity, bounds);
  }
  void write(Writer& out, T value) const { out.word(quantity->format(value)); }
  [[nodiscard]] std::string json(T value) const {
    const std::string text = quantity->format(value);
    return text.find_first_not_of("0123456789.") == std::string::npos ? text : json_text(text);
  }
};

// Both ends are included; `limit` says whose limit `most` is, for the mistake's text.
template <class T>
Bounded<T> within(const Quantity<T>& quantity, std::type_identity_t<T> least,
                  std::type_identity_t<T> most, std::string_view limit = "the limit") {
  return {.quantity = &quantity, .bounds = {.min = least, .max = most, .limit = limit}};
}

inline constexpr std::size_t kib = 1U << 10;
inline constexpr std::size_t gib = 1U << 30;
inline constexpr std::size_t store_bytes_max = kib * kib * gib;  // 1 PiB: more is a slip

// Long enough for any network that works at all, short enough to be no infinity.
[[nodiscard]] inline Bounded<std::chrono::milliseconds> timeout() {
  return within(duration, std::chrono::milliseconds(10), std::chrono::hours(1));
}

// One whose bounds another key gives, and so is read by hand.
template <class T>
struct Unbounded {
  const Quantity<T>* quantity;

  [[nodiscard]] std::string schema() const { return defined(quantity->name); }
  void write(Writer& out, T value) const { out.word(quantity->format(value)); }
};

// One of some words.
template <class E, std::size_t n>
struct Choice {
  const std::array<Name<E>, n>* names;

  [[nodiscard]] std::string schema() const {
    std::string words;
    for (const Name<E>& name : *names) {
      words += words.empty() ? "" : ", ";
      words += is_number(name.text) ? std::string(name.text) : json_text(name.text);
    }
    return fmt::format(R"("anyOf": [{{"enum": [{}]}}, {{{}}}])", words, defined("variable"));
  }
  [[nodiscard]] std::optional<E> read(const Place& at) const { return at.choice(*names); }
  void write(Writer& out, E value) const { out.word(name_of(*names, value)); }
  [[nodiscard]] std::string json(E value) const {
    const std::string_view text = name_of(*names, value);
    return is_number(text) ? std::string(text) : json_text(text);
  }

 private:
  static bool is_number(std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
  }
};
template <class E, std::size_t n>
Choice<E, n> one_of(const std::array<Name<E>, n>& names) {
  return {&names};
}

struct Flag {
  [[nodiscard]] static std::string schema() { return defined("boolean"); }
  [[nodiscard]] static std::optional<bool> read(const Place& at) {
    return at.choice(boolean_names);
  }
  static void write(Writer& out, bool value) { out.word(name_of(boolean_names, value)); }
  [[nodiscard]] static std::string json(bool value) { return value ? "true" : "false"; }
};

// A text of the type that `type` is in the schema. Read by hand.
struct Text {
  std::string type;

  [[nodiscard]] std::string schema() const { return type; }
  static void write(Writer& out, const std::string& text) { out.text(text); }
  [[nodiscard]] static std::string json(const std::string& text) { return json_text(text); }
};

// A text that is not empty.
struct Path {
  [[nodiscard]] static std::string schema() { return defined("path"); }
  [[nodiscard]] static std::optional<std::string> read(const Place& at);
  static void write(Writer& out, const std::string& path) { out.text(path); }
  [[nodiscard]] static std::string json(const std::string& path) { return json_text(path); }
};

// The path of a file that must be readable when the configuration is read, such as a certificate.
struct ReadableFile : Path {
  [[nodiscard]] static std::optional<std::string> read(const Place& at);
};

struct Address {
  [[nodiscard]] static std::string schema() { return defined("address"); }
  [[nodiscard]] static std::optional<ListenAddress> read(const Place& at);
  static void write(Writer& out, const ListenAddress& address) { out.text(format(address)); }
  [[nodiscard]] static std::string json(const ListenAddress& address) {
    return json_text(format(address));
  }
};

// Reports an address that is among those. Port 0 is a new port each time, and so never taken.
void check_not_taken(const Place& at, const ListenAddress& address,
                     const std::vector<ListenAddress>& taken);

// One or more, none of them twice.
struct Addresses {
  [[nodiscard]] static std::string schema();
  [[nodiscard]] static std::optional<std::vector<ListenAddress>> read(const Place& at);
  static void write(Writer& out, const std::vector<ListenAddress>& addresses) {
    out.list(addresses, [&](const ListenAddress& address) { out.text(format(address)); });
  }
  [[nodiscard]] static std::string json(const std::vector<ListenAddress>& addresses) {
    return json_text(format(addresses.front()));
  }
};

// Texts that `is_right` accepts; `wanted` says what each is, with its article.
struct Texts {
  bool (*is_right)(std::string_view text);
  std::string wanted;
  std::string type;  // of the list in the schema

  [[nodiscard]] std::string schema() const { return type; }
  [[nodiscard]] std::optional<std::vector<std::string>> read(const Place& at) const;
  static void write(Writer& out, const std::vector<std::string>& texts) {
    out.list(texts, [&](const std::string& text) { out.text(text); });
  }
  [[nodiscard]] static std::string json(const std::vector<std::string>&) { return "[]"; }
};

// Statuses of answers, in a list or alone.
struct Statuses {
  [[nodiscard]] static std::string schema();
  [[nodiscard]] static std::string range() { return "200 to 299"; }
  [[nodiscard]] static std::optional<std::vector<unsigned>> read(const Place& at);
  static void write(Writer& out, const std::vector<unsigned>& statuses) {
    out.list(statuses, [&](unsigned status) { out.word(count.format(status)); });
  }
  [[nodiscard]] static std::string json(const std::vector<unsigned>&) { return "[]"; }
};

// A section with a table of its own. Its keys are read by who reads the section, as some of them
// are compared with those of others.
template <class T>
struct Map {
  [[nodiscard]] static std::string schema() { return defined(table<T>().section); }
  static void write(Writer& out, const T& section) { write_keys(out, section); }
  static void reconcile(const Takes& takes, const std::string& path, T& running, const T& wanted) {
    reconcile_keys(takes, path + '.', running, wanted);
  }
};
// Likewise, where it may be missing.
template <class T>
struct OptionalMap {
  [[nodiscard]] static std::string schema() { return defined(table<T>().section); }
  static void write(Writer& out, const std::optional<T>& section) {
    if (section) write_keys(out, *section);
  }
};

// A list of such sections.
template <class T>
struct Maps {
  [[nodiscard]] static std::string schema() {
    return fmt::format(R"("type": ["array", "null"], "items": {{{}}})",
                       defined(table<T>().section));
  }
  static void write(Writer& out, const std::vector<T>& sections) {
    out.list(sections, [&](const T& section) { write_keys(out, section); });
  }
  [[nodiscard]] static std::string json(const std::vector<T>&) { return "[]"; }
};

// What the schema says of a section whose keys can all be left out, and of another one.
inline constexpr std::string_view optional_map = R"("type": ["object", "null"])";
inline constexpr std::string_view required_map = R"("type": "object")";

// --- Secrets: two keys in the file, NAME and NAME_file ---

// The secret below `name` or its file's path below `name`_file. Nothing when neither is there.
[[nodiscard]] std::optional<Secret> read_secret(const Section& section, const std::string& name);

// A secret that lives on.
inline const Secret& secret_of(const Secret& secret) {
  return secret;  // NOLINT(bugprone-return-const-ref-from-parameter)
}
inline const Secret& secret_of(const std::optional<Secret>& secret) { return *secret; }

// The row of the secret itself, which reads, prints and compares both.
template <class S, class T>
Key<S> secret_key(std::string_view name, T S::* member, std::string_view meaning) {
  Key<S> made(KeyInfo{
      .name = std::string(name), .schema = defined("secret"), .meaning = std::string(meaning)});
  made.read = [=, name = std::string(name)](const Section& section, S& out) {
    if (auto secret = read_secret(section, name)) out.*member = *std::move(secret);
  };
  made.write = [=, name = std::string(name)](Writer& out, const S& section) {
    out.secret(name, secret_of(section.*member));
  };
  made.is_default = [=](const S& one, const S& other) { return one.*member == other.*member; };
  made.reconcile = [=](const Takes& takes, const std::string& path, OnReload on_reload, S& running,
                       const S& wanted) {
    if (running.*member != wanted.*member && takes(path, on_reload)) {
      running.*member = wanted.*member;
    }
  };
  return made;
}
// The row of its file.
template <class S>
Key<S> secret_file_key(std::string_view name, std::string_view more = "") {
  return other_key<S>(fmt::format("{}_file", name), defined("path"),
                      fmt::format("The file that has the {}.{}", name, more));
}

}  // namespace sluice::config
