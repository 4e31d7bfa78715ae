#include <utility>

#include <yaml-cpp/yaml.h>

#include <sluice/config/load.hpp>

#include "address.hpp"
#include "names.hpp"
#include "quantity.hpp"
#include "sources.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view mask = "********";

// Writes maps, lists and values. Free text is in quotes, with its dollar signs doubled, so that
// reading gives the same text again.
class Writer {
 public:
  template <class Members>
  void map(Members&& members) {
    out_ << YAML::BeginMap;
    members();
    out_ << YAML::EndMap;
  }
  template <class Members>
  void map(std::string_view key, Members&& members) {
    this->key(key);
    map(std::forward<Members>(members));
  }
  template <class Items, class Each>
  void list(std::string_view key, const Items& items, Each&& each) {
    this->key(key);
    list(items, std::forward<Each>(each));
  }
  template <class Items, class Each>
  void list(const Items& items, Each&& each) {
    out_ << YAML::BeginSeq;
    for (const auto& item : items) each(item);
    out_ << YAML::EndSeq;
  }

  void key(std::string_view key) { out_ << YAML::Key << std::string(key) << YAML::Value; }
  // A key that a user chose.
  void quoted_key(std::string_view key) {
    out_ << YAML::Key << YAML::DoubleQuoted << std::string(key) << YAML::Value;
  }
  // Numbers with their units, and the words of this module, none of which needs quotes.
  void word(std::string_view text) { out_ << std::string(text); }
  void word(std::string_view key, std::string_view text) {
    this->key(key);
    word(text);
  }
  void text(std::string_view text) {
    std::string escaped;
    for (const char c : text) escaped += c == '$' ? "$$" : std::string(1, c);
    out_ << YAML::DoubleQuoted << escaped;
  }
  void text(std::string_view key, std::string_view text) {
    this->key(key);
    this->text(text);
  }
  // A path or the like that is left out when it is not set.
  void optional_text(std::string_view key, std::string_view text) {
    if (!text.empty()) this->text(key, text);
  }
  template <class T>
  void quantity(std::string_view key, const Quantity<T>& kind, T value) {
    word(key, kind.format(value));
  }
  void flag(std::string_view key, bool value) { word(key, name_of(boolean_names, value)); }
  void secret(const std::string& key, const Secret& secret) {
    if (secret.file.empty()) {
      text(key, mask);
    } else {
      text(key + "_file", secret.file);
    }
  }

  [[nodiscard]] std::string str() const { return std::string(out_.c_str()) + '\n'; }

 private:
  YAML::Emitter out_;
};

void write(Writer& out, const ServerTls& tls) {
  out.map("tls", [&] {
    out.text("cert_file", tls.cert_file);
    out.text("key_file", tls.key_file);
    if (!tls.client_ca_file.empty()) {
      out.text("client_ca_file", tls.client_ca_file);
      out.word("client_auth", name_of(client_auth_names, tls.client_auth));
    }
    if (!tls.ocsp_response_file.empty()) {
      out.text("ocsp_response_file", tls.ocsp_response_file);
    }
  });
}

void write(Writer& out, const Producer& producer) {
  out.map([&] {
    out.text("name", producer.name);
    if (!producer.keys.empty()) {
      out.list("keys", producer.keys,
               [&](const Secret& key) { out.map([&] { out.secret("key", key); }); });
    }
    out.quantity("rate_limit", rate, producer.rate_limit_per_second);
    if (producer.max_body_bytes != 0) out.quantity("max_body_bytes", size, producer.max_body_bytes);
    out.text("workspace", producer.workspace);
    for (const auto& [key, texts] :
         {std::pair("certificates", &producer.certificates), std::pair("routes", &producer.routes),
          std::pair("sources", &producer.sources)}) {
      if (!texts->empty()) {
        out.list(key, *texts, [&](const std::string& text) { out.text(text); });
      }
    }
  });
}

void write(Writer& out, const Ingest& ingest) {
  out.map("ingest", [&] {
    out.list("listen", ingest.listen,
             [&](const ListenAddress& address) { out.text(format(address)); });
    out.quantity("threads", count, std::size_t{ingest.threads});
    out.quantity("max_body_bytes", size, ingest.max_body_bytes);
    out.quantity("max_event_bytes", size, ingest.max_event_bytes);
    out.quantity("max_header_bytes", size, ingest.max_header_bytes);
    out.quantity("max_connections", count, ingest.max_connections);
    out.quantity("header_timeout", duration, ingest.header_timeout);
    out.quantity("body_timeout", duration, ingest.body_timeout);
    out.quantity("idle_timeout", duration, ingest.idle_timeout);
    out.quantity("write_timeout", duration, ingest.write_timeout);
    out.word("on_invalid", name_of(on_invalid_names, ingest.on_invalid));
    out.quantity("future_tolerance", duration, ingest.future_tolerance);
    if (ingest.tls) write(out, *ingest.tls);
    out.list("producers", ingest.producers,
             [&](const Producer& producer) { write(out, producer); });
    if (ingest.token_key) out.secret("token_key", *ingest.token_key);
    out.flag("allow_anonymous", ingest.allow_anonymous);
  });
}

