#pragma once

#include <string>

#include "agent/mirror/secret_data.h"
#include "agent/mirror/target_secret.h"
#include "base/result.h"
#include "kube/api.h"
#include "kube/object.h"

namespace escagent::controller {

// The decoded `data` of a Secret. INVALID_ARGUMENT names a key that is not base64.
Result<mirror::SecretData> DataOfSecret(const kube::Object& object);

// Reads a ConfigMap or Secret of the namespace that holds templates into `sources`; one that is not
// there is left out.
Status ReadTemplateSource(kube::Api& api, const std::string& namespace_name,
                          const mirror::TemplateSourceRef& ref, const kube::CallOptions& call,
                          mirror::TemplateSources& sources);

}  // namespace escagent::controller
