// The words that stand for enumerators in the file, for the reader and the writer alike.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <sluice/base/assert.hpp>
#include <sluice/config/config.hpp>

namespace sluice::config {

template <class E>
struct Name {
  std::string_view text;
  E value;
};

inline constexpr std::array on_invalid_names{Name{"accept_valid", OnInvalid::accept_valid},
                                             Name{"reject_request", OnInvalid::reject_request}};
inline constexpr std::array client_auth_names{Name{"required", ClientAuth::required},
                                              Name{"optional", ClientAuth::optional}};
inline constexpr std::array auth_method_names{Name{"basic", AuthMethod::basic},
                                              Name{"jwt", AuthMethod::jwt}};
// The first name of a value is the one that is written.
inline constexpr std::array validation_names{Name{"api", Validation::api},
                                             Name{"strict", Validation::strict},
                                             Name{"lenient", Validation::api}};
inline constexpr std::array partial_status_names{Name{"202", 202U}, Name{"207", 207U}};
inline constexpr std::array buffer_sync_names{Name{"always", BufferSync::always},
                                              Name{"interval", BufferSync::interval}};
inline constexpr std::array buffer_type_names{Name{"disk", BufferType::disk},
                                              Name{"memory", BufferType::memory}};
inline constexpr std::array log_level_names{
    Name{"debug", log::Level::debug}, Name{"info", log::Level::info},
    Name{"warn", log::Level::warn}, Name{"error", log::Level::error}, Name{"off", log::Level::off}};
inline constexpr std::array log_format_names{Name{"human", log::Format::human},
                                             Name{"json", log::Format::json}};
inline constexpr std::array boolean_names{Name{"true", true}, Name{"false", false}};
inline constexpr std::array on_unmatched_names{Name{"reject", false}, Name{"ignore", true}};
// 202 says what is true of all events: they are on their way. The others are for callers that want
// their own.
inline constexpr std::array success_status_names{Name{"200", 200U}, Name{"201", 201U},
                                                 Name{"202", 202U}, Name{"204", 204U}};
inline constexpr std::array value_type_names{
    Name{"any", mapping::ValueType::any}, Name{"string", mapping::ValueType::string},
    Name{"number", mapping::ValueType::number}, Name{"integer", mapping::ValueType::integer},
    Name{"boolean", mapping::ValueType::boolean}};

template <class E, std::size_t n>
[[nodiscard]] constexpr std::string_view name_of(const std::array<Name<E>, n>& names, E value) {
  const auto found = std::ranges::find(names, value, &Name<E>::value);
  SLUICE_ASSERT(found != names.end());
  return found->text;
}

}  // namespace sluice::config
