// sluice-load: the load generator as a process. Exit code 0: every request was answered.
#include <fstream>
#include <iostream>

#include "chart.hpp"
#include "command_line.hpp"
#include "run.hpp"

namespace {

// Whether it was written; an empty path asks for nothing.
bool write_file(const std::filesystem::path& path, const std::string& text) {
  if (path.empty()) {
    return true;
  }
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    std::cerr << "sluice-load: cannot write " << path.string() << '\n';
  }
  return !file.fail();
}

}  // namespace

int main(int argc, char** argv) {
  namespace load = sluice::load;
  const auto settings = load::parse_command_line(argc, argv);
  if (!settings) {
    return settings.error();
  }
  const auto report = load::run(*settings, std::cerr);
  if (!report) {
    std::cerr << "sluice-load: " << report.error().message << '\n';
    return 1;
  }
  std::cout << load::to_text(*report) << std::flush;
  const bool written = write_file(settings->json_file, load::to_json(*report)) &&
                       write_file(settings->svg_file, load::to_svg(*report));
  return written && report->tally.complete() ? 0 : 1;
}
