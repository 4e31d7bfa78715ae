#include "keys.hpp"

#include <algorithm>

#include <sluice/base/assert.hpp>

namespace sluice::config {

const std::vector<Keys>& all_keys() {
  static const std::vector<Keys> table{
      {"file",
       {"ingest", "limits", "admin", "workspaces", "buffer", "batch", "delivery", "passthrough",
        "dedup", "dead_letter", "drain_timeout", "sources", "log"}},
      {"ingest",
       {"listen", "threads", "max_body_bytes", "max_event_bytes", "max_header_bytes",
        "max_connections", "header_timeout", "body_timeout", "idle_timeout", "write_timeout",
        "on_invalid", "future_tolerance", "tls", "producers", "token_key", "token_key_file",
        "allow_anonymous"}},
      {"limits",
       {"max_connections_per_peer", "max_requests_per_connection", "max_event_keys",
        "max_string_bytes", "max_decompression_ratio"}},
      {"tls", {"cert_file", "key_file", "client_ca_file", "client_auth", "ocsp_response_file"}},
      {"producer",
       {"name", "key", "key_file", "keys", "certificates", "rate_limit", "max_body_bytes",
        "workspace", "routes", "sources"}},
      {"producer_key", {"key", "key_file"}},
      {"admin", {"listen", "token", "token_file", "hosts"}},
      {"workspace",
       {"name", "base_url", "ca_file", "allow_plaintext", "auth", "validation", "time_zone",
        "partial_status", "generated_salts", "actions", "passthrough"}},
      {"auth", {"method", "workspace_guid", "api_key", "api_key_file"}},
      {"buffer",
       {"type", "path", "sync", "sync_interval", "max_bytes", "max_events", "high_watermark",
        "low_watermark", "producer_share", "drain_timeout"}},
      {"batch", {"max_events", "max_bytes", "linger"}},
      {"delivery",
       {"lanes", "max_in_flight", "timeout", "connect_timeout", "accept_statuses", "backoff"}},
      {"backoff", {"initial", "max"}},
      {"passthrough", {"max_in_flight", "max_body_bytes", "timeout", "idle_timeout"}},
      {"dedup", {"window", "max_entries"}},
      {"dead_letter", {"path", "max_bytes"}},
      {"log", {"level", "format"}},
      {"source",
       {"name", "workspace", "event", "transaction", "rules", "on_unmatched", "success_status"}},
      {"rule", {"when", "event", "transaction", "ignore"}},
      {"condition",
       {"from", "exists", "equals", "not_equals", "in", "not_in", "prefix", "below", "above",
        "literal"}},
      {"event", {"type", "action", "label", "client", "time", "eventSalt", "params"}},
      {"transaction",
       {"client", "orderId", "products", "revenue", "value", "paymentInfo", "source",
        "discountAmount", "metadata", "recordedAt", "eventSalt"}},
      {"client", {"id", "customId", "uuid", "email"}},
      {"value",
       {"value", "from", "template", "object", "array", "each", "item", "type", "required",
        "default", "format", "zone", "null_if", "literal"}},
  };
  return table;
}

const Keys& keys_of(std::string_view section) {
  const auto found = std::ranges::find(all_keys(), section, &Keys::section);
  SLUICE_ASSERT(found != all_keys().end());
  return *found;
}

}  // namespace sluice::config
