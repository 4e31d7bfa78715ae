// The words that all code on Asio uses: the namespace, the coroutine type, and the one completion
// token.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sluice::net {

namespace asio = boost::asio;

// A coroutine on an io_context. It owns its parameters: they are taken by value.
template <class T = void>
using Task = asio::awaitable<T>;

// Awaits an operation and yields its error code as a value: co_await yields std::tuple<error_code,
// ...>.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

}  // namespace sluice::net
