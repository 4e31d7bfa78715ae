#include <sluice/config/load.hpp>

#include "tables.hpp"

namespace sluice::config {

std::string to_yaml_masked(const Config& config) {
  Writer out;
  write_keys(out, config);
  return out.str();
}

}  // namespace sluice::config
