#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace httplib {
class Client;
}  // namespace httplib

namespace escagent::apiserver {

using Headers = std::multimap<std::string, std::string>;

struct Answer {
  int status = 0;  // 0: no whole answer
  nlohmann::json body;
  std::string text;
  Headers headers;

  // The first header of this name; empty when absent.
  std::string Header(const std::string& name) const;
};

// Plain requests to an API server for tests: no retries, no mercy. Thread-safe: each request has a
// connection of its own.
class RestClient {
 public:
  struct Options {
    std::string url;    // "https://127.0.0.1:6443"
    std::string token;  // empty: none
    // Files in PEM; empty: none.
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
  };

  explicit RestClient(Options options) : options_(std::move(options)) {}
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  Answer Send(const std::string& method, const std::string& path, const std::string& body,
              const std::string& content_type, const Headers& headers) const;
  // For streams: a client of httplib's, and the headers it must send.
  std::unique_ptr<httplib::Client> MakeClient() const;
  Headers WithCredentials(Headers headers) const;

 private:
  const Options options_;
};

}  // namespace escagent::apiserver
