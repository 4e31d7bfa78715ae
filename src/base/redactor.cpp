#include <algorithm>
#include <cstring>
#include <iterator>

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
  const std::lock_guard lock(mutex_);
  learn(secret, MonoTime::max());
}

void Redactor::add_until(std::string_view secret, MonoTime expires_at, MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(secrets_, [&](const Known& known) {
    const bool is_over = known.expires_at <= now;
    if (is_over) {
      forget_forms(known.secret);
    }
    return is_over;
  });
  learn(secret, expires_at);
}

void Redactor::learn(std::string_view secret, MonoTime expires_at) {
  if (secret.size() < secret_bytes_min) {
    return;
  }
  const auto alike = forms_.find(key_of(secret));
  if (alike != forms_.end() && alike->second.contains(secret)) {
    const auto known = std::ranges::find(secrets_, secret, &Known::secret);
    if (known != secrets_.end()) {
      known->expires_at = std::max(known->expires_at, expires_at);
      return;
    }
  }
  for (std::string& form : forms_of(secret)) {
    const std::uint64_t key = key_of(form);
    forms_[key].insert(std::move(form));
  }
  secrets_.push_back({.secret = std::string(secret), .expires_at = expires_at});
  if (secrets_.size() > secrets_max) {
    forget_forms(secrets_.front().secret);
    secrets_.pop_front();
  }
}

void Redactor::forget_forms(std::string_view secret) {
  for (const std::string& form : forms_of(secret)) {
    const auto at = forms_.find(key_of(form));
    at->second.erase(at->second.find(form));
    if (at->second.empty()) {
      forms_.erase(at);
    }
  }
}

std::size_t Redactor::secret_at(std::string_view text) const {
  const auto found = forms_.find(key_of(text));
  if (found == forms_.end()) {
    return 0;
  }
  const Forms& forms = found->second;
  // Those that go on where the text ends sort right behind it.
  if (const auto next = forms.lower_bound(text); next != forms.end() && next->starts_with(text)) {
    return text.size();
  }
  // Those that the text begins with sort before it, the longest last; what is between them and the
  // text differs from it sooner or later, and shows how long they can be at most.
  std::string_view beginning = text;
  while (beginning.size() >= secret_bytes_min) {
    const auto behind = forms.upper_bound(beginning);
    if (behind == forms.begin()) {
      return 0;
    }
    const std::string& form = *std::prev(behind);
    if (beginning.starts_with(form)) {
      return form.size();
    }
    const auto differs = std::ranges::mismatch(beginning, form);
    beginning = beginning.substr(0, static_cast<std::size_t>(differs.in1 - beginning.begin()));
  }
  return 0;
}

std::string Redactor::redacted(std::string_view text, std::size_t bytes_max) const {
  const std::lock_guard lock(mutex_);
  if (forms_.empty()) {
    return std::string(text.substr(0, bytes_max));
  }
  std::string out;
  while (text.size() >= key_bytes && out.size() < bytes_max) {
    const std::size_t length = secret_at(text);
    if (length == 0) {
      out += text.front();
    } else {
      out += mark;
    }
    text.remove_prefix(std::max(length, std::size_t{1}));
  }
  out.resize(std::min(out.size(), bytes_max));
  return out.append(text.substr(0, bytes_max - out.size()));
}

std::size_t Redactor::size() const {
  const std::lock_guard lock(mutex_);
  return secrets_.size();
}

Redactor& known_secrets() {
  static Redactor* const redactor = new Redactor;  // the log may need it to the very end
  return *redactor;
}

}  // namespace sluice
