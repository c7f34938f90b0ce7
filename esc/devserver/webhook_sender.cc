#include "esc/devserver/webhook_sender.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/thread.h"
#include "esc/devserver/imports.h"
#include "esc/devserver/random.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr const char* kImportChanged = "imported_environment_changed";
constexpr const char* kEnvironmentsGroup = "environments";
constexpr const char* kGlobalName = "(server)";
constexpr std::chrono::milliseconds kTimeout{5000};
constexpr std::size_t kMaxAnswer = 1000;

bool Wants(const Webhook& webhook, const std::string& kind) {
  if (!webhook.active) return false;
  if (webhook.filters.empty() && webhook.groups.empty()) return true;
  return std::ranges::find(webhook.filters, kind) != webhook.filters.end() ||
         std::ranges::find(webhook.groups, kEnvironmentsGroup) != webhook.groups.end();
}

// Whether whoever imports the environment may get other values now.
bool ChangesImporters(const std::string& kind) {
  return kind.starts_with("environment_revision_") || kind == "environment_deleted" ||
         kind == "environment_created";
}

json PayloadOf(const StoreEvent& event, Clock::WallTime now) {
  const auto& [organization, project, environment, version] = event.ref;
  json payload = {{"kind", event.kind},
                  {"timestamp", std::chrono::system_clock::to_time_t(now)},
                  {"action", event.kind.substr(event.kind.rfind('_') + 1)},
                  {"user", {{"githubLogin", event.login}, {"name", event.login}}},
                  {"organization", {{"githubLogin", organization}, {"name", organization}}}};
  if (!environment.empty()) {
    payload["projectName"] = project;
    payload["environmentName"] = environment;
  }
  if (event.revision > 0) payload["revision"] = event.revision;
  if (!event.name.empty()) payload["tag"] = {{"name", event.name}};
  return payload;
}

// The environments that import one of `changed`, directly or by others.
std::set<esc::EnvironmentRef> ImportersOf(DefinitionStore& store, const esc::EnvironmentRef& ref) {
  std::map<esc::EnvironmentRef, std::vector<Import>> imports;
  for (const DefinitionStore::Entry& entry : store.List(ref.organization)) {
    const auto state = store.Describe(entry.ref);
    if (state) imports[entry.ref] = ImportsOf((*state)->revisions.back().text->Reveal());
  }
  std::set<esc::EnvironmentRef> importers;
  std::vector<esc::EnvironmentRef> changed = {ref};
  while (!changed.empty()) {
    const esc::EnvironmentRef current = std::move(changed.back());
    changed.pop_back();
    for (const auto& [importer, list] : imports) {
      const bool uses = std::ranges::any_of(list, [&](const Import& import) {
        return import.project == current.project && import.environment == current.environment;
      });
      if (uses && importer != ref && importers.insert(importer).second) changed.push_back(importer);
    }
  }
  return importers;
}

}  // namespace

std::string SignatureOf(const Secret& secret, std::string_view payload) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.Reveal().data(), static_cast<int>(secret.Size()),
       reinterpret_cast<const unsigned char*>(payload.data()), payload.size(), digest.data(),
       &size);
  return HexOf({reinterpret_cast<const char*>(digest.data()), size});
}

WebhookSender::WebhookSender(DefinitionStore& store, OrganizationWebhooks& organizations,
                             Clock& clock, HttpTransport& transport)
    : store_(store), organizations_(organizations), clock_(clock), transport_(transport) {
  store_.SetListener([this](const StoreEvent& event) { Enqueue(event); });
}

WebhookSender::~WebhookSender() {
  std::jthread watcher;
  {
    MutexLock lock(mutex_);
    watching_ = true;  // none is started any more
    watcher = std::move(watcher_);
  }
  watcher.request_stop();
  sender_.request_stop();
  changed_.NotifyAll();
}

void WebhookSender::Start(std::optional<Webhook> global) {
  global_ = std::move(global);
  sender_ = StartThread("dev-webhooks", [this](const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] {
      MutexLock lock(mutex_);
      changed_.NotifyAll();
    });
    Send(stop);
  });
  const auto has_webhooks = [this](const DefinitionStore::Entry& entry) {
    const auto state = store_.Describe(entry.ref);
    return state && !(*state)->webhooks.empty();
  };
  if (global_ || organizations_.Any() || std::ranges::any_of(store_.List(""), has_webhooks)) {
    Watch();
  }
}

void WebhookSender::Watch() {
  MutexLock lock(mutex_);
  if (watching_) return;
  watching_ = true;
  watcher_ = StartThread("dev-watch", [this](const std::stop_token& stop) { LookForEdits(stop); });
}

// To look at an environment is to record its edits, which tells the listener.
void WebhookSender::LookForEdits(const std::stop_token& stop) {
  do {
    for (const DefinitionStore::Entry& entry : store_.List("")) {
      if (stop.stop_requested()) return;
      static_cast<void>(store_.Describe(entry.ref));
    }
  } while (clock_.SleepUntil(clock_.Now() + kWatchInterval, stop));
}

