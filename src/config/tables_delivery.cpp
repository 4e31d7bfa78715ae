#include <chrono>

#include <fmt/format.h>

#include <sluice/event/api_limits.hpp>

#include "kinds.hpp"
#include "tables.hpp"

namespace sluice::config {

using namespace std::chrono_literals;

template <>
const Table<Buffer>& table<Buffer>() {
  static const Table<Buffer> rows{
      "buffer",
      optional_map,
      {
          key("type", &Buffer::type, one_of(buffer_type_names),
              "`disk`: a 202 survives a crash. `memory`: it does not, and costs no disk.")
              .restart()
              .see("[Delivery guarantees](delivery-guarantees.md)"),
          key("path", &Buffer::path, Path{},
              "A folder of its own, for one process at a time. Not used by `memory`.")
              .restart(),
          key("sync", &Buffer::sync, one_of(buffer_sync_names),
              "When what was written is made to last: before the 202, or within `sync_interval`. "
              "With `interval` a crash of the machine (not of Sluice) loses what was acknowledged "
              "since.")
              .restart(),
          key("sync_interval", &Buffer::sync_interval, within(duration, 1ms, 1min),
              "Used with `sync: interval`.")
              .restart(),
          key("max_bytes", &Buffer::max_bytes, within(size, 0, store_bytes_max),
              "The bytes of all waiting events. At least `ingest.max_event_bytes`; 0: no limit of "
              "this kind. Where it is not given, with `disk`: a third of the room on the disk at "
              "the start, if that is less than the default.")
              .see("[A full disk](operations.md#the-disk-is-full-or-fails)"),
          key("max_events", &Buffer::max_events, within(count, 0, 1'000'000'000'000),
              "Their number. 0: no limit of this kind."),
          key("high_watermark", &Buffer::high_watermark, within(share, 0.01, 1),
              "The share of a limit from which new events are refused with 503 ..."),
          key("low_watermark", &Buffer::low_watermark, within(share, 0.01, 1),
              "... until the level has fallen below this one. Below `high_watermark`."),
          key("producer_share", &Buffer::producer_share, within(share, 0.01, 1),
              "Where several producers write to one workspace: the share of its bytes that one of "
              "them may hold. Above it, that producer is refused with 503, until it holds less "
              "than this share of what is below the low watermark, and the others are not."),
          key("drain_timeout", &Buffer::drain_timeout, within(duration, 0ms, 1h),
              "With `disk`, on SIGTERM: how long to go on delivering what is safe on disk, and at "
              "most `drain_timeout`. Short, so that a restart is: what is left is delivered after "
              "the next start. Where the disk goes with the instance, as an `emptyDir` does with "
              "its pod, write as much as `drain_timeout`.")
              .see("[Stop](operations.md#stop)"),
      }};
  return rows;
}

template <>
const Table<Batch>& table<Batch>() {
  static const Table<Batch> rows{
      "batch",
      optional_map,
      {
          key("max_events", &Batch::max_events,
              within(count, 1, api::batch_events_max, "the API's limit"),
              "Events. The most is the API's limit."),
          key("max_bytes", &Batch::max_bytes,
              within(size, kib, api::batch_bytes_max, "the API's limit"),
              "Bytes of the JSON array. The most is the API's limit, 1000000."),
          key("linger", &Batch::linger, within(duration, 0ms, 1min),
              "How long the first event has waited since it was accepted."),
      }};
  return rows;
}

template <>
const Table<Delivery>& table<Delivery>() {
  static const Table<Delivery> rows{
      "delivery",
      optional_map,
      {
          key("lanes", &Delivery::lanes, within(count, 1, 1'024),
              "Per workspace. A profile's events share a lane; a lane has one request in flight. "
              "Lanes with little to send share a request."),
          key("max_in_flight", &Delivery::max_in_flight, within(count, 1, 1'024),
              "Requests at once, per workspace. More than `lanes` is never reached."),
          key("timeout", &Delivery::timeout, timeout(),
              "From a request's first byte to its answer's last."),
          key("connect_timeout", &Delivery::connect_timeout, timeout(),
              "Name look-up, TCP and TLS together; also how long a request waits for a login."),
          key("accept_statuses", &Delivery::accept_statuses, Statuses{},
              "The 2xx statuses of a success, for an API that differs: any other 2xx parks "
              "the workspace as `misrouted`. None: 200, 202, 204, 207, and 201 with a body. The "
              "body of the answer is looked at all the same.")
              .see("[What each answer leads to](delivery-guarantees.md#what-each-answer-leads-to)")
              .title("list"),
          key("backoff", &Delivery::backoff, Map<Backoff>{}, "The waits between attempts."),
      }};
  return rows;
}

template <>
const Table<Backoff>& table<Backoff>() {
  static const Table<Backoff> rows{"backoff",
                                   optional_map,
                                   {
                                       key("initial", &Backoff::initial, within(duration, 1ms, 1h),
                                           "The longest first wait after a failure. It doubles "
                                           "with each, at random between 0 and it ..."),
                                       key("max", &Backoff::max, within(duration, 1ms, 1h),
                                           "... up to this one. At least `initial`."),
                                   }};
  return rows;
}

template <>
const Table<Passthrough>& table<Passthrough>() {
  static const Table<Passthrough> rows{
      "passthrough",
      optional_map,
      {
          key("max_in_flight", &Passthrough::max_in_flight, within(count, 1, 10'000),
              "Requests at once, per workspace. More are answered 503."),
          key("max_body_bytes", &Passthrough::max_body_bytes,
              within(size, kib, std::size_t{1} << 40),
              "A request's body. More is answered 413. It is passed on as it comes and never held, "
              "so it costs no memory; `ingest.max_body_bytes` does not hold here."),
          key("timeout", &Passthrough::timeout, timeout(),
              "From a request's last byte to the head of its answer. Longer is answered 504."),
          key("idle_timeout", &Passthrough::idle_timeout, timeout(),
              "For the next byte, of a body that comes or of one that goes, on either side."),
      }};
  return rows;
}

template <>
const Table<Dedup>& table<Dedup>() {
  static const Table<Dedup> rows{
      "dedup",
      optional_map,
      {
          key("window", &Dedup::window, within(duration, 0ms, 24h),
              "How long an accepted salt is remembered. 0: not at all."),
          key("max_entries", &Dedup::max_entries, within(count, 0, 100'000'000),
              "How many, per workspace; the oldest go first. Values below 128 switch it off, as "
              "they are divided among 64 parts."),
      }};
  return rows;
}

template <>
const Table<DeadLetter>& table<DeadLetter>() {
  static const Table<DeadLetter> rows{
      "dead_letter",
      optional_map,
      {
          key("path", &DeadLetter::path, Path{},
              "A directory, not `buffer.path`; made when it is missing.")
              .see("[Its files](operations.md#the-files)"),
          key("max_bytes", &DeadLetter::max_bytes, within(size, 64 * kib, store_bytes_max),
              "When it is full, lanes with a dead letter wait.")
              .see("[What to do](operations.md#the-store-is-full)"),
      }};
  return rows;
}

template <>
const Table<Log>& table<Log>() {
  static const Table<Log> rows{"log",
                               optional_map,
                               {
                                   key("level", &Log::level, one_of(log_level_names),
                                       "What is less than this is not logged."),
                                   key("format", &Log::format, one_of(log_format_names),
                                       "One line per message: JSON, or for people."),
                               }};
  return rows;
}

}  // namespace sluice::config
