#include "feed.hpp"

#include <algorithm>
#include <utility>

#include <sluice/base/assert.hpp>

namespace sluice::store {
namespace {

void step_over(Position& position, const Group& group) {
  ++position.ticket;
  position.before += totals_of(group);
}

}  // namespace

Feed::Feed(Limits limits, const Position& from, const Position& to)
    : limits_(limits), run_begin_(to), front_end_(from), back_begin_(to) {}

bool Feed::offer(std::vector<Group::Owner>& groups) {
  const std::lock_guard lock(mutex_);
  for (Group::Owner& group : groups) {
    SLUICE_ASSERT(group->ticket == back_begin_.ticket + back_.size());
    if (!has_gap() && back_.empty() &&
        front_bytes_ + group->footprint_bytes() <= limits_.tail_bytes_max / 2) {
      push_front(std::move(group));
      back_begin_ = front_end_;
    } else {
      push_back(std::move(group));
    }
  }
  groups.clear();
  return take_sleeper();
}

void Feed::push_front(Group::Owner group) {
  step_over(front_end_, *group);
  front_bytes_ += group->footprint_bytes();
  front_.push_back(std::move(group));
}

void Feed::push_back(Group::Owner group) {
  back_bytes_ += group->footprint_bytes();
  back_.push_back(std::move(group));
  while (back_bytes_ > limits_.tail_bytes_max / 2) {
    step_over(back_begin_, *back_.front());
    gap_.add(back_.front()->producer(), back_.front()->footprint_bytes());
    back_bytes_ -= back_.front()->footprint_bytes();
    back_.pop_front();
  }
}

bool Feed::read(std::vector<Group::Owner>& out, std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  while (bytes < bytes_max && is_ready()) {
    if (front_.empty()) {
      front_.swap(back_);
      std::swap(front_bytes_, back_bytes_);
      for (const Group::Owner& group : front_) {
        step_over(front_end_, *group);
      }
      back_begin_ = front_end_;
    }
    bytes += front_.front()->footprint_bytes();
    front_bytes_ -= front_.front()->footprint_bytes();
    out.push_back(std::move(front_.front()));
    front_.pop_front();
  }
  return wants();
}

bool Feed::try_sleep() {
  const std::lock_guard lock(mutex_);
  sleeping_ = !is_ready();
  return sleeping_;
}

std::optional<Feed::Want> Feed::want() {
  const std::lock_guard lock(mutex_);
  if (!wants()) {
    return std::nullopt;
  }
  // What an earlier run has left is read by itself: whose it is, is not known.
  const bool is_earlier = front_end_.ticket < run_begin_.ticket;
  return Want{.from = front_end_,
              .to = is_earlier ? run_begin_ : back_begin_,
              .bytes_max = limits_.read_ahead_bytes - front_bytes_};
}

std::vector<Share> Feed::whose(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (front_end_.ticket < run_begin_.ticket) {
    return {{.producer = 0, .bytes = bytes}};
  }
  return gap_.take(bytes);
}

bool Feed::fill(std::vector<Group::Owner>& groups, const Position& reached) {
  const std::lock_guard lock(mutex_);
  SLUICE_ASSERT(reached.ticket <= back_begin_.ticket);
  for (Group::Owner& group : groups) {
    front_bytes_ += group->footprint_bytes();
    front_.push_back(std::move(group));
  }
  groups.clear();
  front_end_ = reached;
  return take_sleeper();
}

bool Feed::is_ready() const { return !front_.empty() || (!has_gap() && !back_.empty()); }

bool Feed::wants() const { return has_gap() && front_bytes_ * 2 <= limits_.read_ahead_bytes; }

bool Feed::take_sleeper() { return is_ready() && std::exchange(sleeping_, false); }

}  // namespace sluice::store
