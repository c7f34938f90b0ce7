#include "agent/controller/external_secret_sync.h"

#include <algorithm>
#include <utility>

#include "agent/controller/kube_data.h"
#include "agent/mirror/data_hash.h"
#include "agent/mirror/existing_secret.h"
#include "agent/mirror/field_manager.h"
#include "agent/mirror/refresh.h"
#include "agent/mirror/secret_data.h"

namespace escagent::controller {
namespace {

using mirror::ExternalSecret;
using mirror::FailedStep;
using mirror::SecretAction;
using SyncKind = SyncResult::Kind;

constexpr int kSyncConflicts = 4;
constexpr std::chrono::milliseconds kShortestInterval{1000};
// While the stores are read for the first time.
constexpr std::chrono::milliseconds kStoresPause{500};
// Of objects that need an environment only until they are synced.
constexpr std::chrono::hours kOnceInterval{1};

SyncResult Done(mirror::SyncOutcome outcome) {
  SyncResult result;
  result.outcome = std::move(outcome);
  return result;
}

SyncResult Fail(FailedStep step, const Error& error) { return Done(mirror::Failed(step, error)); }

std::chrono::milliseconds IntervalOf(const mirror::ExternalSecretSpec& spec) {
  if (!spec.RefreshesPeriodically()) return kOnceInterval;
  return std::max(spec.refresh_interval, kShortestInterval);
}

bool Creates(mirror::CreationPolicy policy) {
  return policy != mirror::CreationPolicy::kMerge && policy != mirror::CreationPolicy::kNone;
}

}  // namespace

ExternalSecretSync::ExternalSecretSync(Options options, kube::Api& api,
                                       store::KubeStoreRegistry& stores,
                                       store::ApiFactory api_factory, EnvironmentHub& hub,
                                       SecretWatch& watch, Clock& clock)
    : options_(std::move(options)),
      api_(api),
      stores_(stores),
      api_factory_(std::move(api_factory)),
      hub_(hub),
      watch_(watch),
      clock_(clock) {}

SyncResult ExternalSecretSync::Run(const ExternalSecret& object, kube::Priority priority,
                                   const std::stop_token& stop) {
  const Call call{.object = object,
                  .options = {.priority = priority,
                              .field_manager = mirror::FieldManager(object.name),
                              .stop = stop},
                  .target = {object.namespace_name, object.target_name()}};
  SyncResult early;
  std::optional<Snapshots> snapshots = AskSources(object, early);
  if (!snapshots) return early;
  if (std::optional<SyncResult> not_now = NotNow(call)) return *std::move(not_now);

  const Result<mirror::Compat> compat = mirror::CompatOf(object.annotations, options_.compat);
  if (!compat) return Fail(FailedStep::kSpec, compat.error());
  const auto source_for = [&](const store::StoreId& id) -> Result<const esc::Value*> {
    const auto& snapshot = snapshots->at(id);
    if (!snapshot) return std::unexpected(snapshot.error());
    return &(*snapshot)->properties;
  };
  std::vector<std::string> missing;
  Result<mirror::SecretData> data = mirror::CollectData(object.spec, source_for, *compat, &missing);
  SyncResult result =
      data ? Write(call, *std::move(data)) : Fail(FailedStep::kSource, data.error());
  result.missing = std::move(missing);
  if (!object.spec.RefreshesPeriodically()) {
    if (result.outcome.ready) hub_.KeepOnly({object.namespace_name, object.name}, {});
  } else if (!mirror::TemplateSourcesOf(object.spec).empty()) {
    result.again_at = clock_.Now() + IntervalOf(object.spec);
  }
  return result;
}

bool ExternalSecretSync::IsForUs(const ExternalSecret& object, const store::StoreId& id,
                                 SyncResult& early) const {
  switch (stores_.WhoseIs(id)) {
    case store::Ownership::kOurs:
    case store::Ownership::kAbsent:
      return true;
    case store::Ownership::kForeign:
      early.kind = SyncKind::kForeign;
      return false;
    case store::Ownership::kUnknown:
      early.kind = SyncKind::kPending;
      early.again_at = clock_.Now() + kStoresPause;
      return false;
    case store::Ownership::kOutOfScope:
      break;
  }
  const std::chrono::milliseconds interval = object.spec.RefreshesPeriodically()
                                                 ? object.spec.refresh_interval
                                                 : std::chrono::milliseconds::zero();
  const auto now = clock_.WallNow();
  const auto until =
      mirror::LookedAfterUntil(object.status.conditions, object.status.refresh_time, interval, now);
  if (!until) return true;
  early.kind = SyncKind::kPending;
  early.again_at = clock_.Now() + std::chrono::ceil<std::chrono::seconds>(*until - now);
  return false;
}

std::optional<ExternalSecretSync::Snapshots> ExternalSecretSync::AskSources(
    const ExternalSecret& object, SyncResult& early) {
  const EnvironmentHub::User user{object.namespace_name, object.name};
  const std::set<store::StoreId> ids = object.spec.StoresUsed();
  for (const store::StoreId& id : ids) {
    if (IsForUs(object, id, early)) continue;
    if (early.kind == SyncKind::kForeign) hub_.KeepOnly(user, {});
    return std::nullopt;
  }
  if (!object.spec_problems.empty()) {
    early = Done(mirror::InvalidSpec(object.spec_problems));
    hub_.KeepOnly(user, {});
    return std::nullopt;
  }
  Snapshots snapshots;
  std::vector<cache::EnvironmentKey> keys;
  bool pending = false;
  for (const store::StoreId& id : ids) {
    const Result<store::ResolvedStore> store =
        id.kind == store::StoreKind::kSecretStore
            ? stores_.SecretStore(id.namespace_name, id.name)
            : stores_.ClusterSecretStore(object.namespace_name, id.name);
    if (!store) {
      snapshots.emplace(id, std::unexpected(store.error()));
      continue;
    }
    keys.push_back({.backend = store->api_url, .ref = store->ref, .identity = store->identity});
    const EnvironmentHub::View view =
        hub_.Use(keys.back(), api_factory_(*store), user, IntervalOf(object.spec));
    pending |= view.pending;
    if (view.error) {
      snapshots.emplace(id, std::unexpected(*view.error));
    } else {
      snapshots.emplace(id, view.snapshot);
    }
  }
  hub_.KeepOnly(user, keys);
  if (!pending) return snapshots;
  early.kind = SyncKind::kPending;
  return std::nullopt;
}

// By refresh policy and windows.
std::optional<SyncResult> ExternalSecretSync::NotNow(const Call& call) {
  const mirror::ExternalSecretSpec& spec = call.object.spec;
  const auto wall = clock_.WallNow();
  const bool window_open = spec.sync_windows == nullptr || Open(*spec.sync_windows, wall);
  if (spec.RefreshesPeriodically() && window_open) return std::nullopt;
  Result<std::optional<mirror::ExistingSecret>> existing = ReadTarget(call);
  if (!existing) return Fail(FailedStep::kUpdate, existing.error());
  if (mirror::MustSync(call.object, *existing && (*existing)->IsIntact())) return std::nullopt;
  SyncResult result;
  result.kind = SyncKind::kUnchanged;
  result.target_version = (*existing)->resource_version;
  if (!window_open) {
    if (const auto change = NextChange(*spec.sync_windows, wall)) {
      result.again_at = clock_.Now() + std::chrono::ceil<std::chrono::seconds>(*change - wall);
    }
  } else {
    hub_.KeepOnly({call.object.namespace_name, call.object.name}, {});
  }
  return result;
}

SyncResult ExternalSecretSync::Write(const Call& call, mirror::SecretData data) {
  switch (mirror::OnEmptyData(call.object.spec, data)) {
    case mirror::EmptyData::kWrite:
      break;
    case mirror::EmptyData::kRetain:
      return Done(mirror::Retained());
    case mirror::EmptyData::kDelete:
      return Delete(call);
  }
  Result<mirror::TemplateSources> sources = ReadTemplateSources(call);
  if (!sources) return Fail(FailedStep::kUpdate, sources.error());
  Result<mirror::TargetSecret> wanted = mirror::BuildTarget(call.object, std::move(data), *sources);
  if (!wanted) return Fail(FailedStep::kUpdate, wanted.error());
  SyncResult result = Apply(call, *wanted);
  if (!result.outcome.ready) return result;
  if (const Status deleted = DeleteOrphans(call); !deleted) {
    return Fail(FailedStep::kOrphans, deleted.error());
  }
  return result;
}

Result<mirror::TemplateSources> ExternalSecretSync::ReadTemplateSources(const Call& call) {
  mirror::TemplateSources sources;
  for (const mirror::TemplateSourceRef& ref : mirror::TemplateSourcesOf(call.object.spec)) {
    ESC_RETURN_IF_ERROR(
        ReadTemplateSource(api_, call.object.namespace_name, ref, call.options, sources));
  }
  return sources;
}

Result<std::optional<mirror::ExistingSecret>> ExternalSecretSync::ReadTarget(const Call& call) {
  const Result<kube::Object> object = api_.Get(kube::Secrets(), call.target, call.options);
  if (!object) {
    if (object.error().code == Code::kNotFound) return std::nullopt;
    return std::unexpected(object.error());
  }
  ESC_ASSIGN_OR_RETURN(mirror::ExistingSecret existing,
                       mirror::ParseExistingSecret(object->json(), call.options.field_manager));
  return existing;
}

SyncResult ExternalSecretSync::Delete(const Call& call) {
  for (int attempt = 0; attempt < kSyncConflicts; ++attempt) {
    Result<std::optional<mirror::ExistingSecret>> existing = ReadTarget(call);
    if (!existing) return Fail(FailedStep::kDelete, existing.error());
    SecretAction action = mirror::DecideDeletion(call.object, *existing ? &**existing : nullptr);
    if (action.kind == SecretAction::Kind::kRefuse) {
      return Fail(FailedStep::kDelete, action.error);
    }
    if (action.kind != SecretAction::Kind::kDelete) return Done(mirror::Deleted(false));
    if (auto result = Carry(call, std::move(action), "")) return *std::move(result);
  }
  return Fail(FailedStep::kDelete,
              Error{.code = Code::kAborted, .message = "somebody else keeps changing the Secret"});
}

SyncResult ExternalSecretSync::Apply(const Call& call, const mirror::TargetSecret& wanted) {
  // What was never synced is most likely not there: a POST finds out for less than a GET.
  bool ask =
      call.object.status.refresh_time.has_value() || !Creates(call.object.spec.creation_policy);
  for (int attempt = 0; attempt < kSyncConflicts; ++attempt) {
    std::optional<mirror::ExistingSecret> existing;
    if (ask) {
      Result<std::optional<mirror::ExistingSecret>> read = ReadTarget(call);
      if (!read) return Fail(FailedStep::kUpdate, read.error());
      existing = *std::move(read);
    }
    ask = true;
    SecretAction action = mirror::DecideWrite(call.object, wanted, existing ? &*existing : nullptr);
    const std::string version = existing ? existing->resource_version : "";
    if (auto result = Carry(call, std::move(action), version)) return *std::move(result);
  }
  return Fail(FailedStep::kUpdate,
              Error{.code = Code::kAborted, .message = "somebody else keeps changing the Secret"});
}

std::optional<SyncResult> ExternalSecretSync::Carry(const Call& call, SecretAction action,
                                                    const std::string& existing_version) {
  using Action = SecretAction::Kind;
  if (action.kind == Action::kRefuse) return Done(mirror::Refused(action.reason, action.error));
  if (action.kind == Action::kMissing) return Done(mirror::Missing());
  if (action.kind == Action::kNone) {
    SyncResult result = Done(mirror::Synced(call.object, false));
    result.target_version = existing_version;
    return result;
  }
  const bool deletes = action.kind == Action::kDelete;
  const FailedStep step = deletes ? FailedStep::kDelete : FailedStep::kUpdate;
  if (const Status may = MayWrite(call); !may) return Fail(step, may.error());
  if (deletes) {
    const Status deleted = api_.Delete(kube::Secrets(), call.target,
                                       {action.uid, action.resource_version}, call.options);
    if (!deleted && deleted.error().code == Code::kAborted) return std::nullopt;
    if (!deleted && deleted.error().code != Code::kNotFound) return Fail(step, deleted.error());
    SyncResult result = Done(mirror::Deleted(true));
    result.event = SyncResult::Event::kDeleted;
    return result;
  }
  const bool creates = action.kind == Action::kCreate;
  if (!creates && action.data_changed && options_.before_change) {
    options_.before_change(call.target, action.body);
  }
  const Result<kube::Object> written =
      creates ? api_.Create(kube::Secrets(), action.body, call.options)
              : api_.Replace(kube::Secrets(), action.body, call.options);
  if (!written) {
    const Code code = written.error().code;
    const bool raced = code == Code::kAborted || (creates && code == Code::kAlreadyExists) ||
                       (!creates && code == Code::kNotFound);
    if (raced) return std::nullopt;
    return Fail(step, written.error());
  }
  SyncResult result = Done(mirror::Synced(call.object, action.data_changed));
  result.target_version = written->ResourceVersion();
  result.event = creates ? SyncResult::Event::kCreated : SyncResult::Event::kUpdated;
  return result;
}

Status ExternalSecretSync::DeleteOrphans(const Call& call) {
  const std::string hash = mirror::CreatedByHash(call.object.namespace_name, call.object.name);
  for (const SecretWatch::Known& known : watch_.CreatedBy(call.object.namespace_name, hash)) {
    if (!mirror::IsOrphan(call.object, known.name, known.labels)) continue;
    ESC_RETURN_IF_ERROR(MayWrite(call));
    const Status deleted = api_.Delete(kube::Secrets(), {call.object.namespace_name, known.name},
                                       {.uid = known.uid, .resource_version = {}}, call.options);
    if (!deleted && deleted.error().code != Code::kNotFound) return deleted;
  }
  return {};
}

Status ExternalSecretSync::MayWrite(const Call& call) const {
  if (options_.may_write(call.object.namespace_name)) return {};
  return MakeError(Code::kAborted,
                   "another agent looks after namespace " + call.object.namespace_name + " now");
}

Status ExternalSecretSync::Collect(const ExternalSecret& object, kube::Priority priority,
                                   const std::stop_token& stop) {
  const Call call{.object = object,
                  .options = {.priority = priority, .field_manager = {}, .stop = stop},
                  .target = {object.namespace_name, object.target_name()}};
  const Result<kube::Object> secret = api_.GetMetadata(kube::Secrets(), call.target, call.options);
  if (!secret) {
    if (secret.error().code == Code::kNotFound) return {};
    return std::unexpected(secret.error());
  }
  const nlohmann::json::json_pointer owners("/metadata/ownerReferences");
  if (!secret->json().contains(owners)) return {};
  const nlohmann::json& references = secret->json()[owners];
  if (references.size() != 1 || references[0].value("uid", "") != object.uid) return {};
  ESC_RETURN_IF_ERROR(MayWrite(call));
  const Status deleted = api_.Delete(kube::Secrets(), call.target,
                                     {secret->Uid(), secret->ResourceVersion()}, call.options);
  if (!deleted && deleted.error().code == Code::kNotFound) return {};
  return deleted;
}

}  // namespace escagent::controller
