#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"
#include "esc/value.h"

namespace escagent::testing {

// An ESC with environments in memory. Counts every call, fails and blocks on command.
//
// Environments are named "org/project/env". Each SetEnvironment is a new revision (1, 2, ...); a
// ref's version is a revision number, "latest" or empty (HEAD has an ETag for the last two only). A
// session keeps the values it was opened with. Thread-safe.
class FakeEscApi final : public esc::Api {
 public:
  enum class Operation {
    kOpen,
    kReadSession,
    kReadProperty,
    kHead,
    kGetDefinition,
    kCheckYaml,
    kGetDecrypted,
    kUpdate,
    kReadContributors
  };

  FakeEscApi() = default;
  FakeEscApi(const FakeEscApi&) = delete;
  FakeEscApi& operator=(const FakeEscApi&) = delete;

  // Creates the environment, or gives it a new revision (and so a new ETag).
  void SetEnvironment(std::string_view name, esc::Value properties) EXCLUDES(mutex_);
  // The same from JSON: {"hello": "world", "port": 8080}. The text must be valid.
  void SetEnvironmentJson(std::string_view name, std::string_view json) EXCLUDES(mutex_);
  // Changes what the newest revision opens to, without a new revision: what a changed import or a
  // fn::open provider does. The environment must exist.
  void SetValuesOnly(std::string_view name, esc::Value properties) EXCLUDES(mutex_);
  // The YAML that GetDefinition answers for the newest revision. The environment must exist.
  // `decrypted` is what GetDecryptedDefinition answers; the same text when it is empty.
  void SetDefinition(std::string_view name, std::string_view yaml, std::string_view decrypted = "")
      EXCLUDES(mutex_);
  // What ReadContributors answers for the environment ("org/project/env" each).
  void SetContributors(std::string_view name, const std::vector<std::string>& contributors)
      EXCLUDES(mutex_);
  void RemoveEnvironment(std::string_view name) EXCLUDES(mutex_);
  // Operations on this environment only ("org/project/env", any version) fail with `error`, until
  // FailOnly is called for the operation again; an empty name: none.
  void FailOnly(Operation operation, std::string_view name, Error error = {}) EXCLUDES(mutex_);
  // All open sessions are gone: reading them is ABORTED (a property of them NOT_FOUND).
  void ExpireSessions() EXCLUDES(mutex_);

  // The next `times` calls of the operation fail with `error`; all of them when empty. Replaces
  // what was set before.
  void Fail(Operation operation, Error error, std::optional<int> times = std::nullopt)
      EXCLUDES(mutex_);
  void StopFailing(Operation operation) EXCLUDES(mutex_);

  // Calls of the operation wait, already counted, until Release (then they go on as usual) or until
  // their stop token is triggered (then they are CANCELLED).
  void Block(Operation operation) EXCLUDES(mutex_);
  void Release(Operation operation) EXCLUDES(mutex_);

  // Calls begun so far, also those that failed or wait in a block.
  int Calls(Operation operation) const EXCLUDES(mutex_);
  int opens() const { return Calls(Operation::kOpen); }
  int heads() const { return Calls(Operation::kHead); }
  // ReadSession and ReadProperty.
  int reads() const { return Calls(Operation::kReadSession) + Calls(Operation::kReadProperty); }
  // Of the environment ("org/project/env", any version).
  int CallsOf(Operation operation, std::string_view name) const EXCLUDES(mutex_);
  // Calls that wait in a block now.
  int Blocked(Operation operation) const EXCLUDES(mutex_);
  // The duration that the last Open asked for.
  std::chrono::seconds last_duration() const EXCLUDES(mutex_);

  // Wait until there are at least `count`; false when `timeout` passed first.
  [[nodiscard]] bool WaitForCalls(
      Operation operation, int count,
      std::chrono::milliseconds timeout = std::chrono::seconds(10)) const EXCLUDES(mutex_);
  [[nodiscard]] bool WaitForBlocked(
      Operation operation, int count,
      std::chrono::milliseconds timeout = std::chrono::seconds(10)) const EXCLUDES(mutex_);

  Result<esc::OpenSession> Open(const esc::EnvironmentRef& ref, std::chrono::seconds duration,
                                std::stop_token stop) override EXCLUDES(mutex_);
  Result<esc::Value> ReadSession(const esc::EnvironmentRef& ref, std::string_view session_id,
                                 std::stop_token stop) override EXCLUDES(mutex_);
  Result<esc::Value> ReadProperty(const esc::EnvironmentRef& ref, std::string_view session_id,
                                  std::string_view property_path, std::stop_token stop) override
      EXCLUDES(mutex_);
  Result<std::vector<esc::EnvironmentRef>> ReadContributors(const esc::EnvironmentRef& ref,
                                                            std::string_view session_id,
                                                            std::stop_token stop) override
      EXCLUDES(mutex_);
  Result<esc::EnvironmentHead> Head(const esc::EnvironmentRef& ref, std::stop_token stop) override
      EXCLUDES(mutex_);
  Result<esc::Definition> GetDefinition(const esc::EnvironmentRef& ref,
                                        std::stop_token stop) override EXCLUDES(mutex_);
  Result<esc::Definition> GetDecryptedDefinition(const esc::EnvironmentRef& ref,
                                                 std::stop_token stop) override EXCLUDES(mutex_);
  // A new revision with this text, which opens to the same values: nothing evaluates it.
  Result<esc::DefinitionUpdate> UpdateDefinition(const esc::EnvironmentRef& ref, const Secret& yaml,
                                                 std::string_view etag,
                                                 std::stop_token stop) override EXCLUDES(mutex_);
  // Answers an empty object without diagnostics, unless told to fail.
  Result<esc::CheckResult> CheckYaml(std::string_view organization, const Secret& yaml,
                                     std::stop_token stop) override EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kOperations = 9;

  struct Revision {
    std::shared_ptr<const esc::Value> properties;
    std::string definition;
    std::string decrypted;  // empty: as `definition`
    std::string etag;       // of no other revision of any environment
  };
  using Environment = std::vector<Revision>;  // [0] is revision 1

  struct Control {
    int calls = 0;
    int blocked = 0;
    bool block = false;
    std::optional<Error> error;
    std::optional<int> failures_left;
    std::string only;  // "": whatever the environment
    Error only_error;
    std::map<std::string, int, std::less<>> calls_of;
  };

  // Counts the call, waits while the operation is blocked, and returns the error it was told to.
  Status Begin(Operation operation, const std::stop_token& stop,
               const esc::EnvironmentRef& ref = {}) EXCLUDES(mutex_);
  Environment& MustFind(std::string_view name) REQUIRES(mutex_);
  // The 1-based revision number that `ref` means.
  Result<std::size_t> Resolve(const esc::EnvironmentRef& ref) const REQUIRES(mutex_);
  // ABORTED when there is no such session.
  Result<std::shared_ptr<const esc::Value>> Session(std::string_view session_id) const
      EXCLUDES(mutex_);
  const Control& At(Operation operation) const REQUIRES(mutex_);
  Control& At(Operation operation) REQUIRES(mutex_);

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::map<std::string, Environment, std::less<>> environments_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<esc::EnvironmentRef>, std::less<>> contributors_
      GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<const esc::Value>, std::less<>> sessions_
      GUARDED_BY(mutex_);
  std::array<Control, kOperations> controls_ GUARDED_BY(mutex_);
  int next_etag_ GUARDED_BY(mutex_) = 1;
  int next_session_ GUARDED_BY(mutex_) = 1;
  std::chrono::seconds last_duration_ GUARDED_BY(mutex_){0};
};

}  // namespace escagent::testing
