#include "child_process.hpp"

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include "running_gateway.hpp"

namespace sluice::test {

Process::Process(const std::vector<std::string>& arguments, std::string output,
                 const std::string& input)
    : output_(std::move(output)) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  std::ofstream(output_).close();  // what an earlier process said there is not this one's
  pid_ = fork();
  if (pid_ == 0) {
    if (std::freopen(input.c_str(), "r", stdin) == nullptr ||
        std::freopen(output_.c_str(), "w", stdout) == nullptr ||
        dup2(STDOUT_FILENO, STDERR_FILENO) < 0) {
      _exit(126);
    }
    execv(argv[0], argv.data());
    _exit(127);
  }
}

Process::~Process() {
  if (pid_ > 0) {
    kill(SIGKILL);
    wait();
  }
}

Process::Process(Process&& other) noexcept
    : output_(std::move(other.output_)), pid_(std::exchange(other.pid_, -1)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(output_, other.output_);
  std::swap(pid_, other.pid_);
  return *this;
}

int Process::wait() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Process::ended() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

std::string Process::output() const {
  std::ifstream file(output_);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool Process::says(const std::string& text) const {
  const auto said = [&] { return output().find(text) != std::string::npos; };
  return eventually([&] { return said() || ended(); }) && said();
}

std::uint16_t Process::port_after(const std::string& text) const {
  if (!says(text)) {
    throw std::runtime_error("never said `" + text + "`:\n" + output());
  }
  const std::string all = output();
  const std::string rest = all.substr(all.find(text) + text.size());
  return static_cast<std::uint16_t>(std::stoi(rest.substr(rest.find(':') + 1)));
}

}  // namespace sluice::test
