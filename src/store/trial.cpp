#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/store/trial.hpp>

#include "load.hpp"
#include "opening.hpp"
#include "read_back.hpp"
#include "read_past.hpp"
#include "rocksdb_engine.hpp"
#include "trial_report.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds trial_time{60};             // for what is small
constexpr std::uint64_t slow_bytes_per_second = 2U << 20;  // that a slow machine reads
constexpr std::chrono::seconds stopped_time{1};            // that a process has that is to end
constexpr std::chrono::seconds reap_time{5};
constexpr std::chrono::milliseconds look_interval{1'000};  // at how far the child has come
constexpr std::size_t output_bytes_max = 1U << 20;
constexpr std::size_t words_bytes_max = 512;  // of what a library says before it ends the process
constexpr int no_memory_exit_code = 3;
// A store that is opened to be read takes in all of its logs; to write, it makes tables of them.
constexpr std::size_t trial_write_buffer_bytes = 8U << 20;
// Of each thread that a database starts, and of all that it starts at once to open tables.
constexpr std::size_t stack_bytes = 1U << 20;
constexpr std::uint64_t stacks_bytes = 32U << 20;
// A sanitizer has as much to itself: then nothing can be said.
constexpr std::uint64_t shadow_bytes = std::uint64_t{1} << 40;

TrialReport refusal(const Error& error) {
  TrialReport report{.end = TrialReport::End::refused, .text = error.message};
  report.code = static_cast<Errc>(error.code.value());
  return report;
}

TrialReport open_and_look(const std::string& database, bool to_write) {
  const auto engine = open_rocksdb(
      {.path = database, .read_only = !to_write, .write_buffer_bytes = trial_write_buffer_bytes});
  if (!engine) {
    return refusal(engine.error());
  }
  ReadPast past(**engine);
  const auto ids = stored_ids(past);
  if (!ids) {
    return refusal(ids.error());
  }
  TrialReport report{.end = TrialReport::End::fine, .text = {}};
  for (const WorkspaceId id : *ids) {
    const auto workspace = load_workspace(past, id);
    if (!workspace) {
      return refusal(workspace.error());
    }
    report.next[id] = workspace->next.ticket;
    if (to_write) {
      const auto read = read_past_damage(past, Tag::group, id, {.begin = 0, .end = ticket_max},
                                         [](std::string_view, std::string_view) { return true; });
      if (!read) {
        return refusal(read.error());
      }
    }
  }
  report.stray_tables = (*engine)->stats().stray_tables;
  (*engine)->close();
  return report;
}

template <class T>
bool take_number(std::string_view& text, T& number) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return parsed.ec == std::errc();
}

// The child's two outputs come out of one pipe.
struct Child {
  pid_t pid = -1;
  int output = -1;
};

int spawn(const std::vector<std::string>& command, Child& child) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  // Connections of this process that are closed meanwhile must not stay open there.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // In a group of its own, what a terminal sends to this process does not end it.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT(*-const-cast): it copies
  }
  arguments.push_back(nullptr);
  const int error = ::posix_spawn(&child.pid, arguments.front(), &actions, &attributes,
                                  arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  child.output = ends[0];
  if (error != 0) {
    ::close(ends[0]);
  }
  return error;
}

using Deadline = std::chrono::steady_clock::time_point;

// What the child says until it ends. Whether it has ended before the deadline.
bool read_output(const Child& child, Deadline deadline, const TellOpening& tell,
                 const std::stop_token& stopped, std::string& output) {
  bool was_stopped = false;
  OpeningStep step(tell, OpeningProgress::Step::trying);
  const std::string io_file = fmt::format("/proc/{}/io", child.pid);
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    if (stopped.stop_requested() && !std::exchange(was_stopped, true)) {
      deadline = std::min(deadline, now + stopped_time);
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    pollfd ready{.fd = child.output, .events = POLLIN, .revents = 0};
    if (left.count() <= 0) {
      return false;
    }
    if (::poll(&ready, 1, static_cast<int>(std::min(left, look_interval).count())) <= 0) {
      step.note(moved_bytes(io_file));
      continue;
    }
    std::array<char, 4'096> piece{};
    const ssize_t count = ::read(child.output, piece.data(), piece.size());
    if (count == 0 || (count < 0 && errno != EINTR)) {
      return true;
    }
    if (count > 0 && output.size() < output_bytes_max) {
      output.append(piece.data(), static_cast<std::size_t>(count));
    }
  }
}

