#include "peer.hpp"

#include <utility>

#include <sluice/net/tls.hpp>

namespace sluice::transport {

Result<std::shared_ptr<const UpstreamPeer>> make_peer(const std::string& base_url,
                                                      const std::string& ca_file) {
  Result<BaseUrl> url = parse_base_url(base_url);
  if (!url) {
    return std::unexpected(std::move(url.error()));
  }
  std::optional<net::asio::ssl::context> tls;
  if (url->tls) {
    Result<net::asio::ssl::context> context = net::make_client_tls(ca_file);
    if (!context) {
      return std::unexpected(std::move(context.error()));
    }
    tls = std::move(*context);
  }
  return std::make_shared<const UpstreamPeer>(std::move(*url), std::move(tls));
}

}  // namespace sluice::transport
