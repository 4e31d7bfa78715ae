// The tests' own program: it tries databases in a process of its own, as sluice does.
#include <string_view>

#include <gtest/gtest.h>

#include <sluice/base/log.hpp>
#include <sluice/store/trial.hpp>

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == sluice::store::trial_command) {
    sluice::log::configure(sluice::log::Level::off, sluice::log::Format::human);
    return sluice::store::run_trial(argv[argc - 1], argc > 3);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
