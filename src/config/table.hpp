// A configuration key is one row: its name, the member that holds its value, what kind of value
// that is (kinds.hpp) and what it means. Reading, the printed configuration, the difference on a
// reload, the JSON Schema and the reference go by the rows. To add a key, add the member and a row.
//
// Rows whose value needs more than itself to be read, such as the name of another section, are
// `by_hand()`: sections.cpp or sources.cpp reads them, and all else is as of the others.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sluice/config/changes.hpp>

#include "keys.hpp"
#include "place.hpp"
#include "writer.hpp"

namespace sluice::config {

// A kind of value, for members of type T. What a kind leaves out does not apply to it.
//   std::string schema() const                     members of a JSON object that say its type
//   std::optional<V> read(const Place&) const      nothing: a mistake has been reported
//   void write(Writer&, const T&) const            the value, behind its key
//   std::string json(const T&) const               as the schema has a default
//   std::string range() const                      "1 to 1000"
//   bool same(const T&, const T&) const            where == does not tell
//   void reconcile(const Takes&, path, T& running, const T& wanted) const     OnReload::each_key

template <class S>
class Key {
 public:
  explicit Key(KeyInfo what) : info(std::move(what)) {}

  KeyInfo info;
  std::function<void(const Section&, S&)> read{};        // empty: by hand, or nothing to read
  std::function<void(Writer&, const S&)> write{};        // empty: another key writes it
  std::function<bool(const S&)> is_written{};            // empty: always
  std::function<bool(const S&, const S&)> is_default{};  // whether both have the same value
  std::function<void(const Takes&, const std::string& path, OnReload, S& running, const S& wanted)>
      reconcile{};

  // Needs a restart.
  [[nodiscard]] Key restart() && { return std::move(*this).on_reload(OnReload::restart); }
  [[nodiscard]] Key quietly() && { return std::move(*this).on_reload(OnReload::quietly); }
  [[nodiscard]] Key each_key() && { return std::move(*this).on_reload(OnReload::each_key); }
  [[nodiscard]] Key by_hand() && {
    read = nullptr;
    return std::move(*this);
  }
  [[nodiscard]] Key required() && {
    info.is_required = true;
    info.default_json.clear();
    return std::move(*this);
  }
  // As JSON, where who reads it by hand has another default than the member.
  [[nodiscard]] Key default_is(std::string_view json) && {
    return std::move(*this).set(info.default_json, json);
  }
  // Has no default that could be written: `holds` is what holds without it.
  [[nodiscard]] Key without_it(std::string_view holds) && {
    info.absent = holds;
    info.default_json.clear();
    return std::move(*this);
  }
  // Likewise, and then it is not printed.
  [[nodiscard]] Key optional(std::string_view holds) && {
    is_written = [same = is_default](const S& section) { return !same(section, S{}); };
    return std::move(*this).without_it(holds);
  }
  [[nodiscard]] Key written_if(bool (*holds)(const S&)) && {
    is_written = holds;
    return std::move(*this);
  }
  // Where to read on, a title for its type, and JSON values as examples.
  [[nodiscard]] Key see(std::string_view link) && { return std::move(*this).set(info.see, link); }
  [[nodiscard]] Key title(std::string_view type) && {
    return std::move(*this).set(info.title, type);
  }
  [[nodiscard]] Key examples(std::string_view json) && {
    return std::move(*this).set(info.examples, json);
  }

 private:
  [[nodiscard]] Key on_reload(OnReload does) && {
    info.on_reload = does;
    return std::move(*this);
  }
  [[nodiscard]] Key set(std::string& text, std::string_view value) && {
    text = value;
    return std::move(*this);
  }
};

// The rows of one kind of map, in the order in which it is printed and documented.
template <class S>
struct Table {
  std::string_view section;
  std::string_view shape;  // what the schema says of the map itself
  std::vector<Key<S>> keys;

  [[nodiscard]] Keys infos() const {
    std::vector<KeyInfo> all;
    all.reserve(keys.size());
    for (const Key<S>& key : keys) all.push_back(key.info);
    return {section, shape, std::move(all)};
  }
};

// Has a specialisation for each section that has members of its own (tables.hpp).
template <class S>
const Table<S>& table();

// Reads what is there of the rows that are not read by hand. Members of the others stay as they
// are.
template <class S>
void read_keys(const Section& section, S& out) {
  for (const Key<S>& key : table<S>().keys) {
    if (key.read) key.read(section, out);
  }
}

template <class S>
void write_keys(Writer& out, const S& section) {
  out.map([&] {
    for (const Key<S>& key : table<S>().keys) {
      if (key.write && (!key.is_written || key.is_written(section))) key.write(out, section);
    }
  });
}

// `prefix` comes before the names of the keys: "ingest.".
template <class S>
void reconcile_keys(const Takes& takes, const std::string& prefix, S& running, const S& wanted) {
  for (const Key<S>& key : table<S>().keys) {
    if (key.reconcile) {
      key.reconcile(takes, prefix + key.info.name, key.info.on_reload, running, wanted);
    }
  }
}

// --- Making rows ---

template <class S, class Member>
using MemberOf = std::remove_cvref_t<std::invoke_result_t<Member, S&>>;

template <class Kind, class T>
bool is_same(const Kind& kind, const T& one, const T& other) {
  if constexpr (requires { kind.same(one, other); }) {
    return kind.same(one, other);
  } else {
    return one == other;
  }
}

// `member` is a pointer to a member of S, or a function that gives one.
template <class S, class Member, class Kind>
Key<S> key_of(std::string_view name, Member member, const Kind& kind, std::string_view meaning) {
  using T = MemberOf<S, Member>;
  Key<S> made(
      KeyInfo{.name = std::string(name), .schema = kind.schema(), .meaning = std::string(meaning)});
  if constexpr (requires { kind.range(); }) made.info.range = kind.range();
  if constexpr (requires(const T& value) { kind.json(value); }) {
    S defaults{};
    made.info.default_json = kind.json(std::invoke(member, defaults));
  }
  if constexpr (requires(const Place& at) { kind.read(at); }) {
    made.read = [=, name = std::string(name)](const Section& section, S& out) {
      const auto at = section.find(name);
      if (!at) return;
      if (auto value = kind.read(*at)) std::invoke(member, out) = static_cast<T>(*std::move(value));
    };
  }
  made.write = [=, name = std::string(name)](Writer& out, const S& section) {
    out.key(name);
    kind.write(out, std::invoke(member, section));
  };
  made.is_default = [=](const S& one, const S& other) {
    return is_same(kind, std::invoke(member, one), std::invoke(member, other));
  };
  made.reconcile = [=](const Takes& takes, const std::string& path, OnReload on_reload, S& running,
                       const S& wanted) {
    T& now = std::invoke(member, running);
    const T& then = std::invoke(member, wanted);
    if constexpr (requires { kind.reconcile(takes, path, now, then); }) {
      if (on_reload == OnReload::each_key) return kind.reconcile(takes, path, now, then);
    }
    if (!is_same(kind, now, then) && takes(path, on_reload)) now = then;
  };
  return made;
}

template <class S, class T, class Kind>
Key<S> key(std::string_view name, T S::* member, const Kind& kind, std::string_view meaning) {
  return key_of<S>(name, member, kind, meaning);
}

// A key that is another way to write the member of a row beside it, which prints and compares it.
template <class S>
Key<S> other_key(std::string_view name, std::string schema, std::string_view meaning) {
  return Key<S>(KeyInfo{
      .name = std::string(name), .schema = std::move(schema), .meaning = std::string(meaning)});
}

}  // namespace sluice::config
