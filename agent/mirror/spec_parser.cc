#include "agent/mirror/spec_parser.h"

#include <re2/re2.h>

#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "agent/mirror/remote_path.h"
#include "agent/mirror/rewrite_reader.h"
#include "agent/mirror/secret_keys.h"
#include "agent/mirror/spec_choices.h"
#include "agent/mirror/spec_reader.h"
#include "agent/mirror/template_reader.h"

namespace escagent::mirror {
namespace {

using store::StoreId;
using store::StoreKind;

class Parser {
 public:
  Parser(const std::string& namespace_name, ExternalSecretSpec& spec)
      : namespace_(namespace_name), spec_(spec) {}

  void Read(const SpecReader& fields) {
    spec_.store = ReadStore(fields.Map("secretStoreRef"));
    spec_.refresh_policy =
        fields.Choice("refreshPolicy", RefreshPolicy::kPeriodic, kRefreshPolicies);
    if (auto interval = fields.Duration("refreshInterval")) spec_.refresh_interval = *interval;
    if (fields.Has("syncWindows")) {
      spec_.sync_windows = ReadSyncWindows(fields.Map("syncWindows"));
    }
    ReadTarget(fields.Map("target"));
    for (const SpecReader& entry : fields.MapList("data")) ReadData(entry);
    for (const SpecReader& entry : fields.MapList("dataFrom")) ReadDataFrom(entry);
    // Entries that could not be read are a problem already.
    if (!fields.Has("data") && !fields.Has("dataFrom")) {
      fields.Problem("either data or dataFrom should be specified");
    }
    CheckPolicies(fields);
  }

 private:
  StoreId ReadStore(const SpecReader& fields) const {
    StoreId id;
    id.kind = fields.Choice("kind", StoreKind::kSecretStore, kStoreKinds);
    id.name = fields.Text("name");
    if (id.kind == StoreKind::kSecretStore) id.namespace_name = namespace_;
    return id;
  }

  // sourceRef of an entry; null when it uses the spec's store, which must then have a name.
  std::unique_ptr<StoreId> ReadSource(const SpecReader& entry) {
    const SpecReader source = entry.Map("sourceRef");
    if (source.Has("generatorRef")) {
      source.Problem("generatorRef", "generators are not supported; use a store");
      return nullptr;
    }
    // v1 calls it storeRef; old manifests have secretStoreRef in dataFrom.
    const char* key = source.Has("storeRef") ? "storeRef" : "secretStoreRef";
    auto store = std::make_unique<StoreId>(ReadStore(source.Map(key)));
    if (!store->name.empty()) return store;
    if (spec_.store.name.empty()) {
      entry.Problem("needs a store: set sourceRef.storeRef.name here or spec.secretStoreRef.name");
    }
    return nullptr;
  }

  static std::unique_ptr<const SyncWindows> ReadSyncWindows(const SpecReader& fields) {
    auto windows = std::make_unique<SyncWindows>();
    constexpr Choices<bool, 2> kKinds = {{{"allow", false}, {"deny", true}}};
    windows->deny = fields.Choice("kind", false, kKinds);
    for (const SpecReader& element : fields.MapList("windows")) {
      SyncWindows::Window window;
      Result<CronSchedule> schedule = CronSchedule::Parse(element.Text("schedule"));
      if (schedule) {
        window.start = *schedule;
      } else {
        element.Problem("schedule", schedule.error().message);
      }
      const auto duration = element.Duration("duration");
      if (!duration || duration->count() <= 0) element.Problem("duration", "must be positive");
      window.duration = duration.value_or(std::chrono::milliseconds(0));
      windows->windows.push_back(window);
    }
    return windows;
  }

  void ReadTarget(const SpecReader& fields) {
    if (std::string name = fields.Text("name"); !name.empty()) {
      spec_.target_name = std::move(name);
    }
    spec_.creation_policy =
        fields.Choice("creationPolicy", CreationPolicy::kOwner, kCreationPolicies);
    spec_.deletion_policy =
        fields.Choice("deletionPolicy", DeletionPolicy::kRetain, kDeletionPolicies);
    spec_.immutable = fields.Flag("immutable");
    if (fields.Has("manifest")) {
      fields.Problem("manifest", "is not supported: only Secrets are written");
    }
    if (fields.Has("template")) {
      spec_.secret_template =
          std::make_unique<const SecretTemplate>(ReadSecretTemplate(fields.Map("template")));
    }
  }

