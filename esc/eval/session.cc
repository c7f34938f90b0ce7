#include "esc/eval/session.h"

#include <memory>
#include <utility>

#include "esc/eval/definition.h"
#include "esc/eval/scope.h"

namespace escagent::eval {
namespace {

esc::Value Object(const char* key, esc::Value value) {
  esc::Value::Object members;
  members.emplace_back(key, std::move(value));
  return esc::Value::MakeObject(std::move(members));
}

esc::Value Text(std::string_view text) { return esc::Value::String(Secret(text)); }

esc::Value ContextOf(const Identity& identity) {
  esc::Value::Object user;
  user.emplace_back("id", Text(identity.user_id));
  user.emplace_back("login", Text(identity.user_login));
  esc::Value::Object pulumi;
  pulumi.emplace_back("organization", Object("login", Text(identity.organization)));
  pulumi.emplace_back("user", esc::Value::MakeObject(std::move(user)));
  return Object("pulumi", esc::Value::MakeObject(std::move(pulumi)));
}

}  // namespace

Session::Session(const EvalOptions& options, Evaluation& evaluation)
    : options_(options), evaluation_(evaluation), identity_context_(ContextOf(options.identity)) {
  // Paths are compared as the reader of definitions spells them.
  for (const esc::PropertyPath& path : options.rotate_paths) {
    std::string spelled = "values";
    for (const esc::PropertyPath::Accessor& accessor : path.accessors()) {
      const auto* key = std::get_if<std::string>(&accessor);
      spelled = key != nullptr
                    ? JoinKey(spelled, *key)
                    : spelled + "[" + std::to_string(std::get<std::size_t>(accessor)) + "]";
    }
    rotate_paths_.insert(std::move(spelled));
  }
}

const esc::Value& Session::context() const {
  return options_.context != nullptr ? *options_.context : identity_context_;
}

bool Session::IsRotated(std::string_view path) const {
  return rotate_paths_.empty() || rotate_paths_.contains(path);
}

void Session::EvaluateRoot(std::string_view text) {
  Environment& root = environments_[options_.environment];
  root.evaluating = true;
  root.value = EvaluateText(options_.environment, text, /*is_root=*/true, diagnostics_);
  root.evaluating = false;
  evaluation_.root = root.value;
}

// Errors of reading an imported text are fatal, and null is given: half an environment would
// change what others override.
NodePtr Session::EvaluateText(const std::string& name, std::string_view text, bool is_root,
                              Diagnostics& fatal) {
  evaluation_.budget.Spend(text.size());
  Diagnostics found;
  EvaluatedEnvironment& environment = evaluation_.environments.emplace_back();
  environment.definition = ParseDefinition(text, std::make_shared<const std::string>(name), found);
  const bool failed = HasErrors(found);
  for (esc::Diagnostic& diagnostic : found) {
    Append(failed ? fatal : diagnostics_, std::move(diagnostic));
  }
  if (failed && !is_root) return nullptr;
  const std::string outer_root = root_name_;
  if (root_name_.empty() || root_name_ == kAnonymousEnvironment) root_name_ = name;
  Scope scope(*this, environment, is_root);
  NodePtr value = scope.Evaluate();
  if (is_root) evaluation_.context = scope.context();
  root_name_ = outer_root;
  return value;
}

NodePtr Session::Import(const std::string& name, const SourceRange& at, std::string_view path) {
  const auto fail = [&](std::string why) {
    AddError(diagnostics_, at, path, std::move(why));
    return nullptr;
  };
  const auto report = [&](const Environment& environment) -> NodePtr {
    for (const esc::Diagnostic& finding : environment.findings) Append(diagnostics_, finding);
    if (!environment.failure.empty()) return fail(environment.failure);
    return environment.value;
  };
  if (const auto known = environments_.find(name); known != environments_.end()) {
    if (known->second.evaluating) return fail("cyclic import of " + name);
    return report(known->second);
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
    environment.failure = text.error().code == Code::kNotFound
                              ? "environment \"" + name + "\" not found"
                              : text.error().message;
    return report(environment);
  }
  imported_.push_back(name);
  environment.evaluating = true;
  ++import_depth_;
  environment.value = EvaluateText(name, text->Reveal(), /*is_root=*/false, environment.findings);
  --import_depth_;
  environment.evaluating = false;
  return report(environment);
}

}  // namespace escagent::eval
