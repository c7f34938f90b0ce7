#include "agent/doctor/doctor.h"

#include <linux/capability.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "agent/doctor/agent_checks.h"
#include "agent/doctor/cluster_checks.h"
#include "agent/doctor/esc_checks.h"
#include "agent/doctor/kernel_checks.h"
#include "agent/doctor/node_files.h"
#include "agent/doctor/parallel.h"
#include "agent/doctor/process_checks.h"
#include "agent/doctor/rights.h"
#include "agent/doctor/store_list.h"
#include "base/curl_transport.h"
#include "base/thread.h"
#include "base/version.h"
#include "esc/client.h"
#include "kube/client.h"
#include "kube/cluster.h"
#include "kube/connection.h"
#include "kube/discovery.h"

namespace escagent::doctor {
namespace {

using std::chrono::milliseconds;

// Of one call on this node, and of one over the network.
constexpr milliseconds kLocalTimeout{2000};
constexpr milliseconds kTimeout{4000};
// When what is still under way ends.
constexpr std::chrono::seconds kWholeTime{12};

void Append(Findings& to, Findings from) {
  for (Finding& finding : from) to.push_back(std::move(finding));
}

// The API server of a configuration, with what the checks use.
class Server {
 public:
  Server(const kube::Config& config, Clock& clock)
      : connection_(config, clock),
        transport_({.user_agent = "esc-agent/" + std::string(kVersion),
                    .tls = config.tls,
                    .proxy_url = config.proxy_url,
                    .allow_plain_http = true}),
        client_({.call_timeout = kTimeout, .list_timeout = kTimeout}, connection_, transport_,
                clock),
        discovery_(connection_, transport_, kTimeout) {}

  const kube::Config& config() const { return connection_.config(); }
  kube::Api& api() { return client_; }
  kube::Discovery& discovery() { return discovery_; }

 private:
  kube::Connection connection_;
  CurlTransport transport_;
  kube::Client client_;
  kube::Discovery discovery_;
};

class Examination {
 public:
  Examination(const Options& options, HttpTransport& esc, Clock& clock, Environment environment)
      : options_(options),
        clock_(clock),
        environment_(std::move(environment)),
        files_(options.root),
        access_{.transport = esc,
                .clock = clock,
                .environment = environment_,
                .timeout = kTimeout,
                .stop = stop_.get_token()} {
    end_ = StartThread("doctor-end", [this](const std::stop_token& done) {
      if (clock_.SleepUntil(clock_.Now() + kWholeTime, done)) stop_.request_stop();
    });
  }

  std::vector<Group> Run() {
    Findings node;
    Findings agent;
    if (options_.node) ExamineNode(node);
    if (options_.agent) ExamineAgent(agent);
    Findings cluster;
    Findings esc;
    {
      const std::jthread backend = StartThread("doctor-esc", [&] {
        if (options_.esc) AskBackend(options_.esc_url);
      });
      if (options_.cluster || ReadsStores()) ExamineCluster(cluster);
    }
    if (options_.esc) ExamineEsc(esc);
    return {{"node", std::move(node)},
            {"agent", std::move(agent)},
            {"cluster", std::move(cluster)},
            {"esc", std::move(esc)}};
  }

 private:
  Vantage FindVantage() const {
    const bool admin = HasCapability(files_, CAP_SYS_ADMIN);
    return options_.keeper_socket.empty() || admin ? Vantage::kMounter : Vantage::kAgent;
  }

  void ExamineNode(Findings& node) {
    const Vantage vantage = FindVantage();
    Append(node, CheckKernel(files_, TrySystemCall));
    Append(node, CheckFuse(files_, vantage));
    node.push_back(CheckPropagation(files_, options_.kubelet_dir, vantage));
    node.push_back(CheckLockedMemory(files_));
    node.push_back(
        CheckPrivileges(files_, vantage, !environment_("KUBERNETES_SERVICE_HOST").empty()));
  }

  void ExamineAgent(Findings& agent) {
    const Result<RunningAgent> running = AskRunningAgent(options_.admin_socket, kLocalTimeout);
    if (running) running_node_ = running->node;
    Append(agent, CheckAgent(running));
    agent.push_back(CheckKeeper(options_.keeper_socket, running, kLocalTimeout));
    Append(agent, CheckRegistration(running, options_.csi_socket, options_.registration_socket));
  }

  kube::CallOptions Call() const {
    return {
        .priority = kube::Priority::kInteractive, .timeout = kTimeout, .stop = stop_.get_token()};
  }

  // From the API server, to ask ESC about them.
  bool ReadsStores() const { return options_.esc && options_.stores_dir.empty(); }
  bool NeedsCluster() const { return options_.stores_dir.empty() || options_.mirror; }

