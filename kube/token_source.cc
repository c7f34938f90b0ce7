#include "kube/token_source.h"

#include <utility>

#include "kube/exec_token.h"
#include "kube/token_file.h"

namespace escagent::kube {
namespace {

class StaticToken final : public TokenSource {
 public:
  explicit StaticToken(std::shared_ptr<const Secret> token) : token_(std::move(token)) {}

  Result<std::shared_ptr<const Secret>> Get(const std::stop_token& /*stop*/) override {
    return token_;
  }
  void Refused(const std::shared_ptr<const Secret>& /*token*/) override {}

 private:
  const std::shared_ptr<const Secret> token_;
};

}  // namespace

std::unique_ptr<TokenSource> MakeTokenSource(const Config& config, Clock& clock) {
  if (!config.token_file.empty()) return std::make_unique<TokenFile>(config.token_file, clock);
  if (config.exec) return std::make_unique<ExecToken>(*config.exec, config, clock);
  return std::make_unique<StaticToken>(config.token);
}

}  // namespace escagent::kube
