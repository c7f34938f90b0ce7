#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "agent/identity/subject_source.h"
#include "base/result.h"
#include "kube/api.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::identity {

// Tokens of a service account that the API server issues, a new one for each exchange. Thread-safe;
// borrows the API.
class ServiceAccountSubject final : public SubjectSource {
 public:
  ServiceAccountSubject(kube::Api& api, kube::ObjectKey service_account,
                        std::vector<std::string> audiences, std::chrono::seconds lifetime);

  // FAILED_PRECONDITION: there is no such service account, or the agent may not ask for its tokens.
  Result<Secret> Get(const std::stop_token& stop) override;

 private:
  kube::Api& api_;
  const kube::ObjectKey service_account_;
  const std::vector<std::string> audiences_;
  const std::chrono::seconds lifetime_;
};

// The token in a file that somebody else renews, as kubelet does a projected volume's.
class FileSubject final : public SubjectSource {
 public:
  explicit FileSubject(std::string path) : path_(std::move(path)) {}

  // FAILED_PRECONDITION: it cannot be read, or is empty.
  Result<Secret> Get(const std::stop_token& stop) override;

 private:
  const std::string path_;
};

}  // namespace escagent::identity
