#include "tests/fakes/apiserver/rest_client.h"

#include <httplib.h>

namespace escagent::apiserver {
namespace {

constexpr std::chrono::seconds kTimeout{60};

}  // namespace

std::string Answer::Header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (httplib::detail::ci()(key, name) == httplib::detail::ci()(name, key)) return value;
  }
  return "";
}

std::unique_ptr<httplib::Client> RestClient::MakeClient() const {
  auto client = options_.certificate_file.empty()
                    ? std::make_unique<httplib::Client>(options_.url)
                    : std::make_unique<httplib::Client>(options_.url, options_.certificate_file,
                                                        options_.key_file);
  if (!options_.ca_file.empty()) client->set_ca_cert_path(options_.ca_file.c_str());
  client->set_read_timeout(kTimeout);
  client->set_write_timeout(kTimeout);
  client->set_tcp_nodelay(true);
  // Paths come encoded; httplib would take + for a character of its own.
  client->set_url_encode(false);
  return client;
}

Headers RestClient::WithCredentials(Headers headers) const {
  if (!options_.token.empty() && !headers.contains("Authorization")) {
    headers.emplace("Authorization", "Bearer " + options_.token);
  }
  return headers;
}

Answer RestClient::Send(const std::string& method, const std::string& path, const std::string& body,
                        const std::string& content_type, const Headers& headers) const {
  httplib::Request request;
  request.method = method;
  request.path = path;
  for (const auto& [name, value] : WithCredentials(headers)) request.headers.emplace(name, value);
  if (!body.empty()) {
    request.body = body;
    request.headers.emplace("Content-Type", content_type);
  }
  const auto client = MakeClient();
  const httplib::Result result = client->send(request);
  Answer answer;
  if (!result) {
    answer.text = httplib::to_string(result.error());
    return answer;
  }
  answer.status = result->status;
  answer.text = result->body;
  answer.headers.insert(result->headers.begin(), result->headers.end());
  answer.body = nlohmann::json::parse(result->body, nullptr, /*allow_exceptions=*/false);
  if (answer.body.is_discarded()) answer.body = nullptr;
  return answer;
}

}  // namespace escagent::apiserver
