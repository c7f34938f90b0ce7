#pragma once

#include <string>

#include "esc/eval/provider.h"

namespace escagent::eval {

// `fn::open::file: {path: NAME, format: text|json|base64}` reads a file below one folder, at most
// 1 MiB. Its text, its JSON, or its bytes in base64 are the result, all of it secret. The kernel
// refuses paths and links that lead out of the folder.
class FileProvider final : public Provider {
 public:
  explicit FileProvider(std::string folder) : folder_(std::move(folder)) {}

  SchemaPtr InputSchema() const override;
  SchemaPtr OutputSchema() const override { return AlwaysSchema(); }
  Result<esc::Value> Open(const esc::Value& inputs, const ProviderContext& context) override;

 private:
  const std::string folder_;
};

}  // namespace escagent::eval