  template <class Query>
  static void ReadStrategies(const SpecReader& fields, Query& query) {
    query.conversion =
        fields.Choice("conversionStrategy", ConversionStrategy::kDefault, kConversionStrategies);
    query.decoding =
        fields.Choice("decodingStrategy", DecodingStrategy::kNone, kDecodingStrategies);
    query.null_bytes = fields.Choice("nullBytePolicy", NullBytePolicy::kIgnore, kNullBytePolicies);
  }

  static void CheckPath(const SpecReader& fields, std::string_view key, const std::string& path) {
    if (const Status valid = CheckRemotePath(path); !valid) {
      fields.Problem(key, valid.error().message);
    }
  }

  static RemoteRef ReadRemoteRef(const SpecReader& fields) {
    RemoteRef remote;
    remote.key = fields.Text("key");
    CheckPath(fields, "key", remote.key);
    ReadStrategies(fields, remote);
    return remote;
  }

  static FindQuery ReadFind(const SpecReader& fields) {
    FindQuery find;
    find.path = fields.Text("path");
    CheckPath(fields, "path", find.path);
    find.name_regexp = fields.Map("name").Text("regexp");
    const re2::RE2 regexp(find.name_regexp, re2::RE2::Quiet);
    if (!regexp.ok()) {
      fields.Problem("name.regexp", "is not a regular expression: " + regexp.error());
    }
    find.has_tags = !fields.TextMap("tags").empty();
    ReadStrategies(fields, find);
    return find;
  }

  void ReadData(const SpecReader& fields) {
    DataEntry entry;
    entry.secret_key = fields.Text("secretKey");
    if (const Status valid = ValidateKey(entry.secret_key); !valid) {
      fields.Problem("secretKey", valid.error().message);
    }
    const bool is_new = secret_keys_.insert(entry.secret_key).second;
    if (!is_new && spec_.deletion_policy == DeletionPolicy::kRetain) {
      fields.Problem("duplicate secretKey found: " + entry.secret_key);
    }
    if (!fields.Has("remoteRef")) fields.Problem("remoteRef", "is required");
    entry.remote = ReadRemoteRef(fields.Map("remoteRef"));
    entry.source = ReadSource(fields);
    spec_.data.push_back(std::move(entry));
  }

  void ReadDataFrom(const SpecReader& fields) {
    DataFromEntry entry;
    entry.source = ReadSource(fields);
    entry.rewrite = ReadRewriteRules(fields);
    const bool extract = fields.Has("extract");
    if (extract && fields.Has("find")) {
      fields.Problem("extract and find must not be set together; use two entries");
    } else if (extract) {
      entry.query = ReadRemoteRef(fields.Map("extract"));
    } else if (fields.Has("find")) {
      entry.query = ReadFind(fields.Map("find"));
    } else if (!fields.Map("sourceRef").Has("generatorRef")) {
      fields.Problem("either extract or find should be specified");
    }
    spec_.data_from.push_back(std::move(entry));
  }

  void CheckPolicies(const SpecReader& fields) const {
    const CreationPolicy creation = spec_.creation_policy;
    const bool shares = creation == CreationPolicy::kMerge || creation == CreationPolicy::kNone ||
                        creation == CreationPolicy::kCreateOrMerge;
    if (spec_.deletion_policy == DeletionPolicy::kDelete && shares) {
      fields.Problem("target",
                     "deletionPolicy=Delete must not be used when the controller doesn't own the "
                     "secret. Please set creationPolicy=Owner");
    }
    if (spec_.deletion_policy == DeletionPolicy::kMerge && creation == CreationPolicy::kNone) {
      fields.Problem("target",
                     "deletionPolicy=Merge must not be used with creationPolicy=None. There is no "
                     "Secret to merge with");
    }
  }

  const std::string& namespace_;
  ExternalSecretSpec& spec_;
  std::set<std::string> secret_keys_;
};

}  // namespace

ExternalSecretSpec ParseExternalSecretSpec(const nlohmann::json& spec,
                                           const std::string& namespace_name,
                                           const std::string& name,
                                           std::vector<std::string>& problems) {
  ExternalSecretSpec read;
  read.target_name = name;
  Parser(namespace_name, read).Read(SpecReader(spec, "spec", problems));
  return read;
}

}  // namespace escagent::mirror