void write(Writer& out, const Limits& limits) {
  out.map("limits", [&] {
    out.quantity("max_connections_per_peer", count, limits.max_connections_per_peer);
    out.quantity("max_requests_per_connection", count, limits.max_requests_per_connection);
    out.quantity("max_event_keys", count, limits.max_event_keys);
    out.quantity("max_string_bytes", size, limits.max_string_bytes);
    out.quantity("max_decompression_ratio", count, limits.max_decompression_ratio);
  });
}

void write(Writer& out, const Workspace& workspace) {
  out.map([&] {
    out.text("name", workspace.name);
    out.text("base_url", workspace.base_url);
    out.optional_text("ca_file", workspace.ca_file);
    out.flag("allow_plaintext", workspace.allow_plaintext);
    out.map("auth", [&] {
      out.word("method", name_of(auth_method_names, workspace.auth.method));
      out.optional_text("workspace_guid", workspace.auth.workspace_guid);
      out.secret("api_key", workspace.auth.api_key);
    });
    out.word("validation", name_of(validation_names, workspace.validation));
    out.text("time_zone", workspace.time_zone);
    out.word("partial_status", name_of(partial_status_names, workspace.partial_status));
    out.flag("generated_salts", workspace.generated_salts);
    out.list("actions", workspace.actions, [&](const std::string& action) { out.text(action); });
    out.flag("passthrough", workspace.passthrough);
  });
}

void write(Writer& out, const Buffer& buffer) {
  out.map("buffer", [&] {
    out.word("type", name_of(buffer_type_names, buffer.type));
    out.text("path", buffer.path);
    out.word("sync", name_of(buffer_sync_names, buffer.sync));
    out.quantity("sync_interval", duration, buffer.sync_interval);
    out.quantity("max_bytes", size, buffer.max_bytes);
    out.quantity("max_events", count, buffer.max_events);
    out.quantity("high_watermark", share, buffer.high_watermark);
    out.quantity("low_watermark", share, buffer.low_watermark);
    out.quantity("producer_share", share, buffer.producer_share);
    out.quantity("drain_timeout", duration, buffer.drain_timeout);
  });
}

void write(Writer& out, const Delivery& delivery) {
  out.map("delivery", [&] {
    out.quantity("lanes", count, std::size_t{delivery.lanes});
    out.quantity("max_in_flight", count, std::size_t{delivery.max_in_flight});
    out.quantity("timeout", duration, delivery.timeout);
    out.quantity("connect_timeout", duration, delivery.connect_timeout);
    out.list("accept_statuses", delivery.accept_statuses,
             [&](unsigned status) { out.word(count.format(std::size_t{status})); });
    out.map("backoff", [&] {
      out.quantity("initial", duration, delivery.backoff.initial);
      out.quantity("max", duration, delivery.backoff.max);
    });
  });
}

void write(Writer& out, const Passthrough& passthrough) {
  out.map("passthrough", [&] {
    out.quantity("max_in_flight", count, std::size_t{passthrough.max_in_flight});
    out.quantity("max_body_bytes", size, passthrough.max_body_bytes);
    out.quantity("timeout", duration, passthrough.timeout);
    out.quantity("idle_timeout", duration, passthrough.idle_timeout);
  });
}

// --- Sources ---

void write(Writer& out, const mapping::Value& value);

// Constants are JSON, which is YAML: parsing tells which of their scalars are texts.
void write_json(Writer& out, const YAML::Node& node) {
  if (node.IsMap()) {
    out.map([&] {
      for (const auto& member : node) {
        out.quoted_key(member.first.Scalar());
        write_json(out, member.second);
      }
    });
  } else if (node.IsSequence()) {
    out.list(node, [&](const YAML::Node& item) { write_json(out, item); });
  } else if (node.Tag() == "?") {
    out.word(node.Scalar());
  } else {
    out.text(node.Scalar());
  }
}

void write_members(Writer& out, const mapping::Object& object) {
  out.map([&] {
    for (const auto& [name, value] : object.members) {
      out.quoted_key(name);
      write(out, value);
    }
  });
}

// Writes the keys that say where a value comes from.
struct WriteForm {
  Writer& out;

