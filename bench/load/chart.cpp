#include "chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sluice::load {
namespace {

using std::chrono::nanoseconds;

constexpr double width = 860;
constexpr double height = 660;

struct Point {
  double x;
  double y;
};

// A rectangle of the page that shows x in [0, x_max] and y in [y_min, y_max].
struct Panel {
  double top;
  std::string_view title;
  double x_max;
  double y_min;
  double y_max;

  static constexpr double left = 80;
  static constexpr double right = width - 30;
  static constexpr double tall = 230;

  [[nodiscard]] double x(double value) const { return left + value / x_max * (right - left); }
  [[nodiscard]] double y(double value) const {
    return top + tall * (1 - (value - y_min) / (y_max - y_min));
  }
};

void append_frame(std::string& out, const Panel& panel) {
  fmt::format_to(std::back_inserter(out),
                 R"(<text x="{0}" y="{1:.1f}" class="title">{2}</text>)"
                 R"(<rect x="{0}" y="{3:.1f}" width="{4:.1f}" height="{5:.1f}" class="frame"/>)"
                 "\n",
                 Panel::left, panel.top - 12, panel.title, panel.top, Panel::right - Panel::left,
                 Panel::tall);
}

void append_x_tick(std::string& out, const Panel& panel, double value, std::string_view label) {
  fmt::format_to(std::back_inserter(out),
                 R"(<line x1="{0:.1f}" y1="{1:.1f}" x2="{0:.1f}" y2="{2:.1f}" class="grid"/>)"
                 R"(<text x="{0:.1f}" y="{3:.1f}" text-anchor="middle">{4}</text>)"
                 "\n",
                 panel.x(value), panel.top, panel.top + Panel::tall, panel.top + Panel::tall + 18,
                 label);
}

void append_y_tick(std::string& out, const Panel& panel, double value, std::string_view label) {
  fmt::format_to(std::back_inserter(out),
                 R"(<line x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}" class="grid"/>)"
                 R"(<text x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>)"
                 "\n",
                 Panel::left, panel.y(value), Panel::right, Panel::left - 8, panel.y(value) + 4,
                 label);
}

void append_curve(std::string& out, const Panel& panel, const std::vector<Point>& points) {
  out += R"(<polyline class="curve" points=")";
  for (const Point& point : points) {
    fmt::format_to(std::back_inserter(out), "{:.1f},{:.1f} ", panel.x(point.x), panel.y(point.y));
  }
  out += "\"/>\n";
}

// Each step to the right is ten times rarer, and each step up ten times slower.
void append_latency_chart(std::string& out, const Histogram& latency) {
  constexpr double decades = 5;  // up to p99.999
  constexpr int points_per_decade = 40;
  constexpr std::array<std::pair<double, std::string_view>, 7> shares{{{0, "p0"},
                                                                       {0.30103, "p50"},
                                                                       {1, "p90"},
                                                                       {2, "p99"},
                                                                       {3, "p99.9"},
                                                                       {4, "p99.99"},
                                                                       {5, "p99.999"}}};
  const auto log_ns = [&](double share) {
    return std::log10(std::max(1.0, static_cast<double>(latency.quantile(share).count())));
  };
  const double lowest = std::floor(log_ns(0));
  const Panel panel{.top = 90,
                    .title = "Latency by percentile",
                    .x_max = decades,
                    .y_min = lowest,
                    .y_max = std::max(lowest + 1, std::ceil(log_ns(1)))};
  append_frame(out, panel);
  for (const auto& [x, label] : shares) {
    append_x_tick(out, panel, x, label);
  }
  for (double power = panel.y_min; power <= panel.y_max; ++power) {
    const auto ns = static_cast<std::int64_t>(std::pow(10.0, power));
    append_y_tick(out, panel, power, to_text(nanoseconds(ns)));
  }
  std::vector<Point> points;
  for (int i = 0; i <= static_cast<int>(decades) * points_per_decade; ++i) {
    const double x = static_cast<double>(i) / points_per_decade;
    points.push_back({x, log_ns(1 - std::pow(10.0, -x))});
  }
  append_curve(out, panel, points);
}

// Events per second, in at most so many points as can be told apart.
std::vector<Point> throughput(const Tally& tally) {
  constexpr std::size_t points_max = 300;
  constexpr double slot_s = std::chrono::duration<double>(Tally::slot).count();
  const auto& slots = tally.events_by_slot();
  const std::size_t step = slots.size() / points_max + 1;
  std::vector<Point> points;
  // The last slot is rarely whole.
  for (std::size_t first = 0; first + step < slots.size(); first += step) {
    std::uint64_t events = 0;
    for (std::size_t i = first; i < first + step; ++i) {
      events += slots[i];
    }
    const double span_s = static_cast<double>(step) * slot_s;
    points.push_back({(static_cast<double>(first) + static_cast<double>(step) / 2) * slot_s,
                      static_cast<double>(events) / span_s});
  }
  return points;
}

// The smallest of 1, 2 and 5 times a power of ten that cuts the range into at most `parts`.
double tick_step(double range, int parts) {
  const double power = std::pow(10.0, std::floor(std::log10(range / parts)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power * parts >= range) {
      return factor * power;
    }
  }
  return 10 * power;
}

void append_throughput(std::string& out, const Report& report) {
  const std::vector<Point> points = throughput(report.tally);
  double most = 1;
  for (const Point& point : points) {
    most = std::max(most, point.y);
  }
  const double seconds = std::max(0.1, std::chrono::duration<double>(report.measured).count());
  const double y_step = tick_step(most, 5);
  const double x_step = tick_step(seconds, 10);
  const Panel panel{.top = 390,
                    .title = "Events per second, over time",
                    .x_max = seconds,
                    .y_min = 0,
                    .y_max = std::ceil(most / y_step) * y_step};
  append_frame(out, panel);
  for (int i = 0; i * x_step <= seconds; ++i) {
    append_x_tick(out, panel, i * x_step, fmt::format("{:g} s", i * x_step));
  }
  for (int i = 0; i * y_step <= panel.y_max; ++i) {
    append_y_tick(out, panel, i * y_step, fmt::format("{:g}", i * y_step));
  }
  append_curve(out, panel, points);
}

// The path of a target may hold characters that mean something in XML.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string to_svg(const Report& report) {
  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}">
<style>
text {{ font: 12px sans-serif; fill: #333 }} .title {{ font-size: 15px; font-weight: bold }}
.frame {{ fill: none; stroke: #888 }} .grid {{ stroke: #ddd }}
.curve {{ fill: none; stroke: #1565c0; stroke-width: 2 }}
</style>
<rect width="{0}" height="{1}" fill="#fff"/>
<text x="{2}" y="28" class="title">{3}: {4:.0f} requests/s, {5:.0f} events/s</text>
<text x="{2}" y="48">p50 {6}, p99 {7}, p99.9 {8}, max {9}</text>
)",
      width, height, Panel::left,
      escaped(report.settings.target.authority() + report.settings.target.path),
      report.requests_per_s(), report.events_per_s(), to_text(report.tally.latency().quantile(0.5)),
      to_text(report.tally.latency().quantile(0.99)),
      to_text(report.tally.latency().quantile(0.999)), to_text(report.tally.latency().max()));
  append_latency_chart(out, report.tally.latency());
  append_throughput(out, report);
  return out + "</svg>\n";
}

}  // namespace sluice::load
