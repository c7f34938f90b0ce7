#include "esc/eval/session.h"

#include <memory>
#include <utility>

#include "esc/eval/definition.h"
#include "esc/eval/scope.h"

namespace escagent::eval {

NodePtr Session::EvaluateRoot(std::string_view text) {
  Environment& root = environments_[options_.environment];
  root.evaluating = true;
  root.value = EvaluateText(options_.environment, text, /*is_root=*/true);
  root.evaluating = false;
  return root.value;
}

// Null when an imported text has errors: half an environment would change what others override.
NodePtr Session::EvaluateText(const std::string& name, std::string_view text, bool is_root) {
  budget_.Spend(text.size());
  Diagnostics found;
  const Definition definition =
      ParseDefinition(text, std::make_shared<const std::string>(name), found);
  const bool failed = HasErrors(found);
  for (esc::Diagnostic& diagnostic : found) Append(diagnostics_, std::move(diagnostic));
  if (failed && !is_root) return nullptr;
  const std::string outer_root = root_name_;
  if (root_name_.empty() || root_name_ == kAnonymousEnvironment) root_name_ = name;
  Scope scope(*this, definition);
  NodePtr value = scope.Evaluate();
  root_name_ = outer_root;
  return value;
}

NodePtr Session::Import(const std::string& name, const SourceRange& at, std::string_view path) {
  const auto fail = [&](std::string why) {
    AddError(diagnostics_, at, path, std::move(why));
    return nullptr;
  };
  if (const auto known = environments_.find(name); known != environments_.end()) {
    if (known->second.evaluating) return fail("cyclic import of " + name);
    return known->second.value;
  }
  if (options_.loader == nullptr) {
    return fail("environment \"" + name + "\" not found: imports cannot be read here");
  }
  if (import_depth_ >= kMaxImportDepth) {
    return fail("imports are nested more than " + std::to_string(kMaxImportDepth) + " deep");
  }
  if (imported_.size() >= kMaxImports) {
    return fail("more than " + std::to_string(kMaxImports) + " environments are imported");
  }
  Environment& environment = environments_[name];
  const Result<Secret> text = options_.loader->Load(name);
  if (!text) {
    return fail(text.error().code == Code::kNotFound ? "environment \"" + name + "\" not found"
                                                     : text.error().message);
  }
  imported_.push_back(name);
  environment.evaluating = true;
  ++import_depth_;
  environment.value = EvaluateText(name, text->Reveal(), /*is_root=*/false);
  --import_depth_;
  environment.evaluating = false;
  return environment.value;
}

}  // namespace escagent::eval
