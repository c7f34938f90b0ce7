#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/definition_store.h"
#include "esc/devserver/identity.h"
#include "esc/devserver/secret_codec.h"
#include "esc/devserver/secret_rewriter.h"
#include "esc/eval/evaluator.h"

namespace escagent::devserver {

// Finds imports among the environments of one organization. Borrows everything it is given.
class StoreLoader final : public eval::EnvironmentLoader {
 public:
  // By the name that is imported, the name of the environment that is read instead.
  using Overrides = std::map<std::string, std::string, std::less<>>;

  // `identity` must be allowed to open what it imports. Definitions come with their static secrets
  // in `form`: kStored or kEncrypted.
  StoreLoader(DefinitionStore& store, const SecretCodec& secrets, const Identity& identity,
              std::string organization, SecretForm form, Overrides overrides = {})
      : store_(store),
        secrets_(secrets),
        identity_(identity),
        organization_(std::move(organization)),
        form_(form),
        overrides_(std::move(overrides)) {}

  // "project/env[@version]"; "env" alone is in ESC's legacy project "default".
  Result<Secret> Load(std::string_view name) override;

 private:
  DefinitionStore& store_;
  const SecretCodec& secrets_;
  const Identity& identity_;
  const std::string organization_;
  const SecretForm form_;
  const Overrides overrides_;
};

}  // namespace escagent::devserver
