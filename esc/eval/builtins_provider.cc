#include <algorithm>
#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"
#include "esc/eval/provider.h"

namespace escagent::eval {
namespace {

constexpr std::size_t kInputs = 1;
constexpr std::size_t kState = 2;

Expression Missing() {
  Expression missing;
  missing.kind = Expression::Kind::kMissing;
  return missing;
}

Expression TakeOr(Expression& argument, std::string_view name, Expression otherwise) {
  const std::size_t member = FindMember(argument, name);
  return member == kNoMember ? std::move(otherwise) : std::move(argument.members[member].value);
}

// Reads "provider" and "inputs" of the long forms and "inputs" of the short one of fn::rotate.
void ParseParts(Expression& call, Expression& argument, bool with_provider,
                Diagnostics& diagnostics) {
  const auto report = [&](const Expression& at, const char* why) {
    AddError(diagnostics, at.range, at.path, why);
  };
  if (with_provider) {
    const std::size_t member = FindMember(argument, "provider");
    if (member == kNoMember) {
      report(argument, "missing provider name ('provider')");
    } else if (const Expression& name = argument.members[member].value;
               name.kind != Expression::Kind::kString) {
      report(name, "provider name must be a string literal");
    } else {
      call.call->provider = name.text;
    }
  }
  if (FindMember(argument, "inputs") == kNoMember) {
    report(argument, "missing provider inputs ('inputs')");
  }
  Expression provider = TakeOr(argument, "provider", Missing());
  call.elements.push_back(call.call->provider && with_provider ? std::move(provider) : Missing());
  call.elements.push_back(TakeOr(argument, "inputs", Missing()));
}

void ParseState(Expression& call, Expression& argument, Diagnostics& diagnostics) {
  Expression state = TakeOr(argument, "state", Expression());
  if (state.kind != Expression::Kind::kObject && FindMember(argument, "state") != kNoMember) {
    AddError(diagnostics, state.range, state.path, "rotation state must be an object literal");
  }
  call.elements.push_back(std::move(state));
}

void FillMissing(Expression& call, std::size_t count) {
  while (call.elements.size() < count) call.elements.push_back(Missing());
}

// Whether a part is unknown that will be looked at: what only rotation evaluates is not, but while
// it rotates.
bool ContainsObservableUnknown(const Node& node, bool rotating) {
  if (!node.contains_unknown) return false;
  if (node.unknown) return rotating || !node.rotate_only;
  const auto observable = [&](const Node& child) {
    return ContainsObservableUnknown(child, rotating);
  };
  return std::ranges::any_of(node.elements, [&](const NodePtr& e) { return observable(*e); }) ||
         std::ranges::any_of(node.members,
                             [&](const Node::Member& m) { return observable(*m.node); });
}

// Providers may make their schemas anew for each call.
SchemaPtr Kept(Call& call, SchemaPtr schema) {
  if (const Status status = CompileSchema(*schema); !status) {
    call.Fail("internal error: invalid schema (" + status.error().message + ")");
    return AlwaysSchema();
  }
  call.session().evaluation().schemas.push_back(schema);
  return schema;
}

NodePtr UnknownOutput(Call& call) { return call.Unknown(); }

NodePtr FromOutput(Call& call, const esc::Value& output) {
  call.budget().Spend(sizeof(Node));
  return FromValue(output, output.secret(), &call.cell());
}

// One fn::rotate, of which the inputs and the state are known.
class Rotating {
 public:
  Rotating(Call& call, Rotator& rotator)
      : call_(call),
        rotator_(rotator),
        context_{.identity = call.options().identity,
                 .environment = call.scope().environment_name()} {}

  NodePtr Run(const Node& inputs, const Node& state) {
    const esc::Value given = ToValue(inputs);
    esc::Value current = ToValue(state);
    if (call_.scope().ShouldRotate(call_.expression().path)) {
      auto next = rotator_.Rotate(given, AsObject(current), context_);
      if (!next) {
        Record(Rotation::Status::kFailed).message = next.error().message;
        return call_.Fail("rotate: " + next.error().message);
      }
      Rotation& rotation = Record(Rotation::Status::kSucceeded);
      rotation.patch_path = JoinKey(call_.expression().path, call_.syntax().name) + ".state";
      rotation.state = next->Clone();
      current = *std::move(next);
    }
    const auto output = rotator_.Open(given, AsObject(current), context_);
    return output ? FromOutput(call_, *output) : call_.Fail(output.error().message);
  }

  static void RecordSkipped(Call& call) {
    if (!call.scope().ShouldRotate(call.expression().path)) return;
    Rotation& rotation = call.session().rotations().emplace_back();
    rotation.path = call.expression().path;
  }

 private:
  static const esc::Value* AsObject(const esc::Value& value) {
    return value.kind() == esc::Value::Kind::kObject ? &value : nullptr;
  }

