#include <algorithm>
#include <cstring>

#include <sluice/base/base64.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/percent.hpp>
#include <sluice/base/redactor.hpp>

namespace sluice {
namespace {

constexpr std::size_t key_bytes = sizeof(std::uint64_t);
static_assert(Redactor::secret_bytes_min >= key_bytes);

std::uint64_t key_of(std::string_view text) {
  std::uint64_t key = 0;
  std::memcpy(&key, text.data(), key_bytes);
  return key;
}

std::string in_json(std::string_view secret) {
  std::string text;
  append_json_string(text, secret);
  return text.substr(1, text.size() - 2);
}

std::string in_html(std::string_view secret) {
  std::string text;
  for (const char c : secret) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      case '\'':
        text += "&#39;";
        break;
      default:
        text += c;
    }
  }
  return text;
}

std::string in_lower_case_percent(std::string text) {
  for (std::size_t at = text.find('%'); at != std::string::npos; at = text.find('%', at + 1)) {
    for (std::size_t i = at + 1; i < std::min(at + 3, text.size()); ++i) {
      if (text[i] >= 'A' && text[i] <= 'F') {
        text[i] = static_cast<char>(text[i] - 'A' + 'a');
      }
    }
  }
  return text;
}

// The characters of Base64 that depend on the secret alone when so many bytes, modulo 3, come
// before it.
std::string in_base64(std::string_view secret, std::size_t before) {
  const std::string text = encode_base64(std::string(before, '\0').append(secret));
  const std::size_t first = (before * 8 + 5) / 6;
  const std::size_t end = (before + secret.size()) * 8 / 6;
  return text.substr(first, end - first);
}

std::vector<std::string> forms_of(std::string_view secret) {
  std::vector<std::string> forms{std::string(secret), in_json(secret), in_html(secret),
                                 encode_percent(secret)};
  forms.push_back(in_lower_case_percent(forms.back()));
  for (const std::size_t before : {0U, 1U, 2U}) {
    forms.push_back(in_base64(secret, before));
    std::string for_urls = forms.back();
    std::ranges::replace(for_urls, '+', '-');
    std::ranges::replace(for_urls, '/', '_');
    forms.push_back(std::move(for_urls));
    forms.push_back(encode_percent(forms[forms.size() - 2]));
  }
  std::ranges::sort(forms);
  forms.erase(std::ranges::unique(forms).begin(), forms.end());
  return forms;
}

}  // namespace

void Redactor::add(std::string_view secret) {
  if (secret.size() < secret_bytes_min) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const auto known = forms_.find(key_of(secret));
  if (known != forms_.end() && std::ranges::find(known->second, secret) != known->second.end()) {
    return;
  }
  for (std::string& form : forms_of(secret)) {
    const std::uint64_t key = key_of(form);
    forms_[key].push_back(std::move(form));
  }
  secrets_.emplace_back(secret);
  if (secrets_.size() > secrets_max) {
    forget_oldest();
  }
}

void Redactor::forget_oldest() {
  for (const std::string& form : forms_of(secrets_.front())) {
    const auto at = forms_.find(key_of(form));
    const auto one = std::ranges::find(at->second, form);
    at->second.erase(one);
    if (at->second.empty()) {
      forms_.erase(at);
    }
  }
  secrets_.pop_front();
}

std::size_t Redactor::secret_at(std::string_view text) const {
  const auto found = forms_.find(key_of(text));
  if (found == forms_.end()) {
    return 0;
  }
  std::size_t length = 0;
  for (const std::string& form : found->second) {
    const bool is_cut = form.size() > text.size() && form.starts_with(text);
    if (is_cut || text.starts_with(form)) {
      length = std::max(length, std::min(form.size(), text.size()));
    }
  }
  return length;
}

std::string Redactor::redacted(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  if (forms_.empty()) {
    return std::string(text);
  }
  std::string out;
  while (text.size() >= key_bytes) {
    const std::size_t length = secret_at(text);
    if (length == 0) {
      out += text.front();
    } else {
      out += mark;
    }
    text.remove_prefix(std::max(length, std::size_t{1}));
  }
  return out.append(text);
}

Redactor& known_secrets() {
  static Redactor* const redactor = new Redactor;  // the log may need it to the very end
  return *redactor;
}

}  // namespace sluice
