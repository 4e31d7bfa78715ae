#include <array>
#include <iostream>
#include <string>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/normalise/time.hpp>
#include <sluice/store/offline.hpp>

#include "commands.hpp"

namespace sluice::cli {
namespace {

std::string text_of(WallTime time) {
  std::array<char, time_text_size> text{};
  format_time(time, text.data());
  return {text.data(), text.size()};
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string stat_json(const store::WorkspaceStat& workspace) {
  return fmt::format(
      R"({{"workspace":{},"events":{},"bytes":{},"groups":{},"first_ticket":{},"next_ticket":{},"oldest":{}}})",
      json_string(workspace.name), workspace.backlog.events, workspace.backlog.bytes,
      workspace.groups, workspace.first_ticket, workspace.next_ticket,
      workspace.oldest ? json_string(text_of(*workspace.oldest)) : "null");
}

std::string stat_text(const store::WorkspaceStat& workspace) {
  if (workspace.groups == 0) {
    return fmt::format("workspace {}: empty; next ticket {}", workspace.name,
                       workspace.next_ticket);
  }
  return fmt::format("workspace {}: {} events in {} groups, {} bytes; tickets {} to {}; oldest {}",
                     workspace.name, workspace.backlog.events, workspace.groups,
                     workspace.backlog.bytes, workspace.first_ticket, workspace.next_ticket - 1,
                     workspace.oldest ? text_of(*workspace.oldest) : "unreadable");
}

int stat(const std::string& path, bool json) {
  const auto found = store::stat(path, this_program);
  if (!found) {
    return fail("buffer", found.error().message);
  }
  if (json) {
    std::string workspaces;
    for (const store::WorkspaceStat& workspace : found->workspaces) {
      workspaces += (workspaces.empty() ? "" : ",") + stat_json(workspace);
    }
    say(fmt::format("{{\"path\":{},\"format\":{},\"disk_bytes\":{},\"workspaces\":[{}]}}\n",
                    json_string(path), json_string(found->format), found->disk_bytes, workspaces));
    return exit_ok;
  }
  say(fmt::format("{}: {}; {} bytes on disk\n", path, found->format, found->disk_bytes));
  for (const store::WorkspaceStat& workspace : found->workspaces) {
    say(stat_text(workspace) + "\n");
  }
  return exit_ok;
}

std::string bad_json(const store::Verification& found) {
  std::string bad;
  for (const store::BadRange& range : found.bad) {
    bad += fmt::format(
        R"({}{{"workspace":{},"first_ticket":{},"last_ticket":{},"groups":{},"events":{}}})",
        bad.empty() ? "" : ",", json_string(range.workspace), range.first_ticket, range.last_ticket,
        range.groups, range.events);
  }
  return bad;
}

std::string verification_json(const store::Verification& found) {
  return fmt::format(
      R"("groups":{},"events":{},"log_dropped_bytes":{},"cannot_open":{},"bad":[{}])", found.groups,
      found.events, found.log_dropped_bytes,
      found.cannot_open.empty() ? "null" : json_string(found.cannot_open), bad_json(found));
}

std::string bad_text(const store::Verification& found) {
  std::string out;
  if (!found.cannot_open.empty()) {
    out +=
        fmt::format("the database cannot be opened ({}): this is what can be found in its files\n",
                    found.cannot_open);
  }
  for (const store::BadRange& range : found.bad) {
    out += fmt::format("workspace {}: tickets {} to {} cannot be read: {} groups, {} events\n",
                       range.workspace, range.first_ticket, range.last_ticket, range.groups,
                       range.events);
  }
  if (found.log_dropped_bytes > 0) {
    out += fmt::format("{} bytes of the write-ahead log cannot be read\n", found.log_dropped_bytes);
  }
  return out;
}

int verify(const std::string& path, bool json) {
  const auto found = store::verify(path, this_program);
  if (!found) {
    return fail("buffer", found.error().message);
  }
  if (json) {
    say(fmt::format("{{\"sound\":{},{}}}\n", found->is_sound(), verification_json(*found)));
  } else {
    say(bad_text(*found) +
        fmt::format("{} events in {} groups can be read\n", found->events, found->groups));
  }
  return found->is_sound() ? exit_ok : exit_failure;
}

int export_events(const std::string& path) {
  const auto print = [](const store::ExportedEvent& event) {
    std::cout  // as it is: it is data, and no terminal's
        << fmt::format(
               R"({{"workspace":{},"ticket":{},"index":{},"kind":"{}","accepted_at":"{}","event":{}}})",
               json_string(event.workspace), event.ticket, event.index, info(event.kind).name,
               text_of(event.accepted_at), event.json)
        << '\n';
  };
  const auto found = store::export_events(path, print, this_program);
  if (!found) {
    return fail("buffer", found.error().message);
  }
  complain(bad_text(*found));
  std::cout.flush();
  return found->is_sound() && std::cout ? exit_ok : exit_failure;
}

int repair(const std::string& path, bool json) {
  const auto repaired = store::repair(path, this_program);
  if (!repaired) {
    return fail("buffer", repaired.error().message);
  }
  if (json) {
    say(fmt::format("{{\"repaired\":{},\"set_aside\":{},{}}}\n", repaired->is_rebuilt,
                    json_string(repaired->set_aside), verification_json(repaired->found)));
    return exit_ok;
  }
  say(bad_text(repaired->found));
  if (!repaired->is_rebuilt) {
    say("the store is sound: nothing was changed\n");
  } else if (repaired->set_aside.empty()) {
    say(fmt::format(
        "built anew of {} events in {} groups, in place of what there was: there was no "
        "room for both\n",
        repaired->found.events, repaired->found.groups));
  } else {
    say(fmt::format(
        "built anew of {} events in {} groups; what there was is kept in {}: delete it when you no "
        "longer need it\n",
        repaired->found.events, repaired->found.groups, repaired->set_aside));
  }
  return exit_ok;
}

}  // namespace

int buffer(const std::string& config_file, BufferAction action, bool json) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  if (config->buffer.type != config::BufferType::disk) {
    return fail("buffer", config->file + " says buffer.type memory: there is no store");
  }
  log::configure(config->log.level, config->log.format);
  const std::string& path = config->buffer.path;
  switch (action) {
    case BufferAction::verify:
      return verify(path, json);
    case BufferAction::stat:
      return stat(path, json);
    case BufferAction::export_events:
      return export_events(path);
    case BufferAction::repair:
      return repair(path, json);
  }
  return exit_usage;
}

}  // namespace sluice::cli