void WebhookSender::Enqueue(const StoreEvent& event) {
  MutexLock lock(mutex_);
  if (waiting_.size() >= kMaxWaiting) waiting_.pop_front();
  waiting_.push_back(event);
  changed_.NotifyAll();
}

std::optional<StoreEvent> WebhookSender::Next(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (waiting_.empty() && !stop.stop_requested()) changed_.Wait(mutex_);
  if (stop.stop_requested()) return std::nullopt;
  StoreEvent event = std::move(waiting_.front());
  waiting_.pop_front();
  return event;
}

void WebhookSender::Send(const std::stop_token& stop) {
  while (const auto event = Next(stop)) {
    for (const Message& message : MessagesFor(*event)) {
      if (global_) DeliverAll(message, {}, {{kGlobalName, *global_}}, stop);
      const esc::EnvironmentRef organization{message.ref.organization, "", "", ""};
      DeliverAll(message, organization, organizations_.Of(organization.organization), stop);
      const auto state = store_.Describe(message.ref);
      if (state) DeliverAll(message, message.ref, (*state)->webhooks, stop);
    }
  }
}

void WebhookSender::DeliverAll(const Message& message, const esc::EnvironmentRef& owner,
                               const Webhooks& webhooks, const std::stop_token& stop) {
  for (const auto& [name, webhook] : webhooks) {
    if (Wants(webhook, message.kind)) Deliver(message, owner, name, webhook, stop);
  }
}

std::vector<WebhookSender::Message> WebhookSender::MessagesFor(const StoreEvent& event) {
  const Clock::WallTime now = clock_.WallNow();
  std::vector<Message> messages;
  messages.push_back({event.ref, event.kind, PayloadOf(event, now)});
  if (!ChangesImporters(event.kind)) return messages;
  for (const esc::EnvironmentRef& importer : ImportersOf(store_, event.ref)) {
    StoreEvent changed{.kind = kImportChanged, .ref = importer, .login = event.login};
    json payload = PayloadOf(changed, now);
    const auto state = store_.Describe(importer);
    payload["affectedRevisions"] = json::array();
    if (state) payload["affectedRevisions"].push_back((*state)->revisions.back().number);
    payload["importedEnvironmentReference"] = {{"projectName", event.ref.project},
                                               {"environmentName", event.ref.environment},
                                               {"revision", event.revision}};
    messages.push_back({importer, kImportChanged, std::move(payload)});
  }
  return messages;
}

void WebhookSender::Deliver(const Message& message, const esc::EnvironmentRef& owner,
                            const std::string& name, const Webhook& webhook,
                            const std::stop_token& stop) {
  const std::string id = RandomHex(16);  // the same for each try: receivers can tell
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0 && !clock_.SleepUntil(clock_.Now() + kRetryDelay * tries, stop)) return;
    WebhookDelivery delivery = Try(message, id, webhook, stop);
    const int status = delivery.status;
    Remember(owner, name, std::move(delivery));
    // What a receiver refuses it will refuse again.
    if (status != 0 && status < 500) return;
  }
}

WebhookDelivery WebhookSender::Try(const Message& message, const std::string& id,
                                   const Webhook& webhook, const std::stop_token& stop) {
  WebhookDelivery delivery{.id = id,
                           .kind = message.kind,
                           .payload = DumpJson(message.payload),
                           .url = webhook.url,
                           .at = clock_.WallNow()};
  HttpRequest request;
  request.method = "POST";
  request.url = webhook.url;
  request.content_type = "application/json";
  request.headers = {{"Pulumi-Webhook-ID", id}, {"Pulumi-Webhook-Kind", message.kind}};
  if (webhook.secret) {
    request.headers.push_back(
        {"Pulumi-Webhook-Signature", SignatureOf(*webhook.secret, delivery.payload)});
  }
  request.body = Secret(std::string_view(delivery.payload));
  request.total_timeout = kTimeout;
  const Clock::TimePoint begin = clock_.Now();
  const auto response = transport_.Send(request, stop);
  delivery.duration = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - begin);
  delivery.status = response ? response->status : 0;
  delivery.answer = response ? std::string(response->body.Reveal().substr(0, kMaxAnswer))
                             : response.error().message;
  return delivery;
}

WebhookDelivery WebhookSender::Ping(const esc::EnvironmentRef& owner, const std::string& name,
                                    const Webhook& webhook) {
  const StoreEvent event{.kind = "ping", .ref = owner};
  WebhookDelivery delivery = Try({owner, event.kind, PayloadOf(event, clock_.WallNow())},
                                 RandomHex(16), webhook, sender_.get_stop_token());
  Remember(owner, name, delivery);
  return delivery;
}

void WebhookSender::Remember(const esc::EnvironmentRef& owner, const std::string& name,
                             WebhookDelivery delivery) {
  MutexLock lock(mutex_);
  std::deque<WebhookDelivery>& list = deliveries_[owner.ToString() + "/" + name];
  list.push_front(std::move(delivery));
  if (list.size() > kMaxDeliveries) list.pop_back();
}

std::vector<WebhookDelivery> WebhookSender::Deliveries(const esc::EnvironmentRef& owner,
                                                       const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = deliveries_.find(owner.ToString() + "/" + name);
  if (found == deliveries_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace escagent::devserver