  void operator()(const mapping::Constant& constant) const {
    out.key("value");
    write_json(out, YAML::Load(constant.json));
  }
  void operator()(const mapping::From& from) const { out.text("from", from.pointer); }
  void operator()(const mapping::Template& made) const { out.text("template", made.text); }
  void operator()(const mapping::Object& object) const {
    out.key("object");
    write_members(out, object);
  }
  void operator()(const mapping::Array& array) const {
    out.list("array", array.items, [&](const mapping::Value& item) { write(out, item); });
  }
  void operator()(const mapping::Each& each) const {
    out.text("each", each.pointer);
    out.key("item");
    write(out, *each.item);
  }
};

void write(Writer& out, const mapping::Value& value) {
  out.map([&] {
    std::visit(WriteForm{out}, value.source);
    if (value.type != mapping::ValueType::any) {
      out.word("type", name_of(value_type_names, value.type));
    }
    if (value.required) out.flag("required", true);
    if (value.default_json) {
      out.key("default");
      write_json(out, YAML::Load(*value.default_json));
    }
    if (value.time) {
      out.text("format", value.time->format);
      out.optional_text("zone", value.time->zone);
    }
    if (value.null_if) {
      out.list("null_if", *value.null_if, [&](const std::string& text) { out.text(text); });
    }
    if (value.literal) out.flag("literal", true);
  });
}

void write(Writer& out, const mapping::Condition& condition) {
  using Test = mapping::Condition::Test;
  const auto texts = [&](std::string_view key) {
    out.list(key, condition.operands, [&](const std::string& operand) { out.text(operand); });
  };
  out.map([&] {
    out.text("from", condition.pointer);
    if (condition.literal) out.flag("literal", true);
    switch (condition.test) {
      case Test::exists:
        return out.flag("exists", true);
      case Test::absent:
        return out.flag("exists", false);
      case Test::in:
        return texts("in");
      case Test::not_in:
        return texts("not_in");
      case Test::prefix:
        return out.text("prefix", condition.operands.front());
      case Test::below:
        return out.word("below", condition.operands.front());
      case Test::above:
        return out.word("above", condition.operands.front());
    }
  });
}

void write(Writer& out, const mapping::Rule& rule) {
  out.map([&] {
    if (!rule.when.empty()) {
      out.list("when", rule.when,
               [&](const mapping::Condition& condition) { write(out, condition); });
    }
    if (rule.ignore) return out.flag("ignore", true);
    out.map(rule.kind == EventKind::event ? "event" : "transaction", [&] {
      for (const auto& [name, value] : rule.shape.members) {
        out.key(name);
        const auto* object = std::get_if<mapping::Object>(&value.source);
        if (object != nullptr && is_plain_object(name)) {
          write_members(out, *object);
        } else {
          write(out, value);
        }
      }
    });
  });
}

void write(Writer& out, const mapping::Source& source) {
  out.map([&] {
    out.text("name", source.name);
    out.text("workspace", source.workspace);
    out.word("on_unmatched", name_of(on_unmatched_names, source.ignore_unmatched));
    out.word("success_status", name_of(success_status_names, source.success_status));
    out.list("rules", source.rules, [&](const mapping::Rule& rule) { write(out, rule); });
  });
}

}  // namespace

std::string to_yaml_masked(const Config& config) {
  Writer out;
  out.map([&] {
    write(out, config.ingest);
    write(out, config.ingest.limits);
    out.map("admin", [&] {
      out.text("listen", format(config.admin.listen));
      if (config.admin.token) out.secret("token", *config.admin.token);
      out.list("hosts", config.admin.hosts, [&](const std::string& host) { out.text(host); });
    });
    out.list("workspaces", config.workspaces,
             [&](const Workspace& workspace) { write(out, workspace); });
    write(out, config.buffer);
    out.map("batch", [&] {
      out.quantity("max_events", count, config.batch.max_events);
      out.quantity("max_bytes", size, config.batch.max_bytes);
      out.quantity("linger", duration, config.batch.linger);
    });
    write(out, config.delivery);
    write(out, config.passthrough);
    out.map("dedup", [&] {
      out.quantity("window", duration, config.dedup.window);
      out.quantity("max_entries", count, config.dedup.max_entries);
    });
    out.map("dead_letter", [&] {
      out.text("path", config.dead_letter.path);
      out.quantity("max_bytes", size, config.dead_letter.max_bytes);
    });
    out.quantity("drain_timeout", duration, config.drain_timeout);
    out.list("sources", config.sources, [&](const auto& source) { write(out, *source); });
    out.map("log", [&] {
      out.word("level", name_of(log_level_names, config.log.level));
      out.word("format", name_of(log_format_names, config.log.format));
    });
  });
  return out.str();
}

}  // namespace sluice::config
