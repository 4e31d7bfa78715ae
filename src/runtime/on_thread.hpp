// Awaiting, in a coroutine, what happens on another thread.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <sluice/net/asio.hpp>

namespace sluice::runtime {

// Starts an operation with a callback that may be called on any thread, and awaits what it is
// called with.
template <class Outcome, class Start>
net::Task<Outcome> await_callback(Start start) {
  const auto initiate = [](auto handler, auto&& begin) {
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    auto executor = net::asio::get_associated_executor(*resume);
    // The work guard keeps the executor's thread until then.
    begin([resume, executor, work = net::asio::make_work_guard(executor)](Outcome outcome) {
      net::asio::post(executor, [resume, outcome = std::move(outcome)]() mutable {
        std::move (*resume)(std::move(outcome));
      });
    });
  };
  co_return co_await net::asio::async_initiate<const net::asio::use_awaitable_t<>, void(Outcome)>(
      initiate, net::asio::use_awaitable, std::move(start));
}

// Runs `work` on that thread.
template <class Work>
net::Task<std::invoke_result_t<Work>> on_thread(net::asio::thread_pool& thread, Work work) {
  using Outcome = std::invoke_result_t<Work>;
  auto start = [&thread, work = std::move(work)](const auto& done) {
    net::asio::post(thread, [work, done] { done(work()); });
  };
  co_return co_await await_callback<Outcome>(std::move(start));
}

}  // namespace sluice::runtime
