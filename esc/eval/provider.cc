#include "esc/eval/provider.h"

namespace escagent::eval {

Status ProviderRegistry::AddProvider(std::string name, std::shared_ptr<Provider> provider) {
  ESC_RETURN_IF_ERROR(CompileSchema(*provider->InputSchema()));
  ESC_RETURN_IF_ERROR(CompileSchema(*provider->OutputSchema()));
  providers_[std::move(name)] = std::move(provider);
  return {};
}

Status ProviderRegistry::AddRotator(std::string name, std::shared_ptr<Rotator> rotator) {
  ESC_RETURN_IF_ERROR(CompileSchema(*rotator->InputSchema()));
  ESC_RETURN_IF_ERROR(CompileSchema(*rotator->StateSchema()));
  ESC_RETURN_IF_ERROR(CompileSchema(*rotator->OutputSchema()));
  rotators_[std::move(name)] = std::move(rotator);
  return {};
}

Provider* ProviderRegistry::FindProvider(std::string_view name) const {
  const auto at = providers_.find(name);
  return at == providers_.end() ? nullptr : at->second.get();
}

Rotator* ProviderRegistry::FindRotator(std::string_view name) const {
  const auto at = rotators_.find(name);
  return at == rotators_.end() ? nullptr : at->second.get();
}

}  // namespace escagent::eval
