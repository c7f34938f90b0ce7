#include "agent/freshness/change_relay.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/duration.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "base/log.h"
#include "base/thread.h"
#include "kube/resource.h"

namespace escagent::freshness {
namespace {

using nlohmann::json;

constexpr char kName[] = "esc-agent-changes";
constexpr char kKey[] = "changes";
constexpr char kLabel[] = "esc-agent.io/changes";
constexpr std::size_t kMaxChanges = 32;
// Ids that are no news any more; more than the object ever holds.
constexpr std::size_t kRemembered = 1024;
constexpr int kTries = 10;
constexpr std::chrono::milliseconds kRelayPause{100};
constexpr std::chrono::milliseconds kRelayCallTimeout{3000};

// The list in the object; empty when it cannot be read.
json ListOf(const kube::Object& object) {
  const auto data = object.json().find("data");
  if (data == object.json().end() || !data->is_object()) return json::array();
  const auto text = data->find(kKey);
  if (text == data->end() || !text->is_string()) return json::array();
  Result<json> list = ParseJson(text->get<std::string>(), kName);
  return list && list->is_array() ? *std::move(list) : json::array();
}

}  // namespace

class ChangeRelay::Watcher final : public kube::InformerHandler {
 public:
  explicit Watcher(ChangeRelay& relay) : relay_(relay) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override { relay_.OnObject(object); }
  void OnDelete(const kube::ObjectKey& /*key*/) override {}
  void OnSynced() override { relay_.OnSynced(); }
  void OnHealth(const Status& status) override {
    if (status) return;
    LogWarning("what other agents hear by webhook cannot be followed: changes are found by asking",
               {{log_key::kError, status.error()}});
  }

 private:
  ChangeRelay& relay_;
};

ChangeRelay::ChangeRelay(std::string namespace_name, kube::Api& api, kube::Informers& informers,
                         OnChange on_change, Clock& clock)
    : namespace_name_(std::move(namespace_name)),
      api_(api),
      on_change_(std::move(on_change)),
      clock_(clock) {
  thread_ = StartThread("change-relay", [this](const std::stop_token& stop) { Run(stop); });
  informer_ = informers.Start(
      {.resource = kube::ConfigMaps(), .namespace_name = namespace_name_, .label_selector = kLabel},
      std::make_shared<Watcher>(*this));
}

ChangeRelay::~ChangeRelay() {
  informer_ = {};
  thread_.request_stop();
  thread_.join();
}

void ChangeRelay::Announce(const esc::EnvironmentRef& ref, const std::string& id) {
  {
    MutexLock lock(mutex_);
    if (!Remember(id)) return;
    outgoing_.push_back({.id = id, .ref = ref});
    if (outgoing_.size() > kMaxChanges) outgoing_.pop_front();
  }
  waker_.WakeUp();
  on_change_(ref, /*here=*/true);
}

void ChangeRelay::OnObject(const kube::Object& object) {
  if (object.Name() != kName) return;
  std::vector<esc::EnvironmentRef> news;
  {
    MutexLock lock(mutex_);
    for (const json& change : ListOf(object)) {
      const std::string id = StringMember(change, "id");
      auto ref = esc::EnvironmentRef::Parse(StringMember(change, "environment"));
      if (id.empty() || !ref) continue;
      const bool is_new = Remember(id);
      if (synced_ && is_new) news.push_back(*std::move(ref));
    }
    stats_.heard += news.size();
  }
  for (const esc::EnvironmentRef& ref : news) on_change_(ref, /*here=*/false);
}

void ChangeRelay::OnSynced() {
  MutexLock lock(mutex_);
  synced_ = true;
}

void ChangeRelay::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::deque<Change> changes;
    {
      MutexLock lock(mutex_);
      changes = outgoing_;
    }
    if (changes.empty()) {
      waker_.SleepUntil(clock_, clock_.Now() + std::chrono::hours(1), stop);
      continue;
    }
    Status written;
    for (int i = 0; i < kTries; ++i) {
      written = Write(changes, stop);
      if (written || stop.stop_requested()) break;
      clock_.SleepUntil(clock_.Now() + kRelayPause * (i + 1), stop);
    }
    if (!written && !stop.stop_requested()) {
      LogWarning("other agents cannot be told of a webhook: they find the change by asking",
                 {{log_key::kError, written.error()}});
    }
    if (stop.stop_requested()) return;
    MutexLock lock(mutex_);
    (written ? stats_.told : stats_.failed) += changes.size();
    for (const Change& change : changes) {
      std::erase_if(outgoing_, [&](const Change& other) { return other.id == change.id; });
    }
  }
}

ChangeRelay::Stats ChangeRelay::GetStats() const {
  MutexLock lock(mutex_);
  return stats_;
}

Status ChangeRelay::Write(const std::deque<Change>& changes, const std::stop_token& stop) {
  const kube::CallOptions call{
      .priority = kube::Priority::kInteractive, .timeout = kRelayCallTimeout, .stop = stop};
  const kube::ObjectKey key{.namespace_name = namespace_name_, .name = kName};
  const Result<kube::Object> object = api_.Get(kube::ConfigMaps(), key, call);
  if (!object && object.error().code != Code::kNotFound) return std::unexpected(object.error());
  json list = object ? ListOf(*object) : json::array();
  for (const Change& change : changes) {
    list.push_back({{"id", change.id},
                    {"environment", change.ref.ToString()},
                    {"time", FormatTime(clock_.WallNow())}});
  }
  while (list.size() > kMaxChanges) list.erase(list.begin());
  json metadata = {{"name", kName}, {"namespace", namespace_name_}, {"labels", {{kLabel, "true"}}}};
  json data = {{kKey, DumpJson(list)}};
  if (!object) {
    const auto created = api_.Create(
        kube::ConfigMaps(), kube::Object(json{{"metadata", metadata}, {"data", data}}), call);
    return created ? Status() : std::unexpected(created.error());
  }
  metadata["resourceVersion"] = object->ResourceVersion();
  const auto patched =
      api_.Patch(kube::ConfigMaps(), key, kube::PatchType::kMerge,
                 kube::Object(json{{"metadata", metadata}, {"data", data}}), "", call);
  return patched ? Status() : std::unexpected(patched.error());
}

bool ChangeRelay::Remember(const std::string& id) {
  if (!known_.insert(id).second) return false;
  order_.push_back(id);
  if (order_.size() > kRemembered) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

}  // namespace escagent::freshness
