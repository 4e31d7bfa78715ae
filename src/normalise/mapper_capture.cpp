#include "mapper_capture.hpp"

#include <algorithm>
#include <charconv>

#include <sluice/event/api_limits.hpp>

namespace sluice::mapping {
namespace {

using normalise::JsonWalker;
using normalise::WalkError;

// A pointer's token with ~1 and ~0 replaced, or nothing when another ~ is there.
std::optional<std::string> unescaped_token(std::string_view token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      name += token[i];
      continue;
    }
    const char escaped = ++i < token.size() ? token[i] : '\0';
    if (escaped != '0' && escaped != '1') return std::nullopt;
    name += escaped == '0' ? '~' : '/';
  }
  return name;
}

std::optional<std::uint32_t> array_index(std::string_view name) {
  std::uint32_t index = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool is_whole = read.ec == std::errc{} && read.ptr == name.data() + name.size();
  const bool has_leading_zero = name.size() > 1 && name.front() == '0';
  if (!is_whole || has_leading_zero) return std::nullopt;
  return index;
}

}  // namespace

std::optional<Slot> PointerTree::add(std::string_view pointer) {
  Slot slot = 0;
  while (!pointer.empty()) {
    if (pointer.front() != '/') return std::nullopt;
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    const auto name = unescaped_token(token);
    if (!name) return std::nullopt;
    Slot next = member(slot, *name);
    if (next == no_slot) {
      next = static_cast<Slot>(nodes_.size());
      nodes_[slot].children.push_back(next);
      nodes_.push_back({.name = *name, .index = array_index(*name), .children = {}});
    }
    slot = next;
  }
  return slot;
}

Slot PointerTree::member(Slot object, std::string_view name) const {
  for (const Slot child : nodes_[object].children) {
    if (nodes_[child].name == name) return child;
  }
  return no_slot;
}

Slot PointerTree::item(Slot array, std::uint32_t index) const {
  for (const Slot child : nodes_[array].children) {
    if (nodes_[child].index == index) return child;
  }
  return no_slot;
}

void Capture::value(Slot slot, std::size_t depth) {
  if (slots_[slot].json.data() != nullptr) forget(slot);
  const std::uint32_t* const mark = walker_.mark();
  std::string_view json;
  switch (walker_.peek()) {
    case '{':
    case '[':
      json = container(slot, depth);
      break;
    case '"':
      json = string();
      break;
    case 'n':
      json = {walker_.position(), 4};
      walker_.skip_null();
      break;
    default:
      json = walker_.read_scalar();
  }
  slots_[slot] = {.json = json, .mark = mark};
}

std::string_view Capture::container(Slot slot, std::size_t depth) {
  const char* const begin = walker_.position();
  const std::size_t begin_offset = walker_.offset();
  if (tree_.children(slot).empty() || depth >= api::nesting_depth_max) {
    walker_.skip_value(depth);
  } else if (*begin == '{') {
    walker_.each_member([&](JsonWalker::Text key) {
      std::string_view name = key.raw;
      if (key.escaped) {
        text_.clear();
        JsonWalker::unescape(key.raw, text_);  // a failure is the walker's error already
        name = text_;
      }
      child(tree_.member(slot, name), depth + 1);
    });
  } else {
    std::uint32_t index = 0;
    walker_.each_item([&] { child(tree_.item(slot, index++), depth + 1); });
  }
  if (walker_.error != WalkError::none) return {};
  // The token that was read last is the closing bracket.
  const std::size_t size = walker_.mark()[-1] + 1 - begin_offset;
  return {begin, size};
}

std::string_view Capture::string() {
  const JsonWalker::Text text = walker_.read_string();
  return {text.raw.data() - 1, text.raw.size() + 2};
}

void Capture::child(Slot slot, std::size_t depth) {
  if (walker_.error != WalkError::none) return;
  if (slot == no_slot) {
    walker_.skip_value(depth);
  } else {
    value(slot, depth);
  }
}

void Capture::forget(Slot slot) {
  slots_[slot] = {};
  for (const Slot child : tree_.children(slot)) forget(child);
}

}  // namespace sluice::mapping
