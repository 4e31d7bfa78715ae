#include "replay.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

namespace sluice::load {
namespace {

std::unexpected<Error> refusal(std::size_t line, std::string_view what) {
  return failure(std::errc::invalid_argument,
                 fmt::format("line {}: {}: write {{\"path\":\"/...\",\"body\":...}}", line, what));
}

// What travels in the request line must not end it.
bool is_path(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

Result<Request> parse_line(simdjson::dom::parser& parser, std::string_view line, std::size_t number,
                           const Framing& framing) {
  simdjson::dom::object request;
  if (parser.parse(line.data(), line.size()).get(request) != simdjson::SUCCESS) {
    return refusal(number, "not a JSON object");
  }
  std::string_view path;
  if (request["path"].get(path) != simdjson::SUCCESS || !is_path(path)) {
    return refusal(number, "no path that begins with /");
  }
  simdjson::dom::element body;
  if (request["body"].get(body) != simdjson::SUCCESS) {
    return refusal(number, "no body");
  }
  simdjson::dom::array events;
  const bool many = body.get(events) == simdjson::SUCCESS;
  // The document object model has the values but not their bytes.
  const simdjson::padded_string padded(line);
  simdjson::ondemand::parser slicer;
  simdjson::ondemand::document document;
  std::string_view bytes;
  if (slicer.iterate(padded).get(document) != simdjson::SUCCESS ||
      simdjson::to_json_string(document["body"]).get(bytes) != simdjson::SUCCESS) {
    return refusal(number, "no body");
  }
  return make_request(framing, path, bytes, many ? static_cast<std::uint32_t>(events.size()) : 1);
}

}  // namespace

Result<RequestPool> parse_replay(std::string_view text, const Framing& framing) {
  simdjson::dom::parser parser;
  RequestPool pool;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == line.npos) {
      continue;
    }
    Result<Request> request = parse_line(parser, line, number, framing);
    if (!request) {
      return std::unexpected(std::move(request.error()));
    }
    pool.push_back(std::move(*request));
  }
  if (pool.empty()) {
    return failure(std::errc::invalid_argument, "there is no request in it");
  }
  return pool;
}

Result<RequestPool> read_replay(const std::filesystem::path& file, const Framing& framing) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.is_open() || stream.bad()) {
    return failure(std::errc::io_error, "cannot read " + file.string());
  }
  Result<RequestPool> pool = parse_replay(text, framing);
  if (!pool) {
    pool.error().message = file.string() + ": " + pool.error().message;
  }
  return pool;
}

}  // namespace sluice::load
