#include "tests/fakes/fake_esc_api.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "esc/property_path.h"

namespace escagent::testing {
namespace {

using nlohmann::json;

// A test that asks for what is not there is wrong in itself.
[[noreturn]] void Misuse() { std::abort(); }

esc::Value FromJson(const json& document) {
  switch (document.type()) {
    case json::value_t::boolean:
      return esc::Value::Bool(document.get<bool>());
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return esc::Value::Number(Secret(document.dump()));
    case json::value_t::string:
      return esc::Value::String(Secret(document.get<std::string>()));
    case json::value_t::array: {
      esc::Value::Array elements;
      for (const json& element : document) elements.push_back(FromJson(element));
      return esc::Value::MakeArray(std::move(elements));
    }
    case json::value_t::object: {
      esc::Value::Object members;
      for (const auto& [key, member] : document.items()) {
        members.emplace_back(key, FromJson(member));
      }
      return esc::Value::MakeObject(std::move(members));
    }
    default:
      return esc::Value::Null();
  }
}

std::string NameOf(const esc::EnvironmentRef& ref) {
  return ref.organization + "/" + ref.project + "/" + ref.environment;
}

std::chrono::steady_clock::time_point DeadlineAfter(std::chrono::milliseconds timeout) {
  return std::chrono::steady_clock::now() + timeout;
}

}  // namespace

void FakeEscApi::SetEnvironment(std::string_view name, esc::Value properties) {
  auto shared = std::make_shared<const esc::Value>(std::move(properties));
  MutexLock lock(mutex_);
  environments_[std::string(name)].push_back(
      {std::move(shared), "", "", "\"etag-" + std::to_string(next_etag_++) + "\""});
}

void FakeEscApi::SetEnvironmentJson(std::string_view name, std::string_view json_text) {
  const Result<json> document = ParseJson(json_text, "fake environment");
  if (!document) Misuse();
  SetEnvironment(name, FromJson(*document));
}

void FakeEscApi::SetValuesOnly(std::string_view name, esc::Value properties) {
  auto shared = std::make_shared<const esc::Value>(std::move(properties));
  MutexLock lock(mutex_);
  MustFind(name).back().properties = std::move(shared);
}

void FakeEscApi::SetDefinition(std::string_view name, std::string_view yaml,
                               std::string_view decrypted) {
  MutexLock lock(mutex_);
  MustFind(name).back().definition = yaml;
  MustFind(name).back().decrypted = decrypted;
}

void FakeEscApi::SetContributors(std::string_view name,
                                 const std::vector<std::string>& contributors) {
  MutexLock lock(mutex_);
  std::vector<esc::EnvironmentRef>& refs = contributors_[std::string(name)];
  refs.clear();
  for (const std::string& contributor : contributors) {
    auto ref = esc::EnvironmentRef::Parse(contributor);
    if (!ref) Misuse();
    refs.push_back(*std::move(ref));
  }
}

void FakeEscApi::FailOnly(Operation operation, std::string_view name, Error error) {
  MutexLock lock(mutex_);
  At(operation).only = name;
  At(operation).only_error = std::move(error);
}

int FakeEscApi::CallsOf(Operation operation, std::string_view name) const {
  MutexLock lock(mutex_);
  const auto& calls = At(operation).calls_of;
  const auto it = calls.find(name);
  return it == calls.end() ? 0 : it->second;
}

void FakeEscApi::RemoveEnvironment(std::string_view name) {
  MutexLock lock(mutex_);
  environments_.erase(std::string(name));
}

void FakeEscApi::ExpireSessions() {
  MutexLock lock(mutex_);
  sessions_.clear();
}

void FakeEscApi::Fail(Operation operation, Error error, std::optional<int> times) {
  MutexLock lock(mutex_);
  At(operation).error = std::move(error);
  At(operation).failures_left = times;
}

void FakeEscApi::StopFailing(Operation operation) {
  MutexLock lock(mutex_);
  At(operation).error.reset();
}

void FakeEscApi::Block(Operation operation) {
  MutexLock lock(mutex_);
  At(operation).block = true;
}

void FakeEscApi::Release(Operation operation) {
  MutexLock lock(mutex_);
  At(operation).block = false;
  changed_.NotifyAll();
}

int FakeEscApi::Calls(Operation operation) const {
  MutexLock lock(mutex_);
  return At(operation).calls;
}

int FakeEscApi::Blocked(Operation operation) const {
  MutexLock lock(mutex_);
  return At(operation).blocked;
}

std::chrono::seconds FakeEscApi::last_duration() const {
  MutexLock lock(mutex_);
  return last_duration_;
}

bool FakeEscApi::WaitForCalls(Operation operation, int count,
                              std::chrono::milliseconds timeout) const {
  const auto deadline = DeadlineAfter(timeout);
  MutexLock lock(mutex_);
  while (At(operation).calls < count) {
    if (!changed_.WaitUntil(mutex_, deadline)) return At(operation).calls >= count;
  }
  return true;
}

bool FakeEscApi::WaitForBlocked(Operation operation, int count,
                                std::chrono::milliseconds timeout) const {
  const auto deadline = DeadlineAfter(timeout);
  MutexLock lock(mutex_);
  while (At(operation).blocked < count) {
    if (!changed_.WaitUntil(mutex_, deadline)) return At(operation).blocked >= count;
  }
  return true;
}

Status FakeEscApi::Begin(Operation operation, const std::stop_token& stop,
                         const esc::EnvironmentRef& ref) {
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  MutexLock lock(mutex_);
  Control& control = At(operation);
  ++control.calls;
  ++control.calls_of[NameOf(ref)];
  changed_.NotifyAll();
  if (control.block) {
    ++control.blocked;
    while (control.block && !stop.stop_requested()) changed_.Wait(mutex_);
    --control.blocked;
  }
  if (stop.stop_requested()) return MakeError(Code::kCancelled, "fake ESC: stopped");
  if (!control.only.empty() && control.only == NameOf(ref)) {
    return std::unexpected(control.only_error);
  }
  if (!control.error) return {};
  if (control.failures_left && --*control.failures_left < 0) {
    control.error.reset();
    return {};
  }
  return std::unexpected(*control.error);
}

FakeEscApi::Environment& FakeEscApi::MustFind(std::string_view name) {
  const auto it = environments_.find(name);
  if (it == environments_.end()) Misuse();
  return it->second;
}

Result<std::size_t> FakeEscApi::Resolve(const esc::EnvironmentRef& ref) const {
  const auto it = environments_.find(NameOf(ref));
  if (it != environments_.end()) {
    if (ref.version.empty() || ref.version == "latest") return it->second.size();
    for (std::size_t i = 1; i <= it->second.size(); ++i) {
      if (ref.version == std::to_string(i)) return i;
    }
  }
  return NotFound("fake ESC: no such environment or version: " + ref.ToString());
}

Result<esc::OpenSession> FakeEscApi::Open(const esc::EnvironmentRef& ref,
                                          std::chrono::seconds duration, std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kOpen, stop, ref));
  MutexLock lock(mutex_);
  ESC_ASSIGN_OR_RETURN(const std::size_t revision, Resolve(ref));
  last_duration_ = duration;
  std::string id = "session-" + std::to_string(next_session_++);
  sessions_[id] = MustFind(NameOf(ref))[revision - 1].properties;
  return esc::OpenSession{std::move(id), {}};
}

