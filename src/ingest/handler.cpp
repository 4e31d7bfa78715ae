#include "handler.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include <sluice/base/ascii.hpp>
#include <sluice/base/calendar.hpp>
#include <sluice/normalise/time.hpp>

#include "route_hint.hpp"

namespace sluice::ingest {
namespace {

// A media type without its parameters and the space around it.
std::string_view media_type(std::string_view field) {
  field = field.substr(0, field.find(';'));
  while (!field.empty() && field.back() == ' ') {
    field.remove_suffix(1);
  }
  return field;
}

std::optional<normalise::Framing> find_framing(std::string_view content_type) {
  const std::string_view type = media_type(content_type);
  if (type.empty() || equals_ignoring_case(type, "application/json")) {
    return normalise::Framing::object_or_array;
  }
  for (const std::string_view lines : {"application/x-ndjson", "application/ndjson",
                                       "application/jsonl", "application/x-jsonlines"}) {
    if (equals_ignoring_case(type, lines)) {
      return normalise::Framing::lines;
    }
  }
  return std::nullopt;
}

// What a shop tries a webhook out with when it is saved: WooCommerce posts `webhook_id=7` as a
// form, with no event in it. A form that is anything else is a producer's mistake.
bool is_webhook_ping(std::string_view form) {
  constexpr std::size_t bytes_max = 1'024;
  constexpr std::string_view field = "webhook_id=";
  if (form.size() > bytes_max) {
    return false;
  }
  const std::size_t at = form.starts_with(field) ? 0 : form.find("&webhook_id=");
  if (at == std::string_view::npos) {
    return false;
  }
  const std::string_view id = form.substr(at + field.size() + (at == 0 ? 0 : 1));
  return !id.empty() && is_digit(id.front());
}

// The level that `Prefer: sluice-ack=` asks for (RFC 7240; one that is not known is ignored).
std::optional<buffer::AckLevel> wanted_level(std::string_view prefer) {
  constexpr std::string_view name = "sluice-ack=";
  const std::size_t at = prefer.find(name);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view value = prefer.substr(at + name.size());
  value = value.substr(0, value.find_first_of(",; "));
  if (value == "disk" || value == "\"disk\"") {
    return buffer::AckLevel::disk;
  }
  if (value == "memory" || value == "\"memory\"") {
    return buffer::AckLevel::memory;
  }
  return std::nullopt;
}

std::string_view level_name(buffer::AckLevel level) {
  return level == buffer::AckLevel::disk ? "disk" : "memory";
}

// What a request is acknowledged at.
buffer::AckLevel level_for(const RequestHead& head, const buffer::Buffer& buffer) {
  return std::min(wanted_level(head.prefer).value_or(buffer.level()), buffer.level());
}

normalise::RejectReason reject_reason(mapping::MappingErrc code) {
  switch (code) {
    case mapping::MappingErrc::malformed:
      return normalise::RejectReason::malformed_json;
    case mapping::MappingErrc::too_deep:
      return normalise::RejectReason::too_deep;
    case mapping::MappingErrc::not_text:
      return normalise::RejectReason::string_invalid;
    case mapping::MappingErrc::not_an_object:
      return normalise::RejectReason::not_an_object;
    case mapping::MappingErrc::missing_required:
      return normalise::RejectReason::field_missing;
    case mapping::MappingErrc::wrong_type:
      return normalise::RejectReason::field_invalid;
    case mapping::MappingErrc::bad_time:
      return normalise::RejectReason::time_invalid;
    case mapping::MappingErrc::too_large:
      return normalise::RejectReason::event_too_large;
    case mapping::MappingErrc::no_rule:
      break;
  }
  return normalise::RejectReason::mapping_failed;
}

// One who asks how the gateway is has nothing to send.
constexpr std::size_t probe_body_bytes_max = 1U << 10;

bool is_probe(RouteId route) { return route == RouteId::livez || route == RouteId::readyz; }

// `OPTIONS *` and `OPTIONS /` are about the server and not about anything on it (RFC 9110, 9.3.7):
// HAProxy asks so by default whether it is well.
bool asks_server(const RequestHead& head) {
  return head.method == boost::beast::http::verb::options &&
         (head.path() == "/" || head.path() == "*");
}

constexpr std::string_view media_types_wanted =
    "the body's media type must be application/json or application/x-ndjson: set Content-Type";

// By which the buffers tell producers apart; 0: nobody in particular.
std::uint32_t index_of(const Producer* producer) {
  return producer == nullptr ? 0 : producer->index;
}

// What is not 202 by the workspace, where a part was rejected, or else by the source.
unsigned success_status(const Admitted& admitted, const Counts& counts) {
  const unsigned partial = admitted.options->tables->workspaces[admitted.workspace].partial_status;
  if (counts.rejected > 0 && partial != 202) {
    return partial;
  }
  return admitted.source == nullptr ? 202 : admitted.source->success_status;
}

// Whether the time is known to be right: what is judged by a wrong clock would be made wrong. Until
// the upstream has said its own, nobody knows.
bool is_credible(WallTime now, const WorkspaceTarget& workspace) {
  if (workspace.clock_skew_ms == nullptr) {
    return now >= clock_not_before;
  }
  const std::int64_t skew_ms = workspace.clock_skew_ms->load(std::memory_order_relaxed);
  return now >= clock_not_before && skew_ms != clock_skew_unknown &&
         std::chrono::abs(std::chrono::milliseconds(skew_ms)) <= workspace.rules.future_tolerance;
}

// What is kept of the space for mapped events between requests.
constexpr std::size_t mapped_bytes_kept = std::size_t{1} << 20;

// The bytes of events that one mapped body may become: a small raw event can make a large one.
std::size_t mapped_bytes_max(const HandlerOptions& options) {
  constexpr std::size_t at_least = std::size_t{64} << 20;
  return std::max(4 * options.body_bytes_max, at_least);
}

// A rate is one of events, but reading costs by bytes, too: so many cost as much as an event.
constexpr std::size_t bytes_of_an_event = std::size_t{16} << 10;

bool is_slight(const Admitted& admitted, std::span<const char> body) {
  return body.size() <= slight_body_bytes_max && admitted.coding == ContentCoding::identity;
}

// What decoding may make of the body at most.
std::size_t decoded_bytes_max(const Admitted& admitted, std::size_t body_bytes) {
  const std::size_t ratio = admitted.options->decompression_ratio_max;
  return ratio != 0 && body_bytes < admitted.body_bytes_max / ratio ? body_bytes * ratio
                                                                    : admitted.body_bytes_max;
}

Problem being_stored(std::string_view what) {
  return {.refusal = Refusal::being_stored,
          .message = fmt::format("the same {} is being stored for another request: send this again "
                                 "later",
                                 what),
          .retry_after = std::chrono::seconds(1)};
}

// Which request it was that came first with the key.
Problem key_reused(const buffer::DedupWindow::FirstRequest& first) {
  std::array<char, time_text_size> at{};
  format_time(first.received_at, at.data());
  return {.refusal = Refusal::idempotency_key_reused,
          .message = fmt::format(
              "this Idempotency-Key came with another body or path before, at {}{}{}: send a "
              "retry as it was, and what is new with a new key",
              std::string_view(at.data(), at.size()), first.id.empty() ? "" : " in the request ",
              first.id)};
}

}  // namespace

Problem body_too_large(const Admitted& admitted, bool is_decoded) {
  if (admitted.route.id == RouteId::login) {
    return {.refusal = Refusal::body_too_large,
            .message = fmt::format("a login has at most {} bytes: send the apiKey alone",
                                   admitted.body_bytes_max),
            .limit = BodyLimit::login};
  }
  if (is_probe(admitted.route.id)) {
    return {.refusal = Refusal::body_too_large,
            .message = "this path takes no body: leave it out",
            .limit = BodyLimit::login};
  }
  const bool is_own = admitted.body_bytes_max != admitted.options->body_bytes_max;
  const BodyLimit undecoded = is_own ? BodyLimit::producer : BodyLimit::ingest;
  return {.refusal = Refusal::body_too_large,
          .message = fmt::format("the body is above {} ({}){}: send less in one request",
                                 is_own ? "the producer's max_body_bytes" : "ingest.max_body_bytes",
                                 admitted.body_bytes_max, is_decoded ? " once decoded" : ""),
          .limit = is_decoded ? BodyLimit::decoded : undecoded};
}

Handler::Handler(const HandlerOptions& options, std::size_t thread, Rng rng, Probe& probe)
    : options_(&options, [](const HandlerOptions*) {}),
      thread_(thread),
      rng_(rng),
      probe_(probe),
      normaliser_(Rng(rng_())),
      request_id_prefix_(fmt::format("{:016x}-", rng_())) {}

void Handler::adopt(HandlerOptionsPtr options) {
  options_ = std::move(options);
  ++adopted_;
  last_credentials_.clear();
  last_producer_ = nullptr;
}

Result<Admitted, Problem> Handler::look_at(const RequestHead& head, Peer* peer) {
  Admitted admitted{.options = options_, .body_bytes_max = options_->body_bytes_max};
  const std::string_view path = head.path();
  auto route = find_route(path);
  if (asks_server(head)) {
    route = Route{.id = RouteId::readyz};
  }
  if (!route || (options_->keep_whole == KeepWhole::unrouted_or_login && is_about_key(route->id))) {
    return look_past_routes(head, peer);
  }
  admitted.route = *route;
  if (is_probe(route->id)) {
    return look_at_probe(head, admitted);
  }
  const bool takes_get = route->id == RouteId::refresh;
  if (head.method != (takes_get ? boost::beast::http::verb::get : boost::beast::http::verb::post)) {
    const std::string_view method = takes_get ? "GET" : "POST";
    return std::unexpected(Problem{.refusal = Refusal::wrong_method,
                                   .message = "this path takes " + std::string(method) + " only",
                                   .allow = method});
  }
  if (head.repeated) {
    return refused(Refusal::bad_request, "a header field that may come once came twice");
  }
  if (route->id == RouteId::login) {  // who it is, the body says
    admitted.body_bytes_max = std::min(admitted.body_bytes_max, login_body_bytes_max);
    const auto known = recognise_peer(peer);
    if (!known) {
      return std::unexpected(known.error());
    }
    admitted.producer = *known;
    return admitted;
  }
  if (const auto identified = identify(head, peer, admitted); !identified) {
    return std::unexpected(identified.error());
  }
  if (route->id == RouteId::refresh) {
    return admitted;
  }
  if (const auto readable = find_media(head, admitted); !readable) {
    return std::unexpected(readable.error());
  }
  const auto coding = find_content_coding(head.content_encoding);
  if (!coding) {
    return refused(Refusal::unsupported_encoding,
                   "Content-Encoding must be gzip, deflate or zstd, or left out");
  }
  admitted.coding = *coding;
  if (route->id == RouteId::permission_check) {
    return admitted;
  }
  if (const auto room = check_capacity(admitted); !room) {
    return std::unexpected(room.error());
  }
  return admitted;
}

// Load balancers have no key, and learn nothing but whether to send others here.
Result<Admitted, Problem> Handler::look_at_probe(const RequestHead& head, Admitted admitted) const {
  using boost::beast::http::verb;
  if (head.method != verb::get && head.method != verb::head && !asks_server(head)) {
    return std::unexpected(Problem{.refusal = Refusal::wrong_method,
                                   .message = "this path takes GET and HEAD only",
                                   .allow = "GET, HEAD"});
  }
  admitted.body_bytes_max = std::min(admitted.body_bytes_max, probe_body_bytes_max);
  return admitted;
}

void Handler::answer_probe(const RequestHead& head, const Admitted& admitted, bool keep_alive,
                           std::string& out) {
  const bool is_well = admitted.route.id == RouteId::livez || is_ready(*admitted.options);
  answers_.probed(out, answer_head(head, options_->clock->wall_now(), -1, keep_alive), is_well);
  probe_.count_request(admitted.route.id, is_well ? 200 : 503);
}

bool Handler::is_ready(const HandlerOptions& options) const {
  return !draining() && std::ranges::all_of(options.tables->workspaces, [](const auto& workspace) {
    return !workspace.admission->must_refuse() && workspace.buffer->trouble().empty();
  });
}

Result<void, Problem> Handler::find_media(const RequestHead& head, Admitted& admitted) {
  if (admitted.source != nullptr &&
      equals_ignoring_case(media_type(head.content_type), "application/x-www-form-urlencoded")) {
    admitted.is_ping = true;
    return {};
  }
  const auto framing = find_framing(head.content_type);
  if (!framing) {
    return refused(Refusal::unsupported_type, std::string(media_types_wanted));
  }
  const bool is_single = admitted.route.single;
  if (is_single && *framing == normalise::Framing::lines) {
    return refused(Refusal::unsupported_type,
                   "this path takes one JSON object: post NDJSON to the batch endpoint");
  }
  admitted.framing = is_single ? normalise::Framing::object : *framing;
  return {};
}

Result<void, Problem> Handler::identify(const RequestHead& head, Peer* peer, Admitted& admitted) {
  if (!admitted.options->producers->anonymous()) {
    const auto found = find_producer(head, peer);
    if (!found) {
      return std::unexpected(found.error());
    }
    const Producer& producer = **found;
    admitted.producer = &producer;
    admitted.workspace = producer.workspace;
    if (producer.body_bytes_max != 0) {
      admitted.body_bytes_max = producer.body_bytes_max;
    }
    if (!is_about_key(admitted.route.id) && !producer.may_use(to_string(admitted.route.id))) {
      return refused(Refusal::not_allowed, "this path is not among the producer's `routes`");
    }
  }
  if (admitted.route.id != RouteId::source) {
    return {};
  }
  const auto& sources = admitted.options->tables->sources;
  const auto source = std::ranges::find(sources, admitted.route.source, &SourceTarget::name);
  if (source == sources.end()) {
    return refused(Refusal::unknown_route, "no source `" +
                                               std::string(admitted.route.source.substr(0, 64)) +
                                               "` is configured." + route_hint(head.path()));
  }
  if (admitted.producer != nullptr && !admitted.producer->may_write_to(source->name)) {
    return refused(Refusal::not_allowed, "this source is not among the producer's `sources`");
  }
  if (admitted.producer != nullptr && source->workspace != admitted.producer->workspace) {
    return refused(Refusal::not_allowed,
                   "this source belongs to another workspace than your key's");
  }
  admitted.workspace = source->workspace;
  admitted.source = &*source;
  return {};
}

Result<void, Problem> Handler::check_capacity(const Admitted& admitted) {
  const WorkspaceTarget& workspace = admitted.options->tables->workspaces[admitted.workspace];
  if (draining()) {
    return std::unexpected(
        Problem{.refusal = Refusal::draining,
                .message = "the gateway is stopping: send this again, to another one",
                .retry_after = std::chrono::seconds(1)});
  }
  if (workspace.admission->must_refuse(index_of(admitted.producer))) {
    return std::unexpected(full(workspace, index_of(admitted.producer)));
  }
  if (const std::string trouble = workspace.buffer->trouble(); !trouble.empty()) {
    return std::unexpected(not_stored(trouble));
  }
  if (admitted.producer != nullptr && admitted.producer->rate_limit != nullptr) {
    const auto wait = admitted.producer->rate_limit->wait(options_->clock->mono_now());
    if (wait.count() > 0) {
      return std::unexpected(
          Problem{.refusal = Refusal::over_rate,
                  .message = "this producer is over its rate_limit: send this again later",
                  .retry_after = std::chrono::ceil<std::chrono::seconds>(wait)});
    }
  }
  return {};
}

// The wait that the backlog suggests, with up to half as much again at random, so that those who
// were refused together do not come back together.
Problem Handler::full(const WorkspaceTarget& workspace, std::size_t producer) {
  const auto wait = workspace.outlook->retry_after(workspace.admission->events_to_leave(producer),
                                                   options_->clock->mono_now());
  const auto seconds = static_cast<std::uint64_t>(wait.count());
  return {.refusal = Refusal::full,
          .message = "the buffer is full: send this again later",
          .retry_after = std::chrono::seconds(seconds + rng_.below(seconds / 2 + 1)),
          .pressure = workspace.admission->pressure()};
}

bool Handler::is_bulky(const Admitted& admitted, std::span<const char> body, MonoTime now) try {
  decoded_.reset();
  in_vain_ = 0;
  const std::uint32_t producer = index_of(admitted.producer);
  shares_.note(producer, now);
  if (body.size() > light_body_bytes_max) {
    return true;
  }
  if ((!is_slight(admitted, body) || shares_.was_in_vain(producer)) &&
      shares_.is_used_up(producer, now)) {
    return true;
  }
  if (admitted.coding == ContentCoding::identity) {
    return false;
  }
  const std::size_t bytes_max = decoded_bytes_max(admitted, body.size());
  const auto decoded =
      decoder_.decode(admitted.coding, body, std::min(bytes_max, light_body_bytes_max),
                      normalise::Normaliser::padding_bytes);
  if (decoded) {
    decoded_ = *decoded;
    return false;
  }
  if (decoded.error() != DecodeError::too_large) {
    return false;
  }
  charge_share(admitted, body, now, options_->clock->mono_now());
  return true;
} catch (const std::bad_alloc&) {
  return false;  // handle() will find that memory is short, and answer
}

void Handler::charge_share(const Admitted& admitted, std::span<const char> body, MonoTime begun,
                           MonoTime now) {
  const bool in_vain = in_vain_ > slight_body_events_max;
  if (in_vain || !is_slight(admitted, body)) {
    shares_.charge(index_of(admitted.producer), now - begun, now, in_vain);
  }
}

std::optional<Handed> Handler::handle(const RequestHead& head, const Admitted& admitted,
                                      std::span<char> body, bool keep_alive, std::string& out,
                                      buffer::Buffer::Acknowledge acknowledge) {
  if (is_probe(admitted.route.id)) {
    answer_probe(head, admitted, keep_alive, out);
    return std::nullopt;
  }
  if (admitted.route.id == RouteId::permission_check) {
    return ask_permissions(head, admitted, body, keep_alive, out, acknowledge);
  }
  if (admitted.route.id == RouteId::login || admitted.route.id == RouteId::refresh) {
    log_in(head, admitted, body, keep_alive, out);
    return std::nullopt;
  }
  if (admitted.is_ping) {
    acknowledge_ping(head, admitted, {body.data(), body.size()}, keep_alive, out);
    return std::nullopt;
  }
  const auto refuse_with = [&](const Problem& problem) {
    refuse(head, admitted.route.id, problem, keep_alive, out);
    return std::nullopt;
  };
  if (const auto read = read_events(head, admitted, body); !read) {
    return refuse_with(read.error());
  }
  const WorkspaceTarget& workspace = admitted.options->tables->workspaces[admitted.workspace];
  const MonoTime now = options_->clock->mono_now();
  auto offer = acceptor_.offer(intake_of(workspace), request_of(head, admitted), events_, now);
  if (!offer) {
    return refuse_with(not_taken(offer.error(), admitted));
  }
  const accept::Outcome outcome = offer->outcome();
  const Counts counts{.accepted = outcome.accepted,
                      .rejected = events_.rejected_events,
                      .duplicates = outcome.duplicates,
                      .ignored = ignored_};
  const buffer::AckLevel level = level_for(head, *workspace.buffer);
  Handed handed{.route = admitted.route.id,
                .status = success_status(admitted, counts),
                .workspace = admitted.workspace,
                .events = outcome.events,
                .changed = outcome.changed};
  AnswerHead answer = answer_head(head, received_at_, workspace.admission->pressure(), keep_alive);
  answer.rejected = counts.rejected;
  answer.preference_applied = wanted_level(head.prefer) ? level_name(level) : std::string_view();
  answer.replayed = outcome.replayed;
  answers_.accepted(out, answer, handed.status, counts, events_.rejections,
                    {.count = events_.warning_count, .listed = events_.warnings});
  if (outcome.events > 0 && is_tapped()) {
    show_accepted(head, admitted, now);
  }
  // From here on nothing may fail: what the buffer has will be acknowledged.
  const bool is_kept = offer->hand_over(thread_, level, std::move(acknowledge));
  probe_.duplicates.add(outcome.absorbed);
  probe_.requests_replayed.add(outcome.replayed ? 1 : 0);
  if (!is_kept) {
    return handed;
  }
  settle(handed, true);
  return std::nullopt;
}

// What the answer says of the request is what a repetition is told.
accept::Request Handler::request_of(const RequestHead& head, const Admitted& admitted) {
  accept::Request request{.producer = index_of(admitted.producer),
                          .key = request_key_,
                          .received_at = received_at_,
                          .traceparent = head.traceparent};
  if (request_key_) {
    request.id = request_id(head);
    id_is_made_ = !head.has_usable_request_id();  // the answer carries the same
  }
  return request;
}

Problem Handler::not_taken(const accept::Refused& refused, const Admitted& admitted) {
  using Reason = accept::Refused::Reason;
  switch (refused.reason) {
    case Reason::full:
      probe_.refused_full.add(refused.events);
      return full(admitted.options->tables->workspaces[admitted.workspace],
                  index_of(admitted.producer));
    case Reason::event_pending:
      return being_stored("event");
    case Reason::request_pending:
      return being_stored("Idempotency-Key");
    case Reason::key_reused:
      break;
  }
  probe_.keys_reused.add();
  return key_reused(*refused.first);
}

void Handler::settle(const Handed& handed, bool kept) {
  settle_events(handed, kept);
  if (kept) {
    probe_.count_request(handed.route, handed.status);
  }
}

void Handler::settle_events(const Handed& handed, bool kept) {
  if (kept) {
    probe_.accepted[handed.workspace].add(handed.events);
    probe_.changed.add(handed.changed);
    return;
  }
  probe_.refused_storage.add(handed.events);
}

void Handler::refuse(const RequestHead& head, RouteId route, const Problem& problem,
                     bool keep_alive, std::string& out) {
  const bool lists_events = problem.refusal == Refusal::invalid_events;
  AnswerHead answer = answer_head(head, options_->clock->wall_now(), problem.pressure, keep_alive);
  answer.rejected = lists_events ? events_.rejected_events : 0;
  answers_.problem(out, answer, problem, head.path(),
                   lists_events ? std::span<const normalise::Rejection>(events_.rejections)
                                : std::span<const normalise::Rejection>());
  probe_.count_request(route, http_status(problem.refusal));
  if (problem.limit) {
    probe_.bodies_refused[static_cast<std::size_t>(*problem.limit)].add();
  }
}

// Makes events of the body; an error refuses all of them.
Result<void, Problem> Handler::read_events(const RequestHead& head, const Admitted& admitted,
                                           std::span<char> body) try {
  const auto decoded = decode(admitted, body);
  if (!decoded) {
    events_.clear();
    charge(admitted, 0, decoder_.produced_bytes());
    return std::unexpected(decoded.error());
  }
  auto normalised = normalise(head, admitted, *decoded);
  charge(admitted, normalised ? events_.records.size() : 0, decoded->size());
  if (!normalised) {
    events_.clear();
    if (is_tapped()) {
      show_unreadable(head, admitted, normalised.error());
    }
    return normalised;
  }
  count_events(admitted);
  if (events_.rejected_events > 0 && is_tapped()) {
    show_rejected(head, admitted, {decoded->data(), decoded->size()});
  }
  return judge(admitted);
} catch (const std::bad_alloc&) {
  events_.clear();
  return std::unexpected(not_stored("memory is short"));
}

void Handler::charge(const Admitted& admitted, std::size_t valid, std::size_t bytes) {
  const std::size_t events = events_.examined() + ignored_;
  in_vain_ = events - std::min(events, valid);
  if (admitted.producer == nullptr || admitted.producer->rate_limit == nullptr) {
    return;
  }
  const MonoTime now = options_->clock->mono_now();
  const std::size_t examined = std::max(events, bytes / bytes_of_an_event);
  admitted.producer->rate_limit->charge(valid, now);
  admitted.producer->rate_limit->charge_in_vain(examined - std::min(examined, valid), now);
}

Result<std::span<char>, Problem> Handler::decode(const Admitted& admitted, std::span<char> body) {
  if (admitted.coding == ContentCoding::identity) {
    return body;
  }
  if (decoded_) {
    return *std::exchange(decoded_, std::nullopt);
  }
  const std::size_t bytes_max = decoded_bytes_max(admitted, body.size());
  auto decoded =
      decoder_.decode(admitted.coding, body, bytes_max, normalise::Normaliser::padding_bytes);
  if (decoded) {
    return *decoded;
  }
  const std::size_t ratio = admitted.options->decompression_ratio_max;
  const bool by_ratio = bytes_max < admitted.body_bytes_max;
  if (decoded.error() == DecodeError::too_large && by_ratio) {
    return std::unexpected(
        Problem{.refusal = Refusal::body_too_large,
                .message = fmt::format("the body decodes to more than "
                                       "limits.max_decompression_ratio ({}) times its size: "
                                       "compress it less, or not at all",
                                       ratio),
                .limit = BodyLimit::ratio});
  }
  if (decoded.error() == DecodeError::too_large) {
    return std::unexpected(body_too_large(admitted, true));
  }
  return refused(Refusal::undecodable_body,
                 "the body is not what Content-Encoding says, or it is cut off");
}

Result<void, Problem> Handler::normalise(const RequestHead& head, const Admitted& admitted,
                                         std::span<char> body) {
  events_.clear();
  ignored_ = 0;
  idempotency_key_.clear();
  request_key_.reset();
  received_at_ = options_->clock->wall_now();
  normalise::Request request{.framing = admitted.framing,
                             .kind = admitted.route.kind,
                             .type = admitted.route.type,
                             .received_at = received_at_,
                             .idempotency_key = {}};
  if (!head.idempotency_key.empty()) {
    // Two producers that use the same key mean two events.
    idempotency_key_ = admitted.producer != nullptr ? admitted.producer->name : "";
    idempotency_key_ += '\0';
    idempotency_key_ += head.idempotency_key;
    request.idempotency_key = idempotency_key_;
    request_key_ = request_key(head.path(), body);
  }
  const WorkspaceTarget& workspace = admitted.options->tables->workspaces[admitted.workspace];
  const normalise::Rules& rules = workspace.rules;
  request.clamps_future = is_credible(received_at_, workspace);
  if (admitted.source != nullptr) {
    return map(admitted, body, request, rules);
  }
  const auto normalised = normaliser_.run(body, request, rules, events_);
  if (!normalised) {
    return refused(Refusal::malformed_body, normalised.error().message);
  }
  return {};
}

// A source's rules make events of the body, which then go the way of all others.
Result<void, Problem> Handler::map(const Admitted& admitted, std::span<char> body,
                                   const normalise::Request& request,
                                   const normalise::Rules& rules) {
  const std::size_t bytes_max = mapped_bytes_max(*admitted.options);
  std::uint32_t index = 0;
  bool fits = true;
  const auto take = [&](const mapping::MappingOutcome& outcome) {
    fits = fits && events_.size() <= bytes_max;
    if (fits) {
      count_mapped(outcome, admitted.source->slot);
      take_mapped(outcome, index++, request, rules);
    }
    return events_.lists_more();
  };
  const auto mapped = admitted.source->mapper->map_body(
      body, admitted.framing, rules.event_bytes_max, mapper_scratch_, mapped_, std::cref(take));
  if (mapped_.capacity() > mapped_bytes_kept) {
    mapped_ = {};
  }
  if (!mapped) {
    return refused(Refusal::malformed_body, mapped.error().message);
  }
  if (!fits) {
    return std::unexpected(
        Problem{.refusal = Refusal::body_too_large,
                .message = fmt::format("the body becomes more than {} bytes of events: send less "
                                       "in one request",
                                       bytes_max),
                .limit = BodyLimit::mapped});
  }
  return {};
}

void Handler::count_mapped(const mapping::MappingOutcome& outcome, std::size_t slot) {
  if (!outcome) {
    probe_.nulled[slot].of_rule(outcome.error().rule).add(outcome.error().nulled);
  } else if (outcome->ignored) {
    probe_.ignored[slot].of_rule(outcome->rule).add();
  } else if (outcome->nulled > 0) {
    probe_.nulled[slot].of_rule(outcome->rule).add(outcome->nulled);
  }
}

void Handler::acknowledge_ping(const RequestHead& head, const Admitted& admitted,
                               std::string_view body, bool keep_alive, std::string& out) {
  if (!is_webhook_ping(body)) {
    refuse(head, admitted.route.id,
           {.refusal = Refusal::unsupported_type, .message = std::string(media_types_wanted)},
           keep_alive, out);
    return;
  }
  const unsigned status = admitted.source->success_status;
  const WorkspaceTarget& workspace = admitted.options->tables->workspaces[admitted.workspace];
  answers_.accepted(
      out,
      answer_head(head, options_->clock->wall_now(), workspace.admission->pressure(), keep_alive),
      status, {.ignored = 1}, {}, {});
  probe_.ignored[admitted.source->slot].pings.add();
  probe_.received[admitted.source->slot].add();
  probe_.count_request(admitted.route.id, status);
}

void Handler::take_mapped(const mapping::MappingOutcome& outcome, std::uint32_t index,
                          const normalise::Request& request, const normalise::Rules& rules) {
  if (!outcome) {
    events_.reject({.index = index,
                    .reason = reject_reason(outcome.error().code),
                    .field = outcome.error().field,
                    .message = outcome.error().message},
                   true);
    return;
  }
  if (outcome->ignored) {
    ++ignored_;
    return;
  }
  normalise::Request one = request;
  one.kind = outcome->kind;
  mapped_.resize(mapped_.size() + normalise::Normaliser::padding_bytes);
  normaliser_.run_one(std::span(mapped_).subspan(outcome->offset, outcome->size), index, one, rules,
                      events_);
}

void Handler::count_events(const Admitted& admitted) {
  const std::size_t source = admitted.source == nullptr ? 0 : admitted.source->slot;
  probe_.received[source].add(events_.records.size() + events_.rejected_events + ignored_);
  if (events_.rejected_events > 0) {
    for (std::size_t i = 0; i < normalise::reject_reason_count; ++i) {
      probe_.rejected[i].add(events_.rejected_by_reason[i]);
    }
  }
  if (events_.warning_count > 0) {
    for (std::size_t i = 0; i < normalise::rule_count; ++i) {
      probe_.warned[i].add(events_.warned_by_rule[i]);
    }
  }
  probe_.reserved_params_dropped.add(events_.tally.reserved_params_dropped);
  probe_.nulls_removed.add(events_.tally.nulls_removed);
  probe_.identifiers_trimmed.add(events_.tally.identifiers_trimmed);
  probe_.future_times_clamped.add(events_.tally.future_times_clamped);
}

// Whether the request as a whole is taken, now that its events are known.
Result<void, Problem> Handler::judge(const Admitted& admitted) {
  if (events_.rejected_events == 0) {
    return {};
  }
  if (admitted.route.single) {
    return refused(Refusal::invalid_events, "the event is invalid");
  }
  if (events_.records.empty() && ignored_ == 0) {
    return refused(Refusal::invalid_events, "none of the events is valid");
  }
  if (admitted.options->reject_request_on_invalid) {
    probe_.refused_request.add(events_.records.size());
    return refused(Refusal::invalid_events,
                   "some events are invalid, and ingest.on_invalid is reject_request");
  }
  return {};
}

// By the bytes once decoded: a retry may be compressed otherwise.
DedupKey Handler::request_key(std::string_view path, std::span<const char> body) const {
  constexpr XXH64_hash_t keys_seed = 1;  // other hashes than those that earlier versions stored
  return {
      .identity = XXH3_64bits_withSeed(idempotency_key_.data(), idempotency_key_.size(), keys_seed),
      .content =
          XXH3_64bits_withSeed(body.data(), body.size(), XXH3_64bits(path.data(), path.size()))};
}

std::string_view Handler::request_id(const RequestHead& head) {
  if (head.has_usable_request_id()) {
    return head.request_id;
  }
  if (!std::exchange(id_is_made_, false)) {
    const fmt::format_int number(++requests_);
    made_request_id_.assign(request_id_prefix_).append(number.data(), number.size());
  }
  return made_request_id_;
}

AnswerHead Handler::answer_head(const RequestHead& head, WallTime now, double pressure,
                                bool keep_alive) {
  return {.request_id = request_id(head),
          .now = now,
          .pressure = pressure,
          .keep_alive = keep_alive,
          .to_head = head.method == boost::beast::http::verb::head};
}

}  // namespace sluice::ingest
