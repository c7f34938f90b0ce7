#include "esc/eval/local_providers.h"

#include <chrono>
#include <memory>

#include "esc/eval/echo_provider.h"
#include "esc/eval/echo_rotator.h"
#include "esc/eval/env_provider.h"
#include "esc/eval/exec_provider.h"
#include "esc/eval/file_provider.h"
#include "esc/eval/password_rotator.h"

namespace escagent::eval {

Status AddLocalProviders(const LocalProviderOptions& options, const Clock& clock,
                         ProviderRegistry& registry) {
  constexpr std::chrono::seconds kExecTimeout{10};
  ESC_RETURN_IF_ERROR(registry.AddProvider("test", std::make_shared<EchoProvider>()));
  ESC_RETURN_IF_ERROR(registry.AddRotator("test", std::make_shared<EchoRotator>()));
  ESC_RETURN_IF_ERROR(registry.AddRotator("password", std::make_shared<PasswordRotator>()));
  if (!options.files.empty()) {
    ESC_RETURN_IF_ERROR(
        registry.AddProvider("file", std::make_shared<FileProvider>(options.files)));
  }
  if (!options.allow_env.empty()) {
    ESC_RETURN_IF_ERROR(
        registry.AddProvider("env", std::make_shared<EnvProvider>(options.allow_env)));
  }
  if (options.allow_exec) {
    ESC_RETURN_IF_ERROR(
        registry.AddProvider("exec", std::make_shared<ExecProvider>(clock, kExecTimeout)));
  }
  return {};
}

}  // namespace escagent::eval
