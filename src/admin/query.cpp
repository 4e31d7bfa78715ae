#include "query.hpp"

namespace sluice::admin {
namespace {

int hex_value(char c) {
  constexpr std::string_view digits = "0123456789abcdefABCDEF";
  const std::size_t at = digits.find(c);
  return at == digits.npos ? -1 : static_cast<int>(at < 16 ? at : at - 6);
}

}  // namespace

std::string decode_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace sluice::admin