  Rotation& Record(Rotation::Status status) {
    Rotation& rotation = call_.session().rotations().emplace_back();
    rotation.status = status;
    rotation.path = call_.expression().path;
    return rotation;
  }

  Call& call_;
  Rotator& rotator_;
  ProviderContext context_;
};

}  // namespace

void ParseOpen(Expression& call, Expression argument, Diagnostics& diagnostics) {
  if (argument.kind != Expression::Kind::kObject) {
    AddError(diagnostics, argument.range, argument.path,
             "the argument to fn::open must be an object containing 'provider' and 'inputs'");
  } else {
    ParseParts(call, argument, /*with_provider=*/true, diagnostics);
  }
  FillMissing(call, 2);
}

void ParseShortOpen(Expression& call, Expression argument, Diagnostics&) {
  call.call->short_form = true;
  call.call->provider = call.call->name.substr(call.call->builtin->name.size());
  call.elements.push_back(Missing());
  call.elements.push_back(std::move(argument));
}

void ParseRotate(Expression& call, Expression argument, Diagnostics& diagnostics) {
  if (argument.kind != Expression::Kind::kObject) {
    AddError(diagnostics, argument.range, argument.path,
             "the argument to fn::rotate must be an object containing 'provider', 'inputs' and "
             "'state'");
  } else {
    ParseParts(call, argument, /*with_provider=*/true, diagnostics);
    ParseState(call, argument, diagnostics);
  }
  FillMissing(call, 3);
}

void ParseShortRotate(Expression& call, Expression argument, Diagnostics& diagnostics) {
  call.call->short_form = true;
  if (argument.kind != Expression::Kind::kObject) {
    AddError(diagnostics, argument.range, argument.path,
             "the argument to fn::rotate must be an object containing 'inputs' and 'state'");
  } else {
    call.call->provider = call.call->name.substr(call.call->builtin->name.size());
    ParseParts(call, argument, /*with_provider=*/false, diagnostics);
    ParseState(call, argument, diagnostics);
  }
  FillMissing(call, 3);
}

NodePtr CallOpen(Call& call) {
  Cell& cell = call.cell();
  if (!call.syntax().provider) return UnknownOutput(call);
  const std::string& name = *call.syntax().provider;
  const ProviderRegistry* providers = call.options().providers;
  Provider* const provider = providers != nullptr ? providers->FindProvider(name) : nullptr;
  if (provider == nullptr) {
    call.Fail("unknown provider \"" + name + "\"");
  } else {
    cell.input_schema = Kept(call, provider->InputSchema());
    cell.schema = Kept(call, provider->OutputSchema());
  }
  const auto [inputs, fit] =
      call.Argument(kInputs, provider != nullptr ? cell.input_schema : AlwaysSchema());
  if (!fit || inputs->contains_unknown || call.options().mode == EvalMode::kCheck ||
      provider == nullptr) {
    return UnknownOutput(call);
  }
  if (inputs->kind != esc::Value::Kind::kObject) {
    return call.Fail("the inputs of a provider must be an object");
  }
  const auto output = provider->Open(
      ToValue(*inputs),
      {.identity = call.options().identity, .environment = call.scope().environment_name()});
  return output ? FromOutput(call, *output) : call.Fail(output.error().message);
}

NodePtr CallRotate(Call& call) {
  Cell& cell = call.cell();
  if (!call.syntax().provider) return UnknownOutput(call);
  const std::string& name = *call.syntax().provider;
  const ProviderRegistry* providers = call.options().providers;
  Rotator* const rotator = providers != nullptr ? providers->FindRotator(name) : nullptr;
  if (rotator == nullptr) {
    call.Fail("unknown rotator \"" + name + "\"");
  } else {
    cell.input_schema = Kept(call, rotator->InputSchema());
    cell.state_schema =
        Kept(call, OneOfSchema({Kept(call, rotator->StateSchema()), TypeSchema("null")}));
    cell.schema = Kept(call, rotator->OutputSchema());
  }
  const auto [inputs, inputs_fit] =
      call.Argument(kInputs, rotator != nullptr ? cell.input_schema : AlwaysSchema());
  const auto [state, state_fits] =
      call.Argument(kState, rotator != nullptr ? cell.state_schema : AlwaysSchema());
  if (!inputs_fit || ContainsObservableUnknown(*inputs, call.scope().rotating()) || !state_fits ||
      state->contains_unknown || call.options().mode == EvalMode::kCheck || rotator == nullptr) {
    Rotating::RecordSkipped(call);
    return UnknownOutput(call);
  }
  if (inputs->kind != esc::Value::Kind::kObject) {
    return call.Fail("the inputs of a rotator must be an object");
  }
  return Rotating(call, *rotator).Run(*inputs, *state);
}

}  // namespace escagent::eval
