#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include <sluice/base/printable.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/normalise/time.hpp>

#include "admin_client.hpp"
#include "commands.hpp"
#include "dlq_text.hpp"

namespace sluice::cli {
namespace {

using deadletter::Filter;
using deadletter::LetterId;
using deadletter::Selection;

constexpr std::size_t letters_per_request = 1'000;
constexpr unsigned status_not_found = 404;
constexpr unsigned status_stopped = 503;  // with a report

Result<std::optional<WallTime>> read_time(const std::string& option, const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  const auto time = parse_time(text);
  if (!time) {
    return failure(std::errc::invalid_argument,
                   option + " is not a time: write it as 2026-11-24T00:00:00Z");
  }
  return time->time;
}

Result<Filter> filter_of(const DlqOptions& options) {
  const auto since = read_time("--since", options.since);
  const auto until = read_time("--until", options.until);
  if (!since || !until) {
    return std::unexpected(since ? until.error() : since.error());
  }
  return Filter{.workspace = options.workspace,
                .reason = options.reason,
                .since = *since,
                .until = *until,
                .contains = options.contains};
}

// What a change is about must be said.
Result<Selection> selection_of(const DlqOptions& options) {
  const auto filter = filter_of(options);
  if (!filter) {
    return std::unexpected(filter.error());
  }
  const bool is_filtered = *filter != Filter{};
  if (int{options.all} + int{is_filtered} + int{!options.ids.empty()} != 1) {
    return failure(std::errc::invalid_argument,
                   "say which dead letters: --id, or a filter (--workspace, --reason, --since, "
                   "--until, --contains), or --all");
  }
  if (options.ids.empty()) {
    return *filter;
  }
  std::set<LetterId> ids;
  for (const std::string& text : options.ids) {
    const auto id = deadletter::parse_letter_id(text);
    if (!id) {
      return failure(std::errc::invalid_argument, "`" + text + "` is not the id of a dead letter");
    }
    ids.insert(*id);
  }
  return ids;
}

bool is_not_running(const Error& error) { return error.code == std::errc::connection_refused; }

std::string refusal(const AdminClient& client, const AdminAnswer& answer) {
  return "the gateway at " + client.address() + " says " + std::to_string(answer.status) + ": " +
         message_of(answer.body);
}

// Reads from the running gateway or, when there is none, from the files.
class Reader {
 public:
  explicit Reader(const config::Config& config)
      : client_(config.admin), folder_(config.dead_letter.path) {}

  Result<deadletter::Page> read(const deadletter::Query& query) {
    if (from_files_) {
      return deadletter::read_letters(folder_, query);
    }
    const auto answer = client_.get(list_target(query));
    if (!answer && is_not_running(answer.error())) {
      turn_to_files();
      return read(query);
    }
    if (!answer) {
      return std::unexpected(answer.error());
    }
    if (answer->status != status_ok) {
      return failure(std::errc::protocol_error, refusal(client_, *answer));
    }
    return parse_list(answer->body);
  }

  Result<std::optional<deadletter::Letter>> find(LetterId id) {
    const auto answer = client_.get("/dlq/" + deadletter::to_text(id));
    if (!answer && is_not_running(answer.error())) {
      turn_to_files();
      return find_in_files(id);
    }
    if (!answer) {
      return std::unexpected(answer.error());
    }
    if (answer->status != status_ok && answer->status != status_not_found) {
      return failure(std::errc::protocol_error, refusal(client_, *answer));
    }
    const std::string_view body(answer->body);
    return deadletter::parse_letter(body.substr(0, body.find('\n')));
  }

 private:
  void turn_to_files() {
    from_files_ = true;
    complain("sluice dlq: no gateway answers at " + client_.address() + "; reading the files in " +
             folder_ + "\n");
  }

  Result<std::optional<deadletter::Letter>> find_in_files(LetterId id) const {
    auto page = deadletter::read_letters(folder_, {.selection = std::set{id}, .letters_max = 1});
    if (!page) {
      return std::unexpected(page.error());
    }
    return page->letters.empty() ? std::nullopt : std::optional(page->letters.front());
  }