std::chrono::seconds time_for(const std::string& database, bool to_write) {
  std::uint64_t slow_bytes = 0;
  std::error_code error;
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (const std::uint64_t size = at->file_size(gone);
        !gone && (to_write || at->path().extension() == ".log")) {
      slow_bytes += size;
    }
  }
  return trial_time + std::chrono::seconds(slow_bytes / slow_bytes_per_second);
}

// How the child has ended, and what it has cost; nothing if it cannot be ended, as when a device
// holds it up.
struct Ended {
  int status;
  std::chrono::microseconds cpu_time;
};

std::optional<Ended> reap(const Child& child) {
  const auto deadline = std::chrono::steady_clock::now() + reap_time;
  while (std::chrono::steady_clock::now() < deadline) {
    int status = 0;
    rusage usage{};
    const pid_t ended = ::wait4(child.pid, &status, WNOHANG, &usage);
    if (ended == child.pid) {
      return Ended{.status = status,
                   .cpu_time = std::chrono::seconds(usage.ru_utime.tv_sec) +
                               std::chrono::microseconds(usage.ru_utime.tv_usec)};
    }
    if (ended < 0 && errno != EINTR) {
      return std::nullopt;
    }
    ::poll(nullptr, 0, 1);  // it is about to
  }
  return std::nullopt;
}

// A thread that cannot be started for want of memory says nothing of the database either.
[[noreturn]] void end_of_trial() {
  try {
    if (const std::exception_ptr reason = std::current_exception()) {
      std::rethrow_exception(reason);
    }
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      ::_exit(no_memory_exit_code);
    }
  } catch (...) {
    std::abort();
  }
  std::abort();
}

// It ends when it takes more, before anything else can come of that, such as the end of the process
// that waits for it.
void bound_memory(std::uint64_t bytes) {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::uint64_t used_kib = 0;
  while (status >> word && word != "VmData:") {
  }
  status >> used_kib;
  const std::uint64_t used = used_kib * 1024;
  if (bytes == 0 || used == 0 || used > shadow_bytes) {
    return;
  }
  const rlimit limit{.rlim_cur = used + bytes + stacks_bytes, .rlim_max = RLIM_INFINITY};
  ::setrlimit(RLIMIT_DATA, &limit);
  pthread_attr_t threads;
  ::pthread_attr_init(&threads);
  ::pthread_attr_setstacksize(&threads, stack_bytes);
  ::pthread_setattr_default_np(&threads);
  ::pthread_attr_destroy(&threads);
  std::set_new_handler([] { ::_exit(no_memory_exit_code); });
  std::set_terminate(end_of_trial);
}

// Of the library's own making: an assertion, or nonsense that it followed. Any other was sent.
bool is_fault(int signal) {
  return signal == SIGABRT || signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
         signal == SIGFPE;
}

// The last words are an assertion's, as a rule.
std::string last_words(std::string_view output) {
  while (output.ends_with('\n')) {
    output.remove_suffix(1);
  }
  if (const std::size_t line = output.rfind('\n'); line != std::string_view::npos) {
    output.remove_prefix(line + 1);
  }
  return std::string(output.substr(0, words_bytes_max));
}

}  // namespace

