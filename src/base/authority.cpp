#include <algorithm>

#include <sluice/base/ascii.hpp>
#include <sluice/base/authority.hpp>

namespace sluice {
namespace {

// Of a registered name: unreserved and sub-delims (RFC 3986, 2.2 and 2.3).
bool is_name_character(char c) {
  constexpr std::string_view marks = "-._~!$&'()*+,;=";
  return is_digit(c) || is_letter(c) || marks.find(c) != std::string_view::npos;
}

bool is_registered_name(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%' && i + 2 < name.size() && hex_value(name[i + 1]) >= 0 &&
        hex_value(name[i + 2]) >= 0) {
      i += 2;
    } else if (!is_name_character(name[i])) {
      return false;
    }
  }
  return !name.empty();
}

bool is_port(std::string_view rest) {
  return rest.empty() || (rest.front() == ':' && std::ranges::all_of(rest.substr(1), is_digit));
}

// The length of the scheme and what is behind it; 0: another one, or none.
std::size_t scheme_size(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (std::ranges::equal(target.substr(0, scheme.size()), scheme, [](char given, char wanted) {
          return (is_letter(given) ? static_cast<char>(given | 0x20) : given) == wanted;
        })) {
      return scheme.size();
    }
  }
  return 0;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || !is_port(text.substr(end + 1))) {
      return std::nullopt;
    }
    const std::string_view host = text.substr(1, end - 1);
    const bool is_address =
        std::ranges::all_of(host, [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
    return host.empty() || !is_address ? std::nullopt
                                       : std::optional(Authority{.host = host, .is_literal = true});
  }
  const std::string_view host = text.substr(0, text.find(':'));
  if (!is_registered_name(host) || !is_port(text.substr(host.size()))) {
    return std::nullopt;
  }
  return Authority{.host = host};
}

std::optional<AbsoluteTarget> parse_absolute_target(std::string_view target) {
  const std::size_t scheme = scheme_size(target);
  const std::string_view rest = target.substr(scheme);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (scheme == 0 || !parse_authority(authority)) {
    return std::nullopt;
  }
  const std::string_view behind = rest.substr(authority.size());
  return AbsoluteTarget{.authority = authority,
                        .origin_form = (behind.starts_with('/') ? "" : "/") + std::string(behind)};
}

}  // namespace sluice
