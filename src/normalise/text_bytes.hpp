// Short texts, compared and copied without a call: most names and values of an event are shorter
// than a call into the C library is worth.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::normalise {

// What goes block by block reads, and copies also write, up to 32 bytes beyond the end of the text:
// such texts lie in padded input, and are copied to where there is slack.

namespace detail {
template <class Word>
[[nodiscard]] inline Word load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
}  // namespace detail

// Whether two texts are the same.
[[nodiscard]] inline bool is_same(std::string_view a, std::string_view b) {
  using detail::load;
  const std::size_t size = a.size();
  if (size != b.size()) {
    return false;
  }
  const char* const p = a.data();
  const char* const q = b.data();
  if (size >= 8) {
    std::uint64_t difference =
        load<std::uint64_t>(p + size - 8) ^ load<std::uint64_t>(q + size - 8);
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      difference |= load<std::uint64_t>(p + i) ^ load<std::uint64_t>(q + i);
    }
    return difference == 0;
  }
  if (size >= 4) {
    return load<std::uint32_t>(p) == load<std::uint32_t>(q) &&
           load<std::uint32_t>(p + size - 4) == load<std::uint32_t>(q + size - 4);
  }
  if (size >= 2) {
    return load<std::uint16_t>(p) == load<std::uint16_t>(q) && p[size - 1] == q[size - 1];
  }
  return size == 0 || *p == *q;
}

// Copies a text block by block. Returns the end.
inline char* copy_blocks(char* out, const char* begin, std::size_t size) {
#if defined(__SSE2__)
  const auto copy_block = [&](std::size_t at) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + at),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at)));
  };
  // Two at once: a branch on the length would be mispredicted more often than it saves a block.
  copy_block(0);
  copy_block(16);
  for (std::size_t at = 32; at < size; at += 16) {
    copy_block(at);
  }
#else
  std::memcpy(out, begin, size);
#endif
  return out + size;
}

// Copies a text of any origin. Returns the end.
inline char* copy_text(char* out, std::string_view text) {
  using detail::load;
  const std::size_t size = text.size();
  const char* const begin = text.data();
  if (size > 32) [[unlikely]] {
    std::memcpy(out, begin, size);
  } else if (size >= 16) {
    std::memcpy(out, begin, 16);
    std::memcpy(out + size - 16, begin + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(out, begin, 8);
    std::memcpy(out + size - 8, begin + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(out, begin, 4);
    std::memcpy(out + size - 4, begin + size - 4, 4);
  } else {
    for (std::size_t i = 0; i < size; ++i) {
      out[i] = begin[i];
    }
  }
  return out + size;
}

// Whether a text is ASCII without control characters; looks at it block by block.
[[nodiscard]] inline bool is_plain_ascii(const char* begin, std::size_t size) {
#if defined(__SSE2__)
  const __m128i below = _mm_set1_epi8(0x1F);
  const __m128i above = _mm_set1_epi8(0x7F);
  for (std::size_t at = 0; at < size; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at));
    // The comparison is signed: bytes from 0x80 are below, too.
    const __m128i plain =
        _mm_andnot_si128(_mm_cmpeq_epi8(block, above), _mm_cmpgt_epi8(block, below));
    auto others = static_cast<std::uint32_t>(_mm_movemask_epi8(plain)) ^ 0xFFFFU;
    if (size - at < 16) {
      others &= (1U << (size - at)) - 1;
    }
    if (others != 0) {
      return false;
    }
  }
  return true;
#else
  for (std::size_t i = 0; i < size; ++i) {
    if (begin[i] < 0x20 || begin[i] >= 0x7F) {
      return false;
    }
  }
  return true;
#endif
}

// Whether a text holds a backslash; looks at it block by block.
[[nodiscard]] inline bool holds_backslash(const char* begin, std::size_t size) {
#if defined(__SSE2__)
  const __m128i backslash = _mm_set1_epi8('\\');
  for (std::size_t at = 0; at < size; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at));
    auto found = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, backslash)));
    if (size - at < 16) {
      found &= (1U << (size - at)) - 1;
    }
    if (found != 0) {
      return true;
    }
  }
  return false;
#else
  return std::memchr(begin, '\\', size) != nullptr;
#endif
}

}  // namespace sluice::normalise
