// A child process, for tests of the real binaries.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sluice::test {

// Its output, of both kinds, is in a file. Killed at the end of its scope.
class Process {
 public:
  // arguments[0] is the program.
  Process(const std::vector<std::string>& arguments, std::string output,
          const std::string& input = "/dev/null");
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;

  void kill(int signal) const { ::kill(pid_, signal); }
  // The exit code; 128 and more: the signal that ended it.
  int wait();
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string output() const;
  [[nodiscard]] bool ended() const;
  // Waits for the text in the output, as long as the process runs; whether it came.
  [[nodiscard]] bool says(const std::string& text) const;
  // The port behind this text in the output, once it is there.
  [[nodiscard]] std::uint16_t port_after(const std::string& text) const;

 private:
  std::string output_;
  pid_t pid_ = -1;
};

}  // namespace sluice::test
