#include "payloads.hpp"

#include <payload.hpp>

namespace sluice::micro {
namespace {

load::EventWriter writer_for(std::string_view path) {
  return load::EventWriter(
      {.path = std::string(path), .profiles = 10'000, .seed = 1, .now = received_at});
}

}  // namespace

std::string mixed_array(std::size_t events) {
  load::EventWriter writer = writer_for("/v4/events/batch");
  std::string out = "[";
  for (std::size_t i = 0; i < events; ++i) {
    out += i == 0 ? "" : ",";
    writer.append(out);
  }
  return out + "]";
}

std::string single_event(std::string_view path) {
  load::EventWriter writer = writer_for(path);
  std::string out;
  writer.append(out);
  return out;
}

std::string small_custom_event() {
  return R"({"action":"page.scroll","label":"Scroll","client":{"customId":"C0000042"},"params":{"depth":75}})";
}

std::string large_custom_event() {
  constexpr int attributes = 60;
  std::string out =
      R"({"action":"form.submitted","label":"A long form","time":"2025-02-28T23:59:30.250Z",)"
      R"("client":{"customId":"C0000042","email":"customer42@mail.example"},"params":{)";
  for (int i = 0; i < attributes; ++i) {
    const std::string number = std::to_string(i);
    out += i == 0 ? "" : ",";
    out += "\"attribute_" + number + R"(":{"value":"Some text that a visitor typed","position":)" +
           number + "}";
  }
  return out + "}}";
}

std::string transaction() {
  constexpr int products = 3;
  std::string out =
      R"({"client":{"customId":"C0000042","email":"customer42@mail.example"},)"
      R"("orderId":"O-2025-000042","recordedAt":"2025-02-28T23:59:30.250Z",)"
      R"("discountAmount":{"amount":5.00,"currency":"EUR"},"paymentInfo":{"method":"CARD"},)"
      R"("revenue":{"amount":164.85,"currency":"EUR"},"value":{"amount":164.85,"currency":"EUR"},)"
      R"("source":"WEB_DESKTOP","eventSalt":"order-O-2025-000042","products":[)";
  for (int i = 0; i < products; ++i) {
    out += i == 0 ? "" : ",";
    out += R"({"sku":"1000)" + std::to_string(i) +
           R"(","name":"Merino crew-neck pullover","categories":["Women","Knitwear"],)"
           R"("finalUnitPrice":{"amount":54.95,"currency":"EUR"},"quantity":1})";
  }
  return out + "]}";
}

}  // namespace sluice::micro
