#include "findings.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>

namespace sluice::cli {
namespace {

constexpr std::array<std::string_view, 4> verdict_names{"ok", "doubtful", "unavailable",
                                                        "misconfigured"};

std::string_view name_of(Finding::Verdict verdict) {
  return verdict_names[static_cast<std::size_t>(verdict)];
}

// What upstreams and systems say may hold anything; a finding is one line.
std::string in_one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return line;
}

std::size_t width(std::span<const Finding> findings, std::string Finding::* column) {
  std::size_t widest = 0;
  for (const Finding& finding : findings) {
    widest = std::max(widest, (finding.*column).size());
  }
  return widest;
}

}  // namespace

std::string to_lines(std::span<const Finding> findings) {
  std::string lines;
  const std::size_t of_width = width(findings, &Finding::of);
  const std::size_t what_width = width(findings, &Finding::what);
  for (const Finding& finding : findings) {
    lines += fmt::format("{:<13}  {:<{}}  {:<{}}  {}\n", name_of(finding.verdict), finding.of,
                         of_width, finding.what, what_width, in_one_line(finding.detail));
  }
  return lines;
}

std::string to_json(std::span<const Finding> findings) {
  std::string out = exit_code_of(findings) == exit_ok ? R"({"ok":true,"findings":[)"
                                                      : R"({"ok":false,"findings":[)";
  for (const Finding& finding : findings) {
    out += out.back() == '[' ? R"({"of":)" : R"(,{"of":)";
    append_json_string(out, finding.of);
    out += R"(,"what":)";
    append_json_string(out, finding.what);
    out += R"(,"verdict":)";
    append_json_string(out, name_of(finding.verdict));
    out += R"(,"detail":)";
    append_json_string(out, finding.detail);
    out += '}';
  }
  return out + "]}\n";
}

int exit_code_of(std::span<const Finding> findings) {
  const auto has = [&](Finding::Verdict verdict) {
    return std::ranges::find(findings, verdict, &Finding::verdict) != findings.end();
  };
  if (has(Finding::Verdict::misconfigured)) {
    return exit_configuration;
  }
  return has(Finding::Verdict::unavailable) ? exit_unavailable : exit_ok;
}

}  // namespace sluice::cli
