#include "esc/devserver/evaluation.h"

#include <memory>
#include <utility>

#include "esc/devserver/store_loader.h"

namespace escagent::devserver {

SessionTable::Snapshot Evaluate(Backend& backend, const Identity& identity,
                                const std::string& organization, std::string environment,
                                std::string_view text, EvaluationOptions wanted) {
  const bool hides_secrets = wanted.mode == eval::EvalMode::kCheck && !wanted.show_secrets;
  StoreLoader loader(backend.definitions, backend.secrets, identity, organization,
                     hides_secrets ? SecretForm::kEncrypted : SecretForm::kStored,
                     std::move(wanted.overrides));
  eval::EvalOptions options;
  options.environment = std::move(environment);
  options.identity.user_id = identity.user_id;
  options.identity.user_login = identity.login;
  options.identity.organization = organization;
  options.mode = wanted.mode;
  options.show_secrets = wanted.show_secrets;
  options.rotate_paths = std::move(wanted.rotate_paths);
  options.providers = &backend.providers;
  options.loader = &loader;
  options.decrypter = &backend.secrets;
  return std::make_shared<const eval::EvalResult>(eval::Evaluate(text, options));
}

}  // namespace escagent::devserver
