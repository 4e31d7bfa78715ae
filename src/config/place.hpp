// A cursor over the parsed YAML: a value together with its line, its path for people, and the list
// that mistakes about it go to. Reading never stops at a mistake: a reader reports it and leaves
// the default.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <sluice/config/load.hpp>

#include "names.hpp"
#include "nearest.hpp"
#include "quantity.hpp"

namespace sluice::config {

// One reading of one file. Outlives its places.
struct Reading {
  const std::string& file;
  const Environment& environment;
  std::vector<Mistake> mistakes;  // by line; of one line, in the order in which they were found

  void add(Mistake mistake) {
    mistakes.insert(std::ranges::upper_bound(mistakes, mistake.line, {}, &Mistake::line),
                    std::move(mistake));
  }
};

// A value in the file. Cheap to copy.
class Place {
 public:
  // `line` is from 1; 0 stands for the file as a whole.
  Place(const YAML::Node& node, int line, std::string path, Reading& reading)
      : node_(node), line_(line), path_(std::move(path)), reading_(&reading) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Environment& environment() const { return reading_->environment; }
  [[nodiscard]] bool is_null() const { return node_.IsNull(); }
  [[nodiscard]] bool is_scalar() const { return node_.IsScalar(); }
  [[nodiscard]] bool is_list() const { return node_.IsSequence(); }
  [[nodiscard]] bool is_map() const { return node_.IsMap(); }
  // A scalar as it is written, its variables not replaced; empty for anything else.
  [[nodiscard]] std::string_view written() const {
    return is_scalar() ? std::string_view(node_.Scalar()) : std::string_view();
  }
  // A scalar without quotes, which can stand for a number or a boolean.
  [[nodiscard]] bool is_plain() const { return node_.Tag() == "?"; }

  // A null with this path below this place and on its line.
  [[nodiscard]] Place absent(std::string_view key) const;

  // Whether no mistake has been found yet, anywhere in the file.
  [[nodiscard]] bool is_faultless_so_far() const { return reading_->mistakes.empty(); }
  // Reports "<path> <what>: <mend>" at this line.
  void mistake(std::string_view what, std::string mend) const;

  // The elements of a list; of null, none. Anything else is a mistake.
  [[nodiscard]] std::vector<Place> items() const;
  // Likewise, where there must be an element: that there is none is this mistake.
  [[nodiscard]] std::vector<Place> items(std::string_view none, std::string mend) const;
  // Likewise, where one element may stand without the list.
  [[nodiscard]] std::vector<Place> items_or_one() const;
  // The members of a map in the file's order; of null, none. Anything else is a mistake.
  [[nodiscard]] std::vector<std::pair<std::string, Place>> members() const;

  // The text of a scalar, its variables replaced. Anything else is a mistake.
  [[nodiscard]] std::optional<std::string> text() const;
  // A text that `valid` accepts; `wanted` says what that is, with its article.
  [[nodiscard]] std::optional<std::string> text(bool (*valid)(std::string_view),
                                                std::string_view wanted) const;

  template <class T>
  [[nodiscard]] std::optional<T> quantity(const Quantity<T>& kind, const Bounds<T>& bounds) const {
    const auto written = text();
    if (!written) return std::nullopt;
    const auto value = kind.parse(*written);
    if (!value) {
      mistake(fmt::format("is \"{}\", which is not {}", *written, kind.description),
              fmt::format("write {} from {} to {}", kind.description, kind.format(bounds.min),
                          kind.format(bounds.max)));
    } else if (*value > bounds.max) {
      mistake(fmt::format("is {}, above {} of {}", *written, bounds.limit, kind.format(bounds.max)),
              fmt::format("write {} or less", kind.format(bounds.max)));
    } else if (*value < bounds.min) {
      mistake(fmt::format("is {}, below the least of {}", *written, kind.format(bounds.min)),
              fmt::format("write {} or more", kind.format(bounds.min)));
    } else {
      return value;
    }
    return std::nullopt;
  }

  template <class E, std::size_t n>
  [[nodiscard]] std::optional<E> choice(const std::array<Name<E>, n>& names) const {
    const auto written = text();
    if (!written) return std::nullopt;
    const auto found = std::ranges::find(names, *written, &Name<E>::text);
    if (found != names.end()) return found->value;
    std::array<std::string_view, n> texts;
    std::ranges::transform(names, texts.begin(), &Name<E>::text);
    mistake(fmt::format("is \"{}\", which is not known", *written), suggestion(*written, texts));
    return std::nullopt;
  }

 private:
  YAML::Node node_;
  int line_;
  std::string path_;
  Reading* reading_;
};

// A map with the keys of one section (keys.hpp). Keys that are not among them are reported once,
// when the section is opened. Each reader leaves `out` as it is when the key is not there or wrong.
class Section {
 public:
  Section(const Place& place, std::string_view name);

  // What is there, known or not.
  [[nodiscard]] const std::vector<std::pair<std::string, Place>>& members() const {
    return members_;
  }
  // Reports on the section as a whole, unless it is no map: then that has been reported, and is the
  // cause.
  void mistake(std::string_view what, std::string mend) const;
  // The key must be one of the section's.
  [[nodiscard]] std::optional<Place> find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key).has_value(); }
  // Likewise; its absence is a mistake.
  [[nodiscard]] std::optional<Place> require(std::string_view key, std::string mend) const;
  // The key's value, or a null that stands where the section does: to report on what a default
  // leads to.
  [[nodiscard]] Place place_of(std::string_view key) const;
  // The section below the key of the same name, empty when it is not there.
  [[nodiscard]] Section section(std::string_view key) const { return {place_of(key), key}; }

  template <class E, std::size_t n>
  void read(std::string_view key, E& out, const std::array<Name<E>, n>& names) const {
    const auto at = find(key);
    if (!at) return;
    if (const auto value = at->choice(names)) out = *value;
  }
  void read(std::string_view key, bool& out) const { read(key, out, boolean_names); }

 private:
  Place place_;
  const std::vector<std::string_view>& keys_;
  std::vector<std::pair<std::string, Place>> members_;
};

// Reports what a reader cannot cope with: keys that are written twice or are no text, and a tree
// that is too deep or, by aliases, too large. False in the latter cases: then nothing may be read.
[[nodiscard]] bool check_tree(const YAML::Node& root, Reading& reading);

}  // namespace sluice::config
