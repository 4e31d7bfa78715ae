#include <memory>
#include <string>
#include <vector>

#include "accept_path.hpp"
#include "cases.hpp"
#include "payloads.hpp"

namespace sluice::micro {
namespace {

void add(std::vector<Case>& cases, const std::string& name, const std::string& path,
         const std::string& body, std::size_t events) {
  const std::string request = post_request(path, body);
  auto accepting = std::make_shared<AcceptPath>(request, events);
  cases.push_back(
      {.name = "accept/" + name, .items = events, .bytes = request.size(), .run = [accepting] {
         accepting->run();
       }});
}

}  // namespace

void add_ingest_cases(std::vector<Case>& cases) {
  add(cases, "single", "/v4/events/custom", single_event("/v4/events/custom"), 1);
  for (const std::size_t events : {100U, 1'000U}) {
    add(cases, "array-" + std::to_string(events), "/v4/events/batch", mixed_array(events), events);
  }
}

}  // namespace sluice::micro