  AdminClient client_;
  std::string folder_;
  bool from_files_ = false;
};

// Asks until the gateway has come to the end, or cannot go on.
Result<Report> run_passes(const AdminClient& client, const std::string& target,
                          const Selection& selection) {
  Report total;
  do {
    const auto answer = client.post(target, pass_body(selection, total.cursor));
    if (!answer) {
      return std::unexpected(answer.error());
    }
    auto report = answer->status == status_ok || answer->status == status_stopped
                      ? parse_report(answer->body)
                      : failure(std::errc::protocol_error, refusal(client, *answer));
    if (!report) {
      return std::unexpected(report.error());
    }
    total.done += report->done;
    total.kept += report->kept;
    std::ranges::move(report->why, std::back_inserter(total.why));
    total.stopped = std::move(report->stopped);
    total.cursor = std::move(report->cursor);
  } while (total.stopped.empty() && !total.cursor.empty());
  return total;
}

Result<Report> purge_files(const config::Config& config, const Selection& selection) {
  Report report;
  std::error_code ignored;
  if (!std::filesystem::exists(config.dead_letter.path, ignored)) {
    return report;
  }
  auto store = deadletter::open_store(config.dead_letter.path, config.dead_letter.max_bytes);
  if (!store) {
    return std::unexpected(store.error());
  }
  LetterId after = 0;
  while (true) {
    const auto removed = (*store)->remove(selection, after, (*store)->last_id());
    if (!removed) {
      report.stopped = removed.error().message;
      return report;
    }
    report.done += removed->letters;
    if (!removed->next) {
      return report;
    }
    after = *removed->next;
  }
}

int print_report(const Report& report, std::string_view verb, bool as_json) {
  std::string text = to_json(report, verb);
  if (!as_json) {
    text = std::to_string(report.done) + " dead letters " + std::string(verb);
    if (report.kept > 0) {
      text += ", " + std::to_string(report.kept) + " refused and kept";
    }
    text += '\n';
    for (const Report::Kept& kept : report.why) {
      text += printable(kept.id) + "  " + printable(kept.reason) + '\n';
    }
  }
  say(text);
  if (!report.stopped.empty()) {
    return fail("dlq", "stopped before the end: " + report.stopped, exit_undelivered);
  }
  return report.kept == 0 ? exit_ok : exit_failure;
}

int list(const config::Config& config, const DlqOptions& options) {
  const auto filter = filter_of(options);
  if (!filter) {
    return fail("dlq", filter.error().message, exit_usage);
  }
  Reader reader(config);
  deadletter::Query query{.selection = *filter, .order = deadletter::Order::newest_first};
  std::size_t shown = 0;
  bool more = true;
  while (more && (options.limit == 0 || shown < options.limit)) {
    query.letters_max = options.limit == 0 ? letters_per_request
                                           : std::min(options.limit - shown, letters_per_request);
    const auto page = reader.read(query);
    if (!page) {
      return fail("dlq", page.error().message);
    }
    std::string text;
    for (const deadletter::Letter& letter : page->letters) {
      text += shown == 0 && !options.json ? table_head() : "";
      text += options.json ? letter.line + "\n" : table_row(letter);
      ++shown;
    }
    say(text);
    more = page->next.has_value();
    query.after = page->next.value_or(0);
  }
  if (more) {
    complain("sluice dlq: there may be more; --limit 0 shows all\n");
  }
  return exit_ok;
}

int show(const config::Config& config, const DlqOptions& options) {
  const auto id = deadletter::parse_letter_id(options.ids.front());
  if (!id) {
    return fail("dlq", "`" + options.ids.front() + "` is not the id of a dead letter", exit_usage);
  }
  const auto letter = Reader(config).find(*id);
  if (!letter) {
    return fail("dlq", letter.error().message);
  }
  if (!*letter) {
    return fail("dlq", "there is no dead letter " + options.ids.front());
  }
  say(options.json ? (*letter)->line + "\n" : description(**letter));
  return exit_ok;
}

int replay(const config::Config& config, const DlqOptions& options) {
  const auto selection = selection_of(options);
  if (!selection) {
    return fail("dlq", selection.error().message, exit_usage);
  }
  const AdminClient client(config.admin);
  const auto report = run_passes(client, "/dlq/replay", *selection);
  if (!report && is_not_running(report.error())) {
    return fail("dlq",
                "no gateway answers at " + client.address() +
                    ", and replaying needs one: start it with `sluice serve`",
                exit_unavailable);
  }
  return report ? print_report(*report, "replayed", options.json)
                : fail("dlq", report.error().message);
}

int purge(const config::Config& config, const DlqOptions& options) {
  const auto selection = selection_of(options);
  if (!selection) {
    return fail("dlq", selection.error().message, exit_usage);
  }
  const AdminClient client(config.admin);
  auto report = run_passes(client, "/dlq/purge", *selection);
  if (!report && is_not_running(report.error())) {
    complain("sluice dlq: no gateway answers at " + client.address() +
             "; working on the files in " + config.dead_letter.path + "\n");
    report = purge_files(config, *selection);
  }
  return report ? print_report(*report, "purged", options.json)
                : fail("dlq", report.error().message);
}

}  // namespace

int dlq(const std::string& config_file, DlqAction action, const DlqOptions& options) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  switch (action) {
    case DlqAction::list:
      return list(*config, options);
    case DlqAction::show:
      return show(*config, options);
    case DlqAction::replay:
      return replay(*config, options);
    case DlqAction::purge:
      break;
  }
  return purge(*config, options);
}

}  // namespace sluice::cli