Result<std::shared_ptr<const esc::Value>> FakeEscApi::Session(std::string_view session_id) const {
  MutexLock lock(mutex_);
  const auto it = sessions_.find(session_id);
  if (it == sessions_.end()) {
    return MakeError(Code::kAborted, "fake ESC: no such session: " + std::string(session_id));
  }
  return it->second;
}

Result<esc::Value> FakeEscApi::ReadSession(const esc::EnvironmentRef& /*ref*/,
                                           std::string_view session_id, std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kReadSession, stop));
  ESC_ASSIGN_OR_RETURN(const std::shared_ptr<const esc::Value> properties, Session(session_id));
  return properties->Clone();
}

Result<esc::Value> FakeEscApi::ReadProperty(const esc::EnvironmentRef& /*ref*/,
                                            std::string_view session_id,
                                            std::string_view property_path, std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kReadProperty, stop));
  Result<std::shared_ptr<const esc::Value>> properties = Session(session_id);
  // As the REST API, which cannot tell the two apart.
  if (!properties) return NotFound(properties.error().message);
  ESC_ASSIGN_OR_RETURN(const esc::PropertyPath path, esc::PropertyPath::Parse(property_path));
  ESC_ASSIGN_OR_RETURN(const esc::Value* value, path.Lookup(**properties));
  return value->Clone();
}

