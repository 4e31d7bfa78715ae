// Prints the rules of a source. By hand: a rule is an expression of values in values, of which each
// form has keys of its own.
#pragma once

#include <vector>

#include <sluice/normalise/mapping_spec.hpp>

#include "writer.hpp"

namespace sluice::config {

void write_rules(Writer& out, const std::vector<mapping::Rule>& rules);

}  // namespace sluice::config
