#include <array>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sluice/config/load.hpp>

#include "place.hpp"
#include "sections.hpp"
#include "text_checks.hpp"

namespace sluice::config {
namespace {

// Where the first two documents of a text begin, each by its first node.
class Beginnings final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override { in_document_ = false; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { begin(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { begin(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    begin(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    begin(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    begin(mark);
  }
  void OnMapEnd() override {}

  std::vector<int> lines;

 private:
  void begin(const YAML::Mark& mark) {
    if (!in_document_) lines.push_back(mark.line + 1);
    in_document_ = true;
  }

  bool in_document_ = false;
};

// Not by YAML::LoadAll(): of some texts, such as a lone comma, yaml-cpp reads empty documents
// without end.
Result<YAML::Node, Mistake> parse_yaml(std::string_view text, const std::string& file) {
  if (!is_utf8(text)) {
    return std::unexpected(Mistake{file, 0, "the file is not UTF-8", "save it as UTF-8"});
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Beginnings beginnings;
    while (beginnings.lines.size() < 2 && parser.HandleNextDocument(beginnings)) {
    }
    if (beginnings.lines.size() > 1) {
      return std::unexpected(Mistake{file, beginnings.lines[1], "a second document begins",
                                     "write one document, without ---"});
    }
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return std::unexpected(Mistake{file, error.mark.line + 1,
                                   fmt::format("the YAML cannot be read: {}", error.msg),
                                   "mend the syntax; a text with : # { [ in it needs quotes"});
  }
}

}  // namespace

std::string Mistake::to_string() const {
  return line == 0 ? fmt::format("{}: {}: {}", file, what, mend)
                   : fmt::format("{}:{}: {}: {}", file, line, what, mend);
}

Result<Config, std::vector<Mistake>> parse(std::string_view text, const std::string& file,
                                           const Environment& environment) {
  const auto root = parse_yaml(text, file);
  if (!root) return std::unexpected(std::vector{root.error()});
  Reading reading{.file = file, .environment = environment, .mistakes = {}};
  Config config;
  config.file = file;
  if (check_tree(*root, reading)) read_file(Place(*root, 0, "", reading), config);
  if (reading.mistakes.empty()) return config;
  return std::unexpected(std::move(reading.mistakes));
}

Result<Config, std::vector<Mistake>> load(const std::string& file, const Environment& environment) {
  const auto text = environment.read_file(file);
  if (text) return parse(*text, file, environment);
  return std::unexpected(
      std::vector{Mistake{file, 0, fmt::format("the file cannot be read: {}", text.error().message),
                          "check the path and its permissions"}});
}

Result<std::string> find_file(const std::string& asked, const Environment& environment) {
  if (!asked.empty()) return asked;
  // A variable that is set is meant, also when its file is not there.
  if (auto variable = environment.variable("SLUICE_CONFIG"); variable && !variable->empty()) {
    return *std::move(variable);
  }
  constexpr std::array<const char*, 2> usual{"./sluice.yaml", "/etc/sluice/sluice.yaml"};
  for (std::string file : usual) {
    const auto text = environment.read_file(file);
    // One that cannot be read is there all the same: loading it says why it cannot.
    if (text || text.error().code != std::errc::no_such_file_or_directory) return file;
  }
  return failure(
      std::errc::no_such_file_or_directory,
      fmt::format("there is no configuration: $SLUICE_CONFIG is not set, and neither {} is "
                  "there: write one, or name it with --config",
                  fmt::join(usual, " nor ")));
}

}  // namespace sluice::config
