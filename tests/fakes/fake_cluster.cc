#include "tests/fakes/fake_cluster.h"

#include <algorithm>
#include <deque>

namespace escagent::testing {

using kube::Object;
using kube::ObjectKey;
using kube::Resource;
using nlohmann::json;

// One informer and what it has not been told yet.
struct FakeCluster::Watch {
  struct News {
    std::optional<json> object;  // empty: the object is gone
    ObjectKey key;
    bool initial = false;
    bool synced = false;
  };

  Client* client = nullptr;
  kube::Selection selection;
  std::shared_ptr<kube::InformerHandler> handler;
  std::deque<News> news;
  std::optional<std::thread::id> telling;
  bool ended = false;
};

class FakeCluster::Handle final : public kube::InformerHandle::Impl {
 public:
  Handle(FakeCluster& cluster, std::shared_ptr<Watch> watch)
      : cluster_(cluster), watch_(std::move(watch)) {}
  ~Handle() override {
    MutexLock lock(cluster_.mutex_);
    watch_->ended = true;
    std::erase(cluster_.watches_, watch_);
    while (watch_->telling && *watch_->telling != std::this_thread::get_id()) {
      cluster_.told_.Wait(cluster_.mutex_);
    }
  }

 private:
  FakeCluster& cluster_;
  const std::shared_ptr<Watch> watch_;
};

bool FakeCluster::Selects(const Watch& watch, const Id& id, const json* object) {
  const kube::Selection& selection = watch.selection;
  if (id.first != ResourceKey(selection.resource.group, selection.resource.plural)) return false;
  const std::string& name_space = selection.namespace_name;
  if (!name_space.empty() && id.second.namespace_name != name_space) return false;
  if (!selection.field_selector.empty() &&
      selection.field_selector != "metadata.name=" + id.second.name &&
      (object == nullptr ||
       selection.field_selector !=
           "spec.nodeName=" + object->value("/spec/nodeName"_json_pointer, std::string()))) {
    return false;
  }
  // Of what is gone the labels are not known any more.
  if (object == nullptr || selection.label_selector.empty()) return true;
  const json labels = object->value("/metadata/labels"_json_pointer, json::object());
  return labels.contains(selection.label_selector);
}

Result<json> FakeCluster::Store(const Resource& resource, const ObjectKey& key, json object,
                                bool status) {
  const Id id{{resource.group, resource.plural}, key};
  const auto before = objects_.find(id);
  json& metadata = object["metadata"];
  object["apiVersion"] = resource.ApiVersion();
  object["kind"] = resource.kind;
  metadata["name"] = key.name;
  if (resource.namespaced) metadata["namespace"] = key.namespace_name;
  if (before == objects_.end()) {
    metadata["uid"] = "uid-" + std::to_string(version_ + 1);
    metadata["generation"] = 1;
  } else {
    const json& old = before->second;
    const std::string version = metadata.value("resourceVersion", "");
    if (!version.empty() && version != old["metadata"]["resourceVersion"].get<std::string>()) {
      return MakeError(Code::kAborted, key.ToString() + ": the object has been modified");
    }
    metadata["uid"] = old["metadata"]["uid"];
    metadata["generation"] = old["metadata"]["generation"];
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"];
    if (object == old) return old;
    const bool changed = !status && object.value("spec", json()) != old.value("spec", json());
    if (changed) metadata["generation"] = old["metadata"]["generation"].get<int>() + 1;
  }
  metadata["resourceVersion"] = std::to_string(++version_);
  objects_.insert_or_assign(id, object);
  Tell(id, &object);
  return object;
}

void FakeCluster::Tell(const Id& id, const json* object) {
  for (const std::shared_ptr<Watch>& watch : watches_) {
    if (!Selects(*watch, id, object)) continue;
    Watch::News news{.object = std::nullopt, .key = id.second};
    if (object != nullptr) news.object = *object;
    watch->news.push_back(std::move(news));
  }
}

void FakeCluster::Pump() {
  std::vector<std::shared_ptr<Watch>> watches;
  {
    MutexLock lock(mutex_);
    watches = watches_;
  }
  for (const std::shared_ptr<Watch>& watch : watches) Pump(watch);
}

void FakeCluster::Pump(const std::shared_ptr<Watch>& watch) {
  while (true) {
    Watch::News news;
    {
      MutexLock lock(mutex_);
      if (watch->ended || watch->telling || watch->client->cut_ || watch->news.empty()) return;
      watch->telling = std::this_thread::get_id();
      news = std::move(watch->news.front());
      watch->news.pop_front();
    }
    if (news.synced) {
      watch->handler->OnSynced();
    } else if (news.object) {
      watch->handler->OnUpsert(Object(*std::move(news.object)), news.initial);
    } else {
      watch->handler->OnDelete(news.key);
    }
    MutexLock lock(mutex_);
    watch->telling.reset();
    told_.NotifyAll();
  }
}

void FakeCluster::Put(const Resource& resource, json object) {
  const ObjectKey key{resource.namespaced ? object["metadata"].value("namespace", "") : "",
                      object["metadata"].value("name", "")};
  {
    MutexLock lock(mutex_);
    const auto before = objects_.find({{resource.group, resource.plural}, key});
    if (before != objects_.end() && before->second.contains("status")) {
      object["status"] = before->second["status"];
    }
    // Without a version it cannot be in conflict.
    static_cast<void>(Store(resource, key, std::move(object), false));
  }
  Pump();
}

void FakeCluster::Remove(const Resource& resource, const ObjectKey& key) {
  {
    MutexLock lock(mutex_);
    const Id id{{resource.group, resource.plural}, key};
    if (objects_.erase(id) == 0) return;
    ++version_;
    Tell(id, nullptr);
  }
  Pump();
}

json FakeCluster::Get(const Resource& resource, const ObjectKey& key) const {
  MutexLock lock(mutex_);
  const auto it = objects_.find({{resource.group, resource.plural}, key});
  return it == objects_.end() ? json() : it->second;
}

std::vector<std::string> FakeCluster::Writes() const {
  MutexLock lock(mutex_);
  return writes_;
}

void FakeCluster::Client::Cut(bool cut) {
  std::vector<std::shared_ptr<Watch>> watches;
  {
    MutexLock lock(cluster_.mutex_);
    if (cut_ == cut) return;
    cut_ = cut;
    for (const auto& watch : cluster_.watches_) {
      if (watch->client == this) watches.push_back(watch);
    }
  }
  for (const auto& watch : watches) {
    watch->handler->OnHealth(cut ? Status(Unavailable("watch: no connection")) : Status());
  }
  cluster_.Pump();
}

void FakeCluster::Client::SetFault(
    std::function<Status(std::string_view, const ObjectKey&)> fault) {
  MutexLock lock(cluster_.mutex_);
  fault_ = std::move(fault);
}

int FakeCluster::Client::Calls(const std::string& verb) const {
  MutexLock lock(cluster_.mutex_);
  const auto it = calls_.find(verb);
  return it == calls_.end() ? 0 : it->second;
}

Status FakeCluster::Client::Begin(const std::string& verb, const ObjectKey& key) {
  std::function<Status(std::string_view, const ObjectKey&)> fault;
  {
    MutexLock lock(cluster_.mutex_);
    ++calls_[verb];
    if (cut_) return Unavailable(verb + " " + key.ToString() + ": no connection");
    fault = fault_;
  }
  return fault ? fault(verb, key) : Status();
}

void FakeCluster::Client::NoteWrite(const std::string& verb, const Resource& resource,
                                    const ObjectKey& key, std::string_view subresource) {
  std::string line = verb + " " + resource.plural + " " + key.ToString();
  if (!subresource.empty()) line += " " + std::string(subresource);
  cluster_.writes_.push_back(std::move(line));
}

Result<Object> FakeCluster::Client::Get(const Resource& resource, const ObjectKey& key,
                                        const kube::CallOptions&) {
  ESC_RETURN_IF_ERROR(Begin("get", key));
  json object = cluster_.Get(resource, key);
  if (object.is_null()) return NotFound("get " + key.ToString() + ": not found");
  return Object(std::move(object));
}

Result<Object> FakeCluster::Client::GetMetadata(const Resource& resource, const ObjectKey& key,
                                                const kube::CallOptions& options) {
  ESC_ASSIGN_OR_RETURN(const Object object, Get(resource, key, options));
  return Object(json{{"metadata", object.json()["metadata"]}});
}

Result<kube::ListPage> FakeCluster::Client::List(const Resource& resource,
                                                 const kube::ListOptions& list,
                                                 const kube::CallOptions&) {
  ESC_RETURN_IF_ERROR(Begin("list", {list.namespace_name, ""}));
  Watch all;
  all.selection.resource = resource;
  all.selection.namespace_name = list.namespace_name;
  all.selection.label_selector = list.label_selector;
  all.selection.field_selector = list.field_selector;
  kube::ListPage page;
  MutexLock lock(cluster_.mutex_);
  for (const auto& [id, object] : cluster_.objects_) {
    if (Selects(all, id, &object)) page.items.emplace_back(object);
  }
  page.resource_version = std::to_string(cluster_.version_);
  return page;
}

Result<Object> FakeCluster::Client::Create(const Resource& resource, const Object& object,
                                           const kube::CallOptions&) {
  const ObjectKey key = object.Key();
  ESC_RETURN_IF_ERROR(Begin("create", key));
  Result<json> stored;
  {
    MutexLock lock(cluster_.mutex_);
    if (cluster_.objects_.contains({{resource.group, resource.plural}, key})) {
      return MakeError(Code::kAlreadyExists, "create " + key.ToString() + ": it exists");
    }
    NoteWrite("create", resource, key, "");
    stored = cluster_.Store(resource, key, object.json(), false);
  }
  cluster_.Pump();
  if (!stored) return std::unexpected(stored.error());
  return Object(*std::move(stored));
}

Result<Object> FakeCluster::Client::Replace(const Resource& resource, const Object& object,
                                            const kube::CallOptions&) {
  const ObjectKey key = object.Key();
  ESC_RETURN_IF_ERROR(Begin("replace", key));
  Result<json> stored;
  {
    MutexLock lock(cluster_.mutex_);
    if (!cluster_.objects_.contains({{resource.group, resource.plural}, key})) {
      return NotFound("replace " + key.ToString() + ": not found");
    }
    NoteWrite("replace", resource, key, "");
    stored = cluster_.Store(resource, key, object.json(), false);
  }
  cluster_.Pump();
  if (!stored) return std::unexpected(stored.error());
  return Object(*std::move(stored));
}

Result<Object> FakeCluster::Client::Patch(const Resource& resource, const ObjectKey& key,
                                          kube::PatchType, const Object& patch,
                                          std::string_view subresource, const kube::CallOptions&) {
  ESC_RETURN_IF_ERROR(Begin("patch", key));
  Result<json> stored;
  {
    MutexLock lock(cluster_.mutex_);
    const auto before = cluster_.objects_.find({{resource.group, resource.plural}, key});
    if (before == cluster_.objects_.end()) return NotFound("patch " + key.ToString());
    NoteWrite("patch", resource, key, subresource);
    json object = before->second;
    object.merge_patch(patch.json());
    stored = cluster_.Store(resource, key, std::move(object), !subresource.empty());
  }
  cluster_.Pump();
  if (!stored) return std::unexpected(stored.error());
  return Object(*std::move(stored));
}

Status FakeCluster::Client::Delete(const Resource& resource, const ObjectKey& key,
                                   const kube::Preconditions&, const kube::CallOptions&) {
  ESC_RETURN_IF_ERROR(Begin("delete", key));
  cluster_.Remove(resource, key);
  return {};
}

Result<Object> FakeCluster::Client::CreateSubresource(const Resource& resource,
                                                      const ObjectKey& key,
                                                      std::string_view subresource,
                                                      const Object& object,
                                                      const kube::CallOptions&) {
  if (resource != kube::ServiceAccounts() || subresource != "token") {
    return MakeError(Code::kUnimplemented, "create subresource");
  }
  nlohmann::json answer = object.json();
  const auto& audiences = answer["spec"]["audiences"];
  answer["status"]["token"] = "token-of-" + key.ToString() + "-for-" +
                              audiences.at(0).get<std::string>() + "-" +
                              std::to_string(audiences.size());
  return Object(std::move(answer));
}

kube::InformerHandle FakeCluster::Client::Start(kube::Selection selection,
                                                std::shared_ptr<kube::InformerHandler> handler) {
  auto watch = std::make_shared<Watch>();
  watch->client = this;
  watch->selection = std::move(selection);
  watch->handler = std::move(handler);
  {
    MutexLock lock(cluster_.mutex_);
    for (const auto& [id, object] : cluster_.objects_) {
      if (Selects(*watch, id, &object)) {
        watch->news.push_back({.object = object, .key = id.second, .initial = true});
      }
    }
    watch->news.push_back({.object = std::nullopt, .key = {}, .synced = true});
    cluster_.watches_.push_back(watch);
  }
  cluster_.Pump(watch);
  return kube::InformerHandle(std::make_unique<Handle>(cluster_, watch));
}

}  // namespace escagent::testing
