#include "report.hpp"

#include <array>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>

namespace sluice::load {
namespace {

using std::chrono::nanoseconds;

struct Quantile {
  std::string_view name;
  double share;
};
constexpr std::array<Quantile, 5> quantiles{
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}}};
constexpr std::array<Loss, loss_count> all_losses{Loss::cut, Loss::timed_out, Loss::malformed};

double seconds(nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

double per_second(std::uint64_t count, nanoseconds duration) {
  return duration.count() > 0 ? static_cast<double>(count) / seconds(duration) : 0.0;
}

double mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

double cpu_us_per_event(const ServerUse& server) {
  return server.events == 0 ? 0.0 : seconds(server.cpu) * 1e6 / static_cast<double>(server.events);
}

std::string describe_load(const Settings& settings) {
  const std::string loop = settings.rate_per_s > 0
                               ? fmt::format("open loop, {:g} requests/s, {}", settings.rate_per_s,
                                             settings.poisson ? "Poisson" : "constant")
                               : "closed loop";
  return fmt::format("{}, {} connections, {} threads, pipeline {}", loop, settings.connections,
                     settings.threads, settings.pipeline);
}

std::string describe_latency(const Histogram& latency) {
  std::string out = fmt::format("mean {}", to_text(latency.mean()));
  for (const Quantile& quantile : quantiles) {
    fmt::format_to(std::back_inserter(out), ", {} {}", quantile.name,
                   to_text(latency.quantile(quantile.share)));
  }
  return out + ", max " + to_text(latency.max());
}

std::string describe_statuses(const Tally& tally) {
  std::string out;
  for (unsigned status = 0; status < Tally::status_end; ++status) {
    if (tally.answers_with(status) > 0) {
      fmt::format_to(std::back_inserter(out), "{}{}: {}", out.empty() ? "" : ", ", status,
                     tally.answers_with(status));
    }
  }
  return out.empty() ? "no answers" : out;
}

std::string describe_losses(const Tally& tally) {
  return fmt::format("cut {}, timed out {}, malformed {}, never sent {}; failed connects {}",
                     tally.losses(Loss::cut), tally.losses(Loss::timed_out),
                     tally.losses(Loss::malformed), tally.never_sent(), tally.connects_failed());
}

void append_latency(std::string& out, const Histogram& latency) {
  const auto end = std::back_inserter(out);
  fmt::format_to(end, R"("latency_seconds":{{"mean":{:.9f})", seconds(latency.mean()));
  for (const Quantile& quantile : quantiles) {
    fmt::format_to(end, R"(,"{}":{:.9f})", quantile.name,
                   seconds(latency.quantile(quantile.share)));
  }
  fmt::format_to(end, R"(,"max":{:.9f}}})", seconds(latency.max()));
}

void append_answers(std::string& out, const Tally& tally) {
  const auto end = std::back_inserter(out);
  out += R"("statuses":{)";
  std::string_view comma;
  for (unsigned status = 0; status < Tally::status_end; ++status) {
    if (tally.answers_with(status) > 0) {
      fmt::format_to(end, R"({}"{}":{})", comma, status, tally.answers_with(status));
      comma = ",";
    }
  }
  fmt::format_to(end, R"(}},"accepted":{},"rejected":{},"duplicates":{},"lost":{{)",
                 tally.counts().accepted, tally.counts().rejected, tally.counts().duplicates);
  for (const Loss loss : all_losses) {
    fmt::format_to(end, R"("{}":{},)", to_string(loss), tally.losses(loss));
  }
  fmt::format_to(end, R"("never_sent":{}}},"connects_failed":{})", tally.never_sent(),
                 tally.connects_failed());
}

void append_events_by_second(std::string& out, const Tally& tally) {
  constexpr std::size_t slots_per_second = std::chrono::seconds(1) / Tally::slot;
  const auto& slots = tally.events_by_slot();
  out += R"("events_by_second":[)";
  for (std::size_t first = 0; first < slots.size(); first += slots_per_second) {
    std::uint64_t events = 0;
    for (std::size_t i = first; i < slots.size() && i < first + slots_per_second; ++i) {
      events += slots[i];
    }
    fmt::format_to(std::back_inserter(out), "{}{}", first == 0 ? "" : ",", events);
  }
  out += ']';
}

}  // namespace

