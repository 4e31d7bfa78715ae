// The tests' own program: it tries databases in a process of its own, as sluice does.
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include <sluice/base/log.hpp>
#include <sluice/store/trial.hpp>

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == sluice::store::trial_command) {
    sluice::log::configure(sluice::log::Level::off, sluice::log::Format::human);
    sluice::store::TrialTask task{.database = argv[argc - 1]};
    for (int i = 2; i + 1 < argc; ++i) {
      task.to_write = task.to_write || std::string_view(argv[i]) == "--write";
      if (std::string_view(argv[i]) == "--memory") {
        task.memory_bytes = std::strtoull(argv[i + 1], nullptr, 10);
      }
    }
    return sluice::store::run_trial(task);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
