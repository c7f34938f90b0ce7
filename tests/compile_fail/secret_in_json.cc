// refused: use of deleted function .*to_json|no matching constructor|no viable conversion from .*Secret|conversion from .*Secret.* to non-scalar type
#include <nlohmann/json.hpp>

#include "base/secret.h"

nlohmann::json Describe(const escagent::Secret& secret) {
#ifdef MISUSE
  nlohmann::json json = secret;
#else
  nlohmann::json json = secret.Size();
#endif
  return json;
}
