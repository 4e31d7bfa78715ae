// Writes the configuration as YAML.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <yaml-cpp/yaml.h>

#include <sluice/config/config.hpp>

namespace sluice::config {

// Writes maps, lists and values. Free text is in quotes, with its dollar signs doubled, so that
// reading gives the same text again.
class Writer {
 public:
  template <class Members>
  void map(Members&& members) {
    out_ << YAML::BeginMap;
    std::forward<Members>(members)();
    out_ << YAML::EndMap;
  }
  template <class Items, class Each>
  void list(const Items& items, Each&& each) {
    out_ << YAML::BeginSeq;
    for (const auto& item : items) each(item);
    out_ << YAML::EndSeq;
  }
  template <class Items, class Each>
  void list(std::string_view key, const Items& items, Each&& each) {
    this->key(key);
    list(items, std::forward<Each>(each));
  }

  void key(std::string_view key);
  // A key that a user chose.
  void quoted_key(std::string_view key);
  // Numbers with their units, and the words of this module, none of which needs quotes.
  void word(std::string_view text);
  void word(std::string_view key, std::string_view text);
  void text(std::string_view text);
  void text(std::string_view key, std::string_view text);
  // Masked, or the file that it is in, below `key`_file.
  void secret(std::string_view key, const Secret& secret);

  [[nodiscard]] std::string str() const { return std::string(out_.c_str()) + '\n'; }

 private:
  YAML::Emitter out_;
};

}  // namespace sluice::config
