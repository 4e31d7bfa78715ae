// What an answer means for the events of one request: by its status (classify.hpp), and if that is
// a success, by its content. A captive portal, a proxy's error page or the web server of a wrong
// host answer 200 as well.
//
// The API's clients know 202 and 200, and take a body for optional. So 200 and 202 count, and 204
// and a 201 with content, if the body is empty, or is JSON and names no failure; what is no JSON,
// and any other 2xx, comes from somewhere else.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <sluice/deliver/classify.hpp>

namespace sluice::deliver {

struct Judgement {
  Outcome outcome;
  // Of partially_delivered: positions in the batch, ascending, each once, fewer than it has.
  std::vector<std::size_t> rejected = {};
};

// Of a request with so many events, at least one. A 2xx that is not among `accept_statuses` is
// misrouted; none there: those above may be a success, and 207.
//
// Lists of items are understood in the root or in `errors`, `results`, `items` or `data`: objects
// with an `index` (a number, or one in a string) or a `field` such as "[3].client", or one entry
// for each event, in order. An entry tells by `status` (a status of HTTP, or a word), `success` or
// `error` what became of its event; in `errors`, and in the root of a 207, that it is there says
// that the event was refused. What a 207 says otherwise is `rejected`: only sending the events
// apart tells which it means.
[[nodiscard]] Judgement judge(const UpstreamAnswer& answer, std::size_t event_count,
                              std::span<const unsigned> accept_statuses);

}  // namespace sluice::deliver
