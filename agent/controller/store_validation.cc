#include "agent/controller/store_validation.h"

#include <algorithm>
#include <utility>

#include "base/duration.h"

namespace escagent::controller {
namespace {

// ESC can be written to as well, unlike what ESO reports for it.
constexpr char kCapabilities[] = "ReadWrite";
// The session is not read.
constexpr std::chrono::minutes kSession{1};

// Whether the error says something about the store, as opposed to whether it can be asked.
bool IsAboutTheStore(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kPermissionDenied:
    case Code::kUnauthenticated:
    case Code::kFailedPrecondition:
      return true;
    default:
      return false;
  }
}

StoreVerdict Judge(const Error& error, const std::string& what) {
  const bool invalid = IsAboutTheStore(error.code);
  return {
      .kind = invalid ? StoreVerdict::Kind::kInvalid : StoreVerdict::Kind::kUnknown,
      .message = (invalid ? what : "could not determine validation status") + ": " + error.message,
      .retry_after = error.retry_after};
}

}  // namespace

StoreVerdict CannotBeUsed(const Error& error) { return Judge(error, "unable to create client"); }

StoreVerdict ValidateEnvironment(esc::Api& api, const esc::EnvironmentRef& ref,
                                 const std::stop_token& stop) {
  constexpr char kWhat[] = "unable to validate store";
  const Result<esc::EnvironmentHead> head = api.Head(ref, stop);
  if (head) return {};
  const Code code = head.error().code;
  if (code != Code::kPermissionDenied && code != Code::kUnimplemented) {
    return Judge(head.error(), kWhat);
  }
  const Result<esc::OpenSession> opened = api.Open(ref, kSession, stop);
  if (opened) return {};
  return Judge(opened.error(), kWhat);
}

store::StoreStatus NextStoreStatus(const store::StoreStatus& before, const StoreVerdict& verdict,
                                   Clock::WallTime now) {
  const store::StatusCondition* old = before.Ready();
  store::StatusCondition ready{.type = store::kReadyCondition,
                               .status = "False",
                               .reason = "InvalidProviderConfig",
                               .message = verdict.message,
                               .last_transition_time = ""};
  switch (verdict.kind) {
    case StoreVerdict::Kind::kValid:
      ready.status = "True";
      ready.reason = "Valid";
      ready.message = "store validated";
      break;
    case StoreVerdict::Kind::kUnknown:
      if (old != nullptr) ready.status = old->status;
      ready.reason = "ValidationUnknown";
      break;
    case StoreVerdict::Kind::kInvalid:
      break;
  }
  const bool flips = old == nullptr || old->status != ready.status;
  ready.last_transition_time = flips ? FormatTime(now) : old->last_transition_time;

  store::StoreStatus next{.capabilities = kCapabilities, .conditions = before.conditions};
  const auto place =
      std::ranges::find(next.conditions, store::kReadyCondition, &store::StatusCondition::type);
  if (place == next.conditions.end()) {
    next.conditions.push_back(std::move(ready));
  } else {
    *place = std::move(ready);
  }
  return next;
}

}  // namespace escagent::controller
