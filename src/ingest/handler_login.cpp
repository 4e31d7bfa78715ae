#include <optional>
#include <utility>

#include <openssl/crypto.h>
#include <simdjson.h>

#include <sluice/base/sha256.hpp>

#include "handler.hpp"
#include "route_hint.hpp"

namespace sluice::ingest {
namespace {

std::unexpected<Problem> unknown_key() {
  return refused(Refusal::wrong_key,
                 "no producer has this key: check it against the configuration");
}

std::unexpected<Problem> another_key() {
  return refused(
      Refusal::not_allowed,
      "the key is another producer's than the client certificate: send its own, or none");
}

// As many as an answer should hold.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t bytes_max = 256;
  std::string text;
  for (const std::string& name : names) {
    if (text.size() + name.size() > bytes_max) {
      return text + "...";
    }
    text += (text.empty() ? "" : ", ") + name;
  }
  return text.empty() ? "it has none" : text;
}

// In a time that does not tell how much of a key was right.
bool is_same_key(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// {"apiKey":"…"}
std::optional<std::string> key_in_login(std::span<const char> body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view key;
  if (parser.parse(simdjson::padded_string(body.data(), body.size())).get(root) !=
          simdjson::SUCCESS ||
      root["apiKey"].get(key) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return std::string(key);
}

}  // namespace

Result<void, Problem> Handler::recognise(const std::string& credentials) {
  last_producer_ = nullptr;
  last_credentials_ = credentials;
  last_expires_at_ = WallTime::max();
  if (options_->tokens != nullptr) {
    const auto claims = options_->tokens->verify(credentials, options_->clock->wall_now());
    if (claims) {
      last_producer_ = options_->producers->find_by_key_id(claims->key_id, *options_->tokens);
      last_expires_at_ = claims->expires_at;
    } else if (claims.error() == TokenFault::expired) {
      return refused(Refusal::token_expired, "Token expired.");
    }
  }
  if (last_producer_ == nullptr) {
    last_producer_ = options_->producers->find(credentials);
    last_expires_at_ = WallTime::max();
  }
  return last_producer_ != nullptr ? Result<void, Problem>() : unknown_key();
}

Result<const Producer*, Problem> Handler::recognise_peer(Peer* peer) {
  if (peer == nullptr || !options_->producers->know_certificates()) {
    return nullptr;
  }
  if (peer->looked_up_in != adopted_) {
    peer->producer = options_->producers->find_by_certificate(peer->names);
    peer->looked_up_in = adopted_;
  }
  if (peer->producer == nullptr) {
    return refused(Refusal::not_allowed,
                   "the client certificate is no producer's, or more than one's: one producer must "
                   "have one of its names among its `certificates`: " +
                       listed(peer->names));
  }
  return peer->producer;
}

// By the certificate, by the key, or by both, which then must agree.
Result<const Producer*, Problem> Handler::find_producer(const RequestHead& head, Peer* peer) {
  const Producer* certified = nullptr;
  if (peer != nullptr) {
    const auto found = recognise_peer(peer);
    if (!found) {
      return found;
    }
    certified = *found;
  }
  const auto key = key_from_credentials(head.authorization, head.api_key);
  if (!key && certified != nullptr) {
    return certified;
  }
  if (!key) {
    std::string message =
        "say who you are: send the producer's key as X-Api-Key, as Bearer token, or as the "
        "password of Basic";
    if (has_tracker_key(head.target)) {
      message +=
          ". The tracker key (?token=) is the API's, and says nothing here: this path is the "
          "gateway's own";
    }
    return refused(Refusal::no_key, std::move(message));
  }
  if (last_producer_ == nullptr || !is_same_key(*key, last_credentials_) ||
      (last_expires_at_ != WallTime::max() && options_->clock->wall_now() >= last_expires_at_)) {
    if (const auto known = recognise(*key); !known) {
      return std::unexpected(known.error());
    }
  }
  if (certified != nullptr && certified != last_producer_) {
    return another_key();
  }
  return last_producer_;
}

// The new token stands for the key that was shown, or that the old one stands for.
Result<std::string, Problem> Handler::make_token(const RequestHead& head, const Admitted& admitted,
                                                 std::span<char> body) {
  const WallTime now = options_->clock->wall_now();
  if (options_->tokens == nullptr) {
    return refused(Refusal::unknown_route, "nobody can log in here");
  }
  const Tokens& tokens = *options_->tokens;
  if (admitted.route.id == RouteId::login) {
    const auto key = key_in_login(body);
    if (!key) {
      return refused(Refusal::malformed_body,
                     R"(a login is {"apiKey":"..."}, with the producer's key)");
    }
    const Producer* const producer = options_->producers->find(*key);
    if (!options_->producers->anonymous() && producer == nullptr) {
      return unknown_key();
    }
    if (admitted.producer != nullptr && admitted.producer != producer) {
      return another_key();
    }
    return tokens.issue(tokens.key_id(sha256(*key)), now);
  }
  const auto shown = key_from_credentials(head.authorization, head.api_key);
  if (!shown && admitted.producer != nullptr) {
    return refused(Refusal::no_key,
                   "a token stands for a key, and there is none: your certificate is enough");
  }
  const auto claims = tokens.verify(shown.value_or(""), now);
  return tokens.issue(claims ? claims->key_id : tokens.key_id(sha256(shown.value_or(""))), now);
}

void Handler::log_in(const RequestHead& head, const Admitted& admitted, std::span<char> body,
                     bool keep_alive, std::string& out) {
  const auto token = make_token(head, admitted, body);
  if (!token) {
    refuse(head, admitted.route.id, token.error(), keep_alive, out);
    return;
  }
  answers_.logged_in(out, answer_head(head, options_->clock->wall_now(), -1, keep_alive), *token);
  probe_.count_request(admitted.route.id, 200);
}

}  // namespace sluice::ingest
