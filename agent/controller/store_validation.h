#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/store/store_object.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"

namespace escagent::controller {

// What came of looking whether a store works.
struct StoreVerdict {
  enum class Kind {
    kValid,
    kInvalid,  // the store, its token or its environment is wrong
    kUnknown   // ESC or the API server did not answer
  };
  Kind kind = Kind::kValid;
  std::string message;                       // of the condition Ready: what failed, and the cause
  std::chrono::milliseconds retry_after{0};  // what the server asked for
};

// The verdict on a store whose spec or token cannot be used.
StoreVerdict CannotBeUsed(const Error& error);

// Asks ESC for the environment's revision with the store's token. Where the token may not do that,
// or the server does not know how, the environment is opened once instead. Blocks for as long as
// the calls do.
StoreVerdict ValidateEnvironment(esc::Api& api, const esc::EnvironmentRef& ref,
                                 const std::stop_token& stop);

// The status that a store with status `before` gets (eso-compat.md 1.1). A store that was Ready
// stays so while nothing is known against it; lastTransitionTime moves only when the condition's
// status does. Other conditions stay.
store::StoreStatus NextStoreStatus(const store::StoreStatus& before, const StoreVerdict& verdict,
                                   Clock::WallTime now);

}  // namespace escagent::controller
