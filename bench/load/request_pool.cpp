#include "request_pool.hpp"

#include <fmt/format.h>
#define ZLIB_CONST  // its input is not changed
#include <zlib.h>

#include <sluice/base/assert.hpp>

namespace sluice::load {

Request make_request(const Framing& framing, std::string_view path, std::string_view body,
                     std::uint32_t events) {
  const std::string packed = framing.gzip ? gzip(body) : std::string();
  const std::string_view sent = framing.gzip ? std::string_view(packed) : body;
  std::string bytes =
      fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
                  path, framing.authority, framing.content_type, sent.size());
  if (framing.gzip) {
    bytes += "Content-Encoding: gzip\r\n";
  }
  for (const std::string& line : framing.header_lines) {
    bytes.append(line).append("\r\n");
  }
  bytes.append("\r\n").append(sent);
  return {.bytes = std::move(bytes), .events = events};
}

std::string gzip(std::string_view body) {
  constexpr int gzip_window_bits = 15 + 16;  // zlib's way to say: with gzip's header
  constexpr int memory_level_default = 8;
  z_stream stream{};
  SLUICE_ASSERT(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window_bits,
                             memory_level_default, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, body.size()), '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  SLUICE_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace sluice::load