double Report::requests_per_s() const { return per_second(tally.requests(), measured); }
double Report::events_per_s() const { return per_second(tally.events(), measured); }

std::string to_text(nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e3) {
    return fmt::format("{:.0f} ns", ns);
  }
  if (ns < 1e6) {
    return fmt::format("{:.3g} us", ns / 1e3);
  }
  return ns < 1e9 ? fmt::format("{:.3g} ms", ns / 1e6) : fmt::format("{:.3g} s", ns / 1e9);
}

std::string to_text(const Report& report) {
  const Settings& settings = report.settings;
  const Tally& tally = report.tally;
  std::string out = fmt::format(
      "target    {}://{}{}\n"
      "load      {}\n"
      "measured  {:.2f} s after {:.2f} s of warm-up\n"
      "requests  {} ({:.0f}/s)\n"
      "events    {} ({:.0f}/s)\n"
      "latency   {}\n"
      "answers   {}\n"
      "verdicts  accepted {}, rejected {}, duplicates {}\n"
      "lost      {}\n",
      settings.target.tls ? "https" : "http", settings.target.authority(), settings.target.path,
      describe_load(settings), seconds(report.measured), seconds(settings.warmup), tally.requests(),
      report.requests_per_s(), tally.events(), report.events_per_s(),
      describe_latency(tally.latency()), describe_statuses(tally), tally.counts().accepted,
      tally.counts().rejected, tally.counts().duplicates, describe_losses(tally));
  fmt::format_to(std::back_inserter(out), "generator {:.2f} s of CPU\n",
                 seconds(report.generator_cpu));
  if (report.server) {
    fmt::format_to(
        std::back_inserter(out),
        "server    {:.3g} us of CPU per event ({:.2f} s), RSS {:.1f} MiB, peak {:.1f} MiB\n",
        cpu_us_per_event(*report.server), seconds(report.server->cpu),
        mebibytes(report.server->resident_bytes), mebibytes(report.server->resident_bytes_max));
  }
  return out;
}

std::string to_json(const Report& report) {
  const Settings& settings = report.settings;
  const Tally& tally = report.tally;
  std::string out = R"({"target":)";
  const auto end = std::back_inserter(out);
  append_json_string(out, fmt::format("{}://{}{}", settings.target.tls ? "https" : "http",
                                      settings.target.authority(), settings.target.path));
  fmt::format_to(end,
                 R"(,"connections":{},"threads":{},"pipeline":{},"rate_per_second":{},)"
                 R"("poisson":{},"warmup_seconds":{:.3f},"measured_seconds":{:.6f},)"
                 R"("requests":{},"requests_per_second":{:.3f},)"
                 R"("events":{},"events_per_second":{:.3f},)",
                 settings.connections, settings.threads, settings.pipeline, settings.rate_per_s,
                 settings.poisson, seconds(settings.warmup), seconds(report.measured),
                 tally.requests(), report.requests_per_s(), tally.events(), report.events_per_s());
  append_latency(out, tally.latency());
  out += ',';
  append_answers(out, tally);
  out += ',';
  append_events_by_second(out, tally);
  fmt::format_to(end, R"(,"generator_cpu_seconds":{:.3f})", seconds(report.generator_cpu));
  if (report.server) {
    fmt::format_to(end,
                   R"(,"server":{{"cpu_seconds":{:.3f},"events":{},"cpu_seconds_per_event":{:.9f},)"
                   R"("resident_bytes":{},"resident_bytes_max":{}}})",
                   seconds(report.server->cpu), report.server->events,
                   cpu_us_per_event(*report.server) / 1e6, report.server->resident_bytes,
                   report.server->resident_bytes_max);
  }
  out += "}\n";
  return out;
}

}  // namespace sluice::load
