#include "writer.hpp"

namespace sluice::config {

void Writer::key(std::string_view key) { out_ << YAML::Key << std::string(key) << YAML::Value; }

void Writer::quoted_key(std::string_view key) {
  out_ << YAML::Key << YAML::DoubleQuoted << std::string(key) << YAML::Value;
}

void Writer::word(std::string_view text) { out_ << std::string(text); }

void Writer::word(std::string_view key, std::string_view text) {
  this->key(key);
  word(text);
}

void Writer::text(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '$' ? "$$" : std::string(1, c);
  out_ << YAML::DoubleQuoted << escaped;
}

void Writer::text(std::string_view key, std::string_view text) {
  this->key(key);
  this->text(text);
}

void Writer::secret(std::string_view key, const Secret& secret) {
  if (secret.file.empty()) {
    text(key, "********");
  } else {
    text(std::string(key) + "_file", secret.file);
  }
}

}  // namespace sluice::config
