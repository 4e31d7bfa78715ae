// An upstream's address and the TLS context for it, which every pool of connections to it shares.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ssl/context.hpp>

#include <sluice/base/result.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/transport/stream_pool.hpp>

#include "base_url.hpp"

namespace sluice::transport {

class UpstreamPeer final : public Peer {
 public:
  UpstreamPeer(BaseUrl url, std::optional<net::asio::ssl::context> tls)
      : url_(std::move(url)), tls_(std::move(tls)) {}
  [[nodiscard]] const std::string& host_header() const override { return url_.host_header; }
  [[nodiscard]] const BaseUrl& url() const { return url_; }
  // None: plain. Threads share it: OpenSSL locks what it changes of a context.
  [[nodiscard]] net::asio::ssl::context* tls() const { return tls_ ? &*tls_ : nullptr; }

 private:
  BaseUrl url_;
  mutable std::optional<net::asio::ssl::context> tls_;
};

// The error is a base_url or a CA file that cannot be used. An empty ca_file: the system's store.
[[nodiscard]] Result<std::shared_ptr<const UpstreamPeer>> make_peer(const std::string& base_url,
                                                                    const std::string& ca_file);

}  // namespace sluice::transport
