#include <chrono>
#include <csignal>
#include <iostream>
#include <optional>
#include <string>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <sluice/cli/cli.hpp>

#include "admin_client.hpp"
#include "commands.hpp"
#include "top_text.hpp"

namespace sluice::cli {
namespace {

constexpr std::chrono::seconds interval{1};
constexpr std::size_t lines_if_unknown = 1'000;

// A terminal that gives each key at once and does not show it, until the end of the scope.
class Keys {
 public:
  Keys() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    std::cout << "\x1b[?1049h\x1b[?25l";  // the other screen, without a cursor
    // The signal that the window has another size, which nobody handles, would not end poll().
    std::signal(SIGWINCH, [](int) {});
  }
  ~Keys() {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    std::cout << "\x1b[?25h\x1b[?1049l" << std::flush;
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  // Whether to go on, after a second, a key, or another size of the window.
  static bool wait() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready =
        ::poll(&input, 1, static_cast<int>(std::chrono::milliseconds(interval).count()));
    char key = 0;
    return ready <= 0 || (::read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q');
  }

 private:
  termios before_{};
};

struct Size {
  std::size_t lines = lines_if_unknown;
  std::size_t columns = lines_if_unknown;
};

Size window_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) {
    return {};
  }
  return {.lines = size.ws_row, .columns = size.ws_col};
}

Result<TopState> look(const AdminClient& client) {
  const auto answer = client.get("/status");
  if (!answer) {
    return std::unexpected(answer.error());
  }
  return parse_status(answer->body, std::chrono::steady_clock::now());
}

}  // namespace

int top(const std::string& config_file) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  const AdminClient client(config->admin, std::chrono::seconds(5));
  auto state = look(client);
  if (!state) {
    return fail("top", state.error().message);
  }
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    say(top_text(*state, std::nullopt, lines_if_unknown, lines_if_unknown));
    return exit_ok;
  }
  std::optional<TopState> before;
  std::string trouble;
  {
    const Keys keys;
    do {
      const Size size = window_size();
      std::cout << "\x1b[H\x1b[J";
      say(top_text(*state, before, size.lines - 1, size.columns));
      // A key or another size can come before the second is over: rates are over a longer time.
      if (!before || state->at - before->at >= interval) {
        before = *state;
      }
      if (!Keys::wait()) {
        return exit_ok;
      }
      state = look(client);
    } while (state);
    trouble = state.error().message;
  }
  return fail("top", trouble);
}

}  // namespace sluice::cli
