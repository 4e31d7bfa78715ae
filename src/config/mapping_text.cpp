#include "mapping_text.hpp"

#include <variant>

#include <yaml-cpp/yaml.h>

#include "names.hpp"
#include "sources.hpp"

namespace sluice::config {
namespace {

void write_value(Writer& out, const mapping::Value& value);

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
      write_value(out, value);
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
    out.list("array", array.items, [&](const mapping::Value& item) { write_value(out, item); });
  }
  void operator()(const mapping::Each& each) const {
    out.text("each", each.pointer);
    out.key("item");
    write_value(out, *each.item);
  }
};

void write_value(Writer& out, const mapping::Value& value) {
  out.map([&] {
    std::visit(WriteForm{out}, value.source);
    if (value.type != mapping::ValueType::any) {
      out.word("type", name_of(value_type_names, value.type));
    }
    if (value.required) out.word("required", "true");
    if (value.default_json) {
      out.key("default");
      write_json(out, YAML::Load(*value.default_json));
    }
    if (value.time) {
      out.text("format", value.time->format);
      if (!value.time->zone.empty()) out.text("zone", value.time->zone);
    }
    if (value.null_if) {
      out.list("null_if", *value.null_if, [&](const std::string& text) { out.text(text); });
    }
    if (value.literal) out.word("literal", "true");
  });
}

void write_condition(Writer& out, const mapping::Condition& condition) {
  using Test = mapping::Condition::Test;
  const auto texts = [&](std::string_view key) {
    out.list(key, condition.operands, [&](const std::string& operand) { out.text(operand); });
  };
  out.map([&] {
    out.text("from", condition.pointer);
    if (condition.literal) out.word("literal", "true");
    switch (condition.test) {
      case Test::exists:
        return out.word("exists", "true");
      case Test::absent:
        return out.word("exists", "false");
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

void write_rule(Writer& out, const mapping::Rule& rule) {
  out.map([&] {
    if (!rule.when.empty()) {
      out.list("when", rule.when,
               [&](const mapping::Condition& condition) { write_condition(out, condition); });
    }
    if (rule.ignore) return out.word("ignore", "true");
    out.key(info(rule.kind).name);
    out.map([&] {
      for (const auto& [name, value] : rule.shape.members) {
        out.key(name);
        const auto* object = std::get_if<mapping::Object>(&value.source);
        if (object != nullptr && is_plain_object(name)) {
          write_members(out, *object);
        } else {
          write_value(out, value);
        }
      }
    });
  });
}

}  // namespace

void write_rules(Writer& out, const std::vector<mapping::Rule>& rules) {
  out.list(rules, [&](const mapping::Rule& rule) { write_rule(out, rule); });
}

}  // namespace sluice::config
