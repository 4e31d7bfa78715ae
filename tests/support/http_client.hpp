// A blocking HTTP client for tests: what a producer does, and what a hostile one does.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::test {

struct HttpAnswer {
  unsigned status = 0;                         // 0: the connection ended without an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// One keep-alive connection. Every wait ends after `patience`; a test fails then by the missing
// answer.
class HttpClient {
 public:
  struct Options {
    std::string ca_file{};  // not empty: TLS, and the server must prove to be `localhost`
    std::string unix_path{};
    std::chrono::seconds patience{20};
    std::string cert_file{};       // not empty: the client's certificate
    std::string key_file{};        // and its key
    const HttpClient* resumes{};   // whose TLS session to go on with, if the server lets it
    int receive_buffer_bytes = 0;  // 0: the system's choice
    bool asks_for_status = false;  // of the server's certificate
  };
  explicit HttpClient(std::uint16_t port) : HttpClient(port, Options{}) {}
  HttpClient(std::uint16_t port, const Options& options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpAnswer request(std::string_view method, std::string_view target, std::string_view body,
                     const Headers& headers = {});
  // POSTs JSON.
  HttpAnswer post(std::string_view target, std::string_view body, const Headers& headers = {});
  HttpAnswer get(std::string_view target) { return request("GET", target, ""); }

  // Raw bytes out, and the next answer in.
  void send(std::string_view bytes);
  HttpAnswer read_answer();
  // Whether the server has closed the connection, waiting for it.
  bool closed_by_server();
  // Whether the TLS session is another client's.
  [[nodiscard]] bool resumed() const;
  // The OCSP response that came with the server's certificate; empty: none.
  [[nodiscard]] std::string stapled() const;

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

// A new connection for one request.
HttpAnswer post(std::uint16_t port, std::string_view target, std::string_view body,
                const Headers& headers = {});
HttpAnswer get(std::uint16_t port, std::string_view target);

}  // namespace sluice::test