Result<std::vector<esc::EnvironmentRef>> FakeEscApi::ReadContributors(
    const esc::EnvironmentRef& ref, std::string_view session_id, std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kReadContributors, stop, ref));
  ESC_RETURN_IF_ERROR(Session(session_id));
  MutexLock lock(mutex_);
  return contributors_[NameOf(ref)];
}

Result<esc::EnvironmentHead> FakeEscApi::Head(const esc::EnvironmentRef& ref,
                                              std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kHead, stop, ref));
  MutexLock lock(mutex_);
  ESC_ASSIGN_OR_RETURN(const std::size_t revision, Resolve(ref));
  const bool newest = ref.version.empty() || ref.version == "latest";
  return esc::EnvironmentHead{.etag = newest ? MustFind(NameOf(ref))[revision - 1].etag : "",
                              .revision = std::to_string(revision)};
}

Result<esc::Definition> FakeEscApi::GetDefinition(const esc::EnvironmentRef& ref,
                                                  std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kGetDefinition, stop, ref));
  MutexLock lock(mutex_);
  ESC_ASSIGN_OR_RETURN(const std::size_t revision, Resolve(ref));
  const Revision& found = MustFind(NameOf(ref))[revision - 1];
  return esc::Definition{Secret(std::string_view(found.definition)), found.etag,
                         std::to_string(revision)};
}

Result<esc::Definition> FakeEscApi::GetDecryptedDefinition(const esc::EnvironmentRef& ref,
                                                           std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kGetDecrypted, stop, ref));
  MutexLock lock(mutex_);
  ESC_ASSIGN_OR_RETURN(const std::size_t revision, Resolve(ref));
  const Revision& found = MustFind(NameOf(ref))[revision - 1];
  const std::string& text = found.decrypted.empty() ? found.definition : found.decrypted;
  return esc::Definition{Secret(std::string_view(text)), found.etag, std::to_string(revision)};
}

Result<esc::DefinitionUpdate> FakeEscApi::UpdateDefinition(const esc::EnvironmentRef& ref,
                                                           const Secret& yaml,
                                                           std::string_view etag,
                                                           std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kUpdate, stop, ref));
  MutexLock lock(mutex_);
  ESC_ASSIGN_OR_RETURN(const std::size_t newest, Resolve(ref));
  Environment& environment = MustFind(NameOf(ref));
  if (environment[newest - 1].etag != etag) {
    return MakeError(Code::kAborted, "fake ESC: the ETag is not the newest revision's");
  }
  environment.push_back({environment.back().properties, std::string(yaml.Reveal()), "",
                         "\"etag-" + std::to_string(next_etag_++) + "\""});
  return esc::DefinitionUpdate{.etag = environment.back().etag,
                               .revision = std::to_string(environment.size()),
                               .warnings = {}};
}

Result<esc::CheckResult> FakeEscApi::CheckYaml(std::string_view /*organization*/,
                                               const Secret& /*yaml*/, std::stop_token stop) {
  ESC_RETURN_IF_ERROR(Begin(Operation::kCheckYaml, stop));
  return esc::CheckResult{esc::Value::MakeObject({}), {}};
}

const FakeEscApi::Control& FakeEscApi::At(Operation operation) const {
  return controls_[static_cast<std::size_t>(operation)];
}

FakeEscApi::Control& FakeEscApi::At(Operation operation) {
  return controls_[static_cast<std::size_t>(operation)];
}

}  // namespace escagent::testing
