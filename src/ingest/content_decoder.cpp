#include "content_decoder.hpp"

#include <algorithm>
#include <new>

#include <zlib.h>
#include <zstd.h>

#include <sluice/base/ascii.hpp>

namespace sluice::ingest {
namespace {

constexpr std::size_t first_output_bytes = 64U << 10;

// Grows the output for the next step of a decoder; false when the limit is reached. One byte more
// than the limit is allowed for, so that output of exactly the limit is told from output above it.
bool grow(std::string& output, std::size_t used, std::size_t bytes_max) {
  if (used < output.size()) {
    return true;
  }
  if (used > bytes_max) {
    return false;
  }
  output.resize(std::min(std::max(first_output_bytes, output.size() * 2), bytes_max + 1));
  return true;
}

// zlib's format begins with a checked two-byte header (RFC 1950, 2.2); some clients send bare
// deflate.
bool has_zlib_header(std::span<const char> body) {
  if (body.size() < 2) {
    return false;
  }
  const unsigned first = static_cast<unsigned char>(body[0]);
  const unsigned second = static_cast<unsigned char>(body[1]);
  return (first & 0x0FU) == Z_DEFLATED && (first * 256 + second) % 31 == 0;
}

}  // namespace

std::optional<ContentCoding> find_content_coding(std::string_view field) {
  const auto is = [&](std::string_view name) { return equals_ignoring_case(field, name); };
  if (field.empty() || is("identity")) {
    return ContentCoding::identity;
  }
  if (is("gzip") || is("x-gzip")) {
    return ContentCoding::gzip;
  }
  if (is("deflate")) {
    return ContentCoding::deflate;
  }
  if (is("zstd")) {
    return ContentCoding::zstd;
  }
  return std::nullopt;
}

class ContentDecoder::Inflate {
 public:
  Inflate() {
    if (inflateInit2(&stream_, MAX_WBITS) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Inflate() { inflateEnd(&stream_); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;

  // `used`: of the output, whatever comes of it.
  Result<void, DecodeError> run(std::span<const char> body, int window_bits, std::string& output,
                                std::size_t bytes_max, std::size_t& used) {
    inflateReset2(&stream_, window_bits);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream_.avail_in = static_cast<uInt>(body.size());
    while (true) {
      if (!grow(output, used, bytes_max)) {
        return std::unexpected(DecodeError::too_large);
      }
      const std::size_t room = output.size() - used;
      stream_.next_out = reinterpret_cast<Bytef*>(output.data() + used);
      stream_.avail_out = static_cast<uInt>(room);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      used += room - stream_.avail_out;
      if (status == Z_STREAM_END) {
        const bool another = window_bits > MAX_WBITS && begins_member();
        if (!another) {
          break;
        }
        inflateReset(&stream_);
        continue;
      }
      if (status != Z_OK || (stream_.avail_in == 0 && stream_.avail_out > 0)) {
        return std::unexpected(DecodeError::broken);
      }
    }
    if (!is_at_end(window_bits > MAX_WBITS)) {
      return std::unexpected(DecodeError::broken);
    }
    if (used > bytes_max) {
      return std::unexpected(DecodeError::too_large);
    }
    return {};
  }

 private:
  [[nodiscard]] std::span<const Bytef> rest() const { return {stream_.next_in, stream_.avail_in}; }
  // A gzip file is a series of members (RFC 1952, 2.2).
  [[nodiscard]] bool begins_member() const { return !rest().empty() && rest().front() == 0x1F; }
  // Behind the last member there may be zeros, with which some fill a block up; gzip(1) lets them
  // pass, too.
  [[nodiscard]] bool is_at_end(bool is_gzip) const {
    return rest().empty() ||
           (is_gzip && std::ranges::all_of(rest(), [](Bytef byte) { return byte == 0; }));
  }

  z_stream stream_{};
};

class ContentDecoder::Unzstd {
 public:
  Unzstd() : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) {
      throw std::bad_alloc();
    }
    // Bounds what a frame may ask us to allocate: 8 MiB is what RFC 8878 tells decoders to support.
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 23);
  }
  ~Unzstd() { ZSTD_freeDCtx(context_); }
  Unzstd(const Unzstd&) = delete;
  Unzstd& operator=(const Unzstd&) = delete;

  Result<void, DecodeError> run(std::span<const char> body, std::string& output,
                                std::size_t bytes_max, std::size_t& used) {
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    ZSTD_inBuffer in{.src = body.data(), .size = body.size(), .pos = 0};
    while (true) {
      if (!grow(output, used, bytes_max)) {
        return std::unexpected(DecodeError::too_large);
      }
      ZSTD_outBuffer out{.dst = output.data(), .size = output.size(), .pos = used};
      const std::size_t status = ZSTD_decompressStream(context_, &out, &in);
      used = out.pos;
      if (ZSTD_isError(status) != 0) {
        return std::unexpected(DecodeError::broken);
      }
      if (status == 0 && in.pos == in.size) {
        break;
      }
      if (in.pos == in.size && used < output.size()) {
        return std::unexpected(DecodeError::broken);
      }
    }
    if (used > bytes_max) {
      return std::unexpected(DecodeError::too_large);
    }
    return {};
  }

 private:
  ZSTD_DCtx* context_;
};

ContentDecoder::ContentDecoder() = default;
ContentDecoder::~ContentDecoder() = default;

Result<std::span<char>, DecodeError> ContentDecoder::decode(ContentCoding coding,
                                                            std::span<const char> body,
                                                            std::size_t bytes_max,
                                                            std::size_t padding_bytes) {
  produced_bytes_ = 0;
  Result<void, DecodeError> outcome;
  if (coding == ContentCoding::zstd) {
    if (unzstd_ == nullptr) {
      unzstd_ = std::make_unique<Unzstd>();
    }
    outcome = unzstd_->run(body, output_, bytes_max, produced_bytes_);
  } else {
    if (inflate_ == nullptr) {
      inflate_ = std::make_unique<Inflate>();
    }
    const int window_bits = coding == ContentCoding::gzip ? MAX_WBITS + 16
                            : has_zlib_header(body)       ? MAX_WBITS
                                                          : -MAX_WBITS;
    outcome = inflate_->run(body, window_bits, output_, bytes_max, produced_bytes_);
  }
  if (!outcome) {
    return std::unexpected(outcome.error());
  }
  if (output_.size() < produced_bytes_ + padding_bytes) {
    output_.resize(produced_bytes_ + padding_bytes);
  }
  return std::span(output_.data(), produced_bytes_);
}

}  // namespace sluice::ingest
