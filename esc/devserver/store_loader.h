#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/definition_store.h"
#include "esc/devserver/identity.h"
#include "esc/eval/evaluator.h"

namespace escagent::devserver {

// Finds imports among the environments of one organization.
class StoreLoader final : public eval::EnvironmentLoader {
 public:
  // Borrows the store and the identity, which must be allowed to open what it imports.
  StoreLoader(DefinitionStore& store, const Identity& identity, std::string organization)
      : store_(store), identity_(identity), organization_(std::move(organization)) {}

  // "project/env[@version]"; "env" alone is in ESC's legacy project "default".
  Result<Secret> Load(std::string_view name) override;

 private:
  DefinitionStore& store_;
  const Identity& identity_;
  const std::string organization_;
};

}  // namespace escagent::devserver
