#include "tests/fakes/fake_http_transport.h"

#include <cstddef>

namespace escagent::testing {
namespace {

FakeHttpTransport::Recorded Record(const HttpRequest& request) {
  FakeHttpTransport::Recorded recorded;
  recorded.method = request.method;
  recorded.url = request.url;
  const std::size_t host = request.url.find("://") + 3;
  const std::size_t path = request.url.find('/', host);
  const std::size_t query = request.url.find('?', host);
  recorded.path = request.url.substr(path, query - path);
  if (query != std::string::npos) recorded.query = request.url.substr(query + 1);
  recorded.headers = request.headers;
  if (request.credential != nullptr) {
    recorded.authorization =
        request.authorization_scheme + " " + std::string(request.credential->Reveal());
  }
  recorded.body = std::string(request.body.Reveal());
  recorded.content_type = request.content_type;
  recorded.total_timeout = request.total_timeout;
  return recorded;
}

}  // namespace

void FakeHttpTransport::Answer(std::string_view method, std::string_view path, int status,
                               std::string_view body, std::vector<HttpHeader> headers) {
  Scripted scripted;
  scripted.status = status;
  scripted.body = body;
  scripted.headers = std::move(headers);
  scripted.error.code = Code::kOk;
  Add(method, path, std::move(scripted));
}

void FakeHttpTransport::AnswerError(std::string_view method, std::string_view path, Error error) {
  Scripted scripted;
  scripted.error = std::move(error);
  Add(method, path, std::move(scripted));
}

void FakeHttpTransport::Add(std::string_view method, std::string_view path, Scripted scripted) {
  MutexLock lock(mutex_);
  answers_[{std::string(method), std::string(path)}].push_back(std::move(scripted));
}

void FakeHttpTransport::Forget(std::string_view method, std::string_view path) {
  MutexLock lock(mutex_);
  answers_.erase({std::string(method), std::string(path)});
}

std::vector<FakeHttpTransport::Recorded> FakeHttpTransport::Requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

Result<HttpResponse> FakeHttpTransport::Send(const HttpRequest& request, std::stop_token stop) {
  if (stop.stop_requested()) return MakeError(Code::kCancelled, "send request: stopped");
  MutexLock lock(mutex_);
  requests_.push_back(Record(request));
  const Recorded& recorded = requests_.back();
  const auto it = answers_.find({recorded.method, recorded.path});
  if (it == answers_.end()) {
    return Unavailable("no answer was written down for " + recorded.method + " " + recorded.path);
  }
  const Scripted scripted = it->second.front();
  if (it->second.size() > 1) it->second.pop_front();
  if (scripted.error.code != Code::kOk) return std::unexpected(scripted.error);
  HttpResponse response;
  response.status = scripted.status;
  response.headers = scripted.headers;
  response.body = Secret(std::string_view(scripted.body));
  return response;
}

}  // namespace escagent::testing
