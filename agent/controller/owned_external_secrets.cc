#include "agent/controller/owned_external_secrets.h"

#include <utility>

#include "agent/controller/resources.h"
#include "agent/mirror/cluster_external_secret.h"
#include "base/json_fields.h"
#include "base/log.h"
#include "base/strings.h"

namespace escagent::controller {
namespace {

// Of what a ClusterExternalSecret decides about: the generation stands for the spec. Status and
// managedFields are others' business.
std::string StateOf(const nlohmann::json& metadata) {
  nlohmann::json state = nlohmann::json::array();
  for (const char* member : {"uid", "generation", "labels", "annotations", "ownerReferences"}) {
    state.push_back(Member(metadata, member));
  }
  return Sha256Hex(state.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

class OwnedExternalSecrets::Handler final : public kube::InformerHandler {
 public:
  explicit Handler(OwnedExternalSecrets& owned) : owned_(owned) {}
  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override { owned_.OnUpsert(object); }
  void OnDelete(const kube::ObjectKey& key) override { owned_.OnDelete(key); }
  void OnSynced() override { owned_.OnSynced(); }
  void OnHealth(const Status& status) override {
    if (status) return;
    LogWarning("changes of ExternalSecrets that ClusterExternalSecrets made are not seen at once",
               {{log_key::kError, status.error()}});
  }

 private:
  OwnedExternalSecrets& owned_;
};

OwnedExternalSecrets::OwnedExternalSecrets(kube::Informers& informers, Listener listener)
    : informers_(informers), listener_(std::move(listener)) {}

OwnedExternalSecrets::~OwnedExternalSecrets() { Stop(); }

void OwnedExternalSecrets::Start() {
  {
    MutexLock lock(mutex_);
    if (std::exchange(started_, true)) return;
  }
  kube::InformerHandle informer = informers_.Start({.resource = ExternalSecrets(),
                                                    .namespace_name = {},
                                                    .label_selector = {},
                                                    .field_selector = {},
                                                    .metadata_only = true},
                                                   std::make_shared<Handler>(*this));
  MutexLock lock(mutex_);
  informer_ = std::move(informer);
}

void OwnedExternalSecrets::Stop() {
  kube::InformerHandle gone;  // ends without the lock, as it waits for the handler
  MutexLock lock(mutex_);
  gone = std::exchange(informer_, kube::InformerHandle());
}

bool OwnedExternalSecrets::Synced() const {
  MutexLock lock(mutex_);
  return synced_;
}

std::map<kube::ObjectKey, OwnedExternalSecrets::Known> OwnedExternalSecrets::Of(
    const std::string& owner) const {
  std::map<kube::ObjectKey, Known> owned;
  MutexLock lock(mutex_);
  for (const auto& [key, seen] : seen_) {
    if (seen.owner == owner) owned.emplace(key, seen.known);
  }
  return owned;
}

bool OwnedExternalSecrets::IsAsWanted(const kube::ObjectKey& key, const std::string& wish) const {
  MutexLock lock(mutex_);
  const auto seen = seen_.find(key);
  const auto wanted = as_wanted_.find(key);
  return seen != seen_.end() && wanted != as_wanted_.end() && wanted->second.wish == wish &&
         wanted->second.state == seen->second.state;
}

void OwnedExternalSecrets::NoteAsWanted(const nlohmann::json& metadata, const std::string& wish) {
  kube::ObjectKey key{StringMember(metadata, "namespace"), StringMember(metadata, "name")};
  AsWanted wanted{.wish = wish, .state = StateOf(metadata)};
  MutexLock lock(mutex_);
  as_wanted_.insert_or_assign(std::move(key), std::move(wanted));
}

void OwnedExternalSecrets::Await(const kube::ObjectKey& key, const std::string& owner) {
  MutexLock lock(mutex_);
  awaited_[key].insert(owner);
}

void OwnedExternalSecrets::OnUpsert(const kube::Object& object) {
  const nlohmann::json& metadata = Member(object.json(), "metadata");
  const kube::ObjectKey key = object.Key();
  mirror::ClusterOwner owner = mirror::ClusterOwnerOf(metadata);
  Seen now{.owner = std::move(owner.name),
           .known = {.uid = object.Uid(), .owner_uid = std::move(owner.uid)},
           .state = {}};
  if (!now.owner.empty()) now.state = StateOf(metadata);
  std::set<std::string> owners;
  {
    MutexLock lock(mutex_);
    const auto before = seen_.find(key);
    if (before != seen_.end() && before->second.owner != now.owner) {
      owners.insert(before->second.owner);
    }
    if (now.owner.empty()) {
      if (before != seen_.end()) seen_.erase(before);
    } else {
      const auto wanted = as_wanted_.find(key);
      if (wanted == as_wanted_.end() || wanted->second.state != now.state) owners.insert(now.owner);
      seen_.insert_or_assign(key, std::move(now));
    }
  }
  Tell(owners);
}

void OwnedExternalSecrets::OnDelete(const kube::ObjectKey& key) {
  std::set<std::string> owners;
  {
    MutexLock lock(mutex_);
    if (const auto awaiting = awaited_.extract(key)) owners = std::move(awaiting.mapped());
    if (const auto seen = seen_.extract(key)) owners.insert(seen.mapped().owner);
    as_wanted_.erase(key);
  }
  Tell(owners);
}

void OwnedExternalSecrets::OnSynced() {
  {
    MutexLock lock(mutex_);
    synced_ = true;
  }
  listener_.on_synced();
}

void OwnedExternalSecrets::Tell(const std::set<std::string>& owners) const {
  for (const std::string& owner : owners) listener_.on_change(owner);
}

}  // namespace escagent::controller