std::string to_text(const TrialReport& report) {
  if (report.end != TrialReport::End::fine) {
    std::string reason = report.text;
    std::ranges::replace(reason, '\n', ' ');
    return fmt::format("error {} {}\n", static_cast<int>(report.code), reason);
  }
  std::string text;
  for (const auto& [id, ticket] : report.next) {
    text += fmt::format("next {} {}\n", id, ticket);
  }
  return text + fmt::format("fine {}\n", report.stray_tables);
}

TrialReport report_of(std::string_view text) {
  TrialReport report;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto begins = [&](std::string_view word) {
      const bool so = line.starts_with(word);
      line.remove_prefix(so ? word.size() : 0);
      return so;
    };
    if (begins("next ")) {
      WorkspaceId id = 0;
      Ticket ticket = 0;
      if (take_number(line, id) && take_number(line, ticket)) {
        report.next[id] = ticket;
      }
    } else if (begins("fine ")) {
      report.end = take_number(line, report.stray_tables) ? TrialReport::End::fine : report.end;
    } else if (begins("error ")) {
      int code = 0;
      report.end = take_number(line, code) ? TrialReport::End::refused : report.end;
      report.code = static_cast<Errc>(code);
      report.text = line.substr(std::min<std::size_t>(1, line.size()));
    }
  }
  return report;
}

TrialReport try_opening(const std::string& program, const TrialTask& task, const TellOpening& tell,
                        const std::stop_token& stopped) {
  std::vector<std::string> command{program, trial_command};
  if (task.to_write) {
    command.emplace_back("--write");
  }
  if (task.memory_bytes > 0) {
    command.insert(command.end(), {"--memory", std::to_string(task.memory_bytes)});
  }
  command.push_back(task.database);
  Child child;
  TrialReport unknown;
  if (const int error = spawn(command, child); error != 0) {
    unknown.text = "cannot start " + program + ": " + std::generic_category().message(error);
    return unknown;
  }
  std::string output;
  const auto time = time_for(task.database, task.to_write);
  const bool ended =
      read_output(child, std::chrono::steady_clock::now() + time, tell, stopped, output);
  if (!ended) {
    ::kill(child.pid, SIGKILL);
  }
  ::close(child.output);
  const std::optional<Ended> end = reap(child);
  TrialReport report = report_of(output);
  if (!ended) {
    // One that has computed all the time would never come to an end. One that has waited says
    // something about the device, and nothing about what is on it.
    const bool has_computed = !stopped.stop_requested() && end && end->cpu_time > time / 2;
    report.end = has_computed ? TrialReport::End::died : TrialReport::End::unknown;
    report.text = fmt::format("opening it takes more than {} s", time.count());
  } else if (!end) {
    report.end = TrialReport::End::unknown;
    report.text = fmt::format("{} does not end", program);
  } else if (WIFSIGNALED(end->status) && is_fault(WTERMSIG(end->status))) {
    report.end = TrialReport::End::died;
    report.text =
        fmt::format("opening it ends the process with signal {} ({}): {}", WTERMSIG(end->status),
                    ::sigabbrev_np(WTERMSIG(end->status)), last_words(output));
  } else if (WIFSIGNALED(end->status)) {
    report.end = TrialReport::End::unknown;
    report.text = fmt::format("somebody has ended {}", program);
  } else if (WEXITSTATUS(end->status) == no_memory_exit_code) {
    report.end = TrialReport::End::unknown;
    report.needs_memory = true;
    report.text =
        fmt::format("reading its logs takes more than {} bytes of memory", task.memory_bytes);
  }
  return report;
}

int run_trial(const TrialTask& task) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  constexpr rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  bound_memory(task.memory_bytes);
  try {
    const TrialReport report = open_and_look(task.database, task.to_write);
    std::cout << to_text(report) << std::flush;
    return report.end == TrialReport::End::fine ? 0 : 1;
  } catch (const std::bad_alloc&) {
    return no_memory_exit_code;  // says nothing about the database
  }
}

}  // namespace sluice::store
