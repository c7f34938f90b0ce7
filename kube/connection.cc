#include "kube/connection.h"

#include <utility>

#include "kube/token_source.h"

namespace escagent::kube {

class Connection::Impl {
 public:
  Impl(Config config, Clock& clock)
      : config_(std::move(config)), tokens_(MakeTokenSource(config_, clock)) {}

  const Config config_;
  const std::unique_ptr<TokenSource> tokens_;
};

Connection::Connection(Config config, Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(config), clock)) {}

Connection::~Connection() = default;

Result<Connection::Request> Connection::Prepare(std::string_view method,
                                                std::string_view path_and_query,
                                                const std::stop_token& stop) {
  Request request;
  ESC_ASSIGN_OR_RETURN(request.token, impl_->tokens_->Get(stop));
  request.http.method = method;
  request.http.url = impl_->config_.server + std::string(path_and_query);
  request.http.authorization_scheme = "Bearer";
  request.http.credential = request.token.get();
  return request;
}

void Connection::Refused(const std::shared_ptr<const Secret>& token) {
  if (token != nullptr) impl_->tokens_->Refused(token);
}

const Config& Connection::config() const { return impl_->config_; }

}  // namespace escagent::kube
