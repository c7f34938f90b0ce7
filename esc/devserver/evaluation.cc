#include "esc/devserver/evaluation.h"

#include <memory>
#include <utility>

#include "esc/devserver/secret_codec.h"
#include "esc/devserver/store_loader.h"

namespace escagent::devserver {
SessionTable::Snapshot Evaluate(Backend& backend, const Identity& identity,
                                const std::string& organization, std::string environment,
                                std::string_view text) {
  StoreLoader loader(backend.definitions, identity, organization);
  SecretCodec codec;
  eval::EvalOptions options;
  options.environment = std::move(environment);
  options.identity.user_id = identity.user_id;
  options.identity.user_login = identity.login;
  options.identity.organization = organization;
  options.loader = &loader;
  options.decrypter = &codec;
  return std::make_shared<const eval::EvalResult>(eval::Evaluate(text, options));
}

}  // namespace escagent::devserver