  // Also finds the stores.
  void ExamineCluster(Findings& findings) {
    const Result<kube::Config> config = kube::FindConfig(options_.kubeconfig);
    if (!config) {
      const bool none = config.error().code == Code::kFailedPrecondition;
      no_stores_ = "no API server to read them from";
      if (!options_.cluster) return;
      findings.push_back(
          none ? Skipped("API server", config.error().message)
               : Failed("API server", config.error().message, "correct the file of --kubeconfig"));
      return;
    }
    Server server(*config, clock_);
    Findings found =
        CheckApiServer(server.discovery(), server.config().server, clock_, stop_.get_token());
    const bool answers = found.front().verdict == Verdict::kOk;
    if (!answers) no_stores_ = "the API server does not answer";
    if (options_.cluster) Append(findings, std::move(found));
    if (!answers) return;
    if (options_.cluster) ExamineObjects(server, findings);
    if (ReadsStores()) {
      stores_ = ListClusterStores(server.api(), options_.watch_namespaces,
                                  options_.controller_class, DefaultApiUrl(), Call());
      Append(stores_.findings, CheckAccountTokens(server.api(), stores_.accounts, Call()));
    }
  }

  void ExamineObjects(Server& server, Findings& findings) {
    Append(findings, CheckCsiDriver(server.api(), options_.driver_name, Call()));
    const std::string& node = options_.node_name.empty() ? running_node_ : options_.node_name;
    Append(findings, CheckPodTokens(server.api(), options_.driver_name, node, Call()));
    findings.push_back(CheckCsiNode(server.api(), node, options_.driver_name, Call()));
    Append(findings, CheckKinds(server.discovery(), server.api(), NeedsCluster(), Call()));
    if (!NeedsCluster()) return;
    const Agent agent{.mirror = options_.mirror,
                      .scope = options_.watch_namespaces,
                      .own_namespace = options_.namespace_name.empty()
                                           ? server.config().namespace_name
                                           : options_.namespace_name};
    Append(findings, CheckRights(server.api(), agent, Call()));
  }

  std::string DefaultApiUrl() const { return options_.esc_url + "/api/esc"; }

  // Notes what a backend is like; each is asked once.
  void AskBackend(const std::string& api_url) {
    backends_[BackendOf(api_url)] = CheckBackend(api_url, access_);
  }

  void ExamineEsc(Findings& findings) {
    if (!options_.stores_dir.empty()) {
      stores_ = ListFileStores(options_.stores_dir, DefaultApiUrl());
    } else if (!no_stores_.empty()) {
      stores_.findings.push_back(Skipped("stores", no_stores_));
    }
    std::vector<std::pair<const std::string, Findings>*> others;
    for (const StoreToAsk& store : stores_.stores) {
      const auto [it, is_new] = backends_.try_emplace(BackendOf(store.api_url));
      if (is_new) others.push_back(&*it);
    }
    ForEach(others.size(),
            [&](std::size_t i) { others[i]->second = CheckBackend(others[i]->first, access_); });
    for (const auto& [url, found] : backends_) Append(findings, found);
    Append(findings, std::move(stores_.findings));
    std::vector<Finding> answers(stores_.stores.size());
    ForEach(answers.size(), [&](std::size_t i) { answers[i] = AskStore(stores_.stores[i]); });
    Append(findings, std::move(answers));
  }

  Finding AskStore(const StoreToAsk& store) const {
    const std::string backend = BackendOf(store.api_url);
    if (backends_.at(backend).front().verdict == Verdict::kFailed) {
      return Skipped("store " + store.name, "ESC at " + backend + " is not to be reached");
    }
    if (!store.token) {
      return CheckStore(store, *MakeApi(store, std::make_shared<const Secret>()), {});
    }
    return CheckStore(store, *MakeApi(store, store.token->token), stop_.get_token());
  }

  std::unique_ptr<esc::Api> MakeApi(const StoreToAsk& store,
                                    std::shared_ptr<const Secret> token) const {
    return std::make_unique<esc::Client>(esc::Client::Options{.api_url = store.api_url,
                                                              .token = std::move(token),
                                                              .connect_timeout = kTimeout,
                                                              .total_timeout = kTimeout},
                                         access_.transport, clock_);
  }

  const Options& options_;
  Clock& clock_;
  const Environment environment_;
  const NodeFiles files_;
  std::stop_source stop_;  // at the end of the whole time
  const EscAccess access_;
  std::string running_node_;
  std::string no_stores_;  // why they could not be looked for; empty: they were
  StoreList stores_;
  std::map<std::string, Findings> backends_;  // by BackendOf; the first finding is about the way
  std::jthread end_;
};

}  // namespace

std::vector<Group> Examine(const Options& options, HttpTransport& esc, Clock& clock,
                           const Environment& environment) {
  return Examination(options, esc, clock, environment).Run();
}

}  // namespace escagent::doctor
