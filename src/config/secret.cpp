#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <sluice/config/secret.hpp>

namespace sluice::config {
namespace {

constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";

bool begins_as_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
}

std::string_view without_padding(std::string_view text) {
  constexpr std::string_view padding = " \t\r\n\v\f";
  if (text.starts_with(utf8_mark)) text.remove_prefix(utf8_mark.size());
  text.remove_prefix(std::min(text.find_first_not_of(padding), text.size()));
  return text.substr(0, text.find_last_not_of(padding) + 1);
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// `holder` comes before what is wrong with a text that is there: "names a file that ".
Result<std::string, SecretFault> secret_in(std::string_view written, std::string_view holder) {
  const auto fault = [](std::string what, std::string mend) {
    return std::unexpected(SecretFault{.code = make_error_code(std::errc::invalid_argument),
                                       .what = std::move(what),
                                       .mend = std::move(mend)});
  };
  if (begins_as_utf16(written)) {
    return fault(fmt::format("{}is UTF-16", holder),
                 "save it as UTF-8 or plain text, the key alone on one line");
  }
  const std::string_view secret = without_padding(written);
  if (secret.empty()) return fault(fmt::format("{}is empty", holder), "put the key there");
  if (has_control_characters(secret)) {
    return fault("has line breaks or control characters inside", "put the key alone, on one line");
  }
  return std::string(secret);
}

// A path for a fault to name. What does not look like one may be the secret itself, pasted where
// its file belongs.
std::string told_path(std::string_view path) {
  const bool is_path =
      (path.starts_with('/') || path.starts_with("./") || path.starts_with("../")) &&
      path.find_first_of("+= ") == std::string_view::npos;
  return is_path ? fmt::format("is {}, which", path)
                 : std::string("names a file (not shown, as it may be the secret itself) that");
}

}  // namespace

Result<std::string, SecretFault> secret_in_text(std::string_view written) {
  return secret_in(written, "");
}

Result<std::string, SecretFault> secret_in_file(const std::string& path,
                                                const ReadFile& read_file) {
  const Result<std::string> text = read_file(path);
  if (text) return secret_in(*text, "names a file that ");
  return std::unexpected(SecretFault{
      .code = text.error().code,
      .what = fmt::format("{} cannot be read: {}", told_path(path), text.error().message),
      .mend = "check the path and its permissions; the secret itself goes below the key without "
              "_file"});
}

Result<Secret> read_again(Secret secret, std::string_view key, const ReadFile& read_file) {
  if (secret.file.empty()) return secret;
  auto value = secret_in_file(secret.file, read_file);
  if (!value) {
    const SecretFault& fault = value.error();
    return failure(fault.code,
                   fmt::format("{} ({}) {}: {}", key, secret.file, fault.what, fault.mend));
  }
  secret.value = *std::move(value);
  return secret;
}

}  // namespace sluice::config
