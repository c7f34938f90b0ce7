// What the mirror costs at 10,000 ExternalSecrets: from cold to all synced, a new one in the middle
// of that, an idle minute, a changed value. The real agent and ESC server as processes; the API
// server is the stand-in (tests/fakes/apiserver), in this process. Prints a Markdown table.
//
// usage: mirror_bench

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "tests/bench/table.h"
#include "tests/system/mirror_bed.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kObjects = 10000;
constexpr int kEnvironments = 10;
constexpr int kNamespaces = 100;
constexpr seconds kInterval{10};
constexpr seconds kIdle{60};
constexpr seconds kPatience{300};

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

void Await(const char* what, const std::function<bool()>& condition) {
  if (!WaitFor(condition, kPatience)) throw std::runtime_error(std::string(what) + ": not in time");
}

class MirrorBench {
 public:
  MirrorBench() : cluster_(StartCluster()), bed_(*cluster_, "bench"), log_(cluster_->fake().log()) {
    for (int i = 0; i < kEnvironments; ++i) {
      const std::string name = "env" + std::to_string(i);
      bed_.WriteEnvironment(name, Definition(i, "first"));
      bed_.ApplyClusterStore(name, name);
    }
    for (int i = 0; i < kNamespaces; ++i) {
      Load({{"apiVersion", "v1"},
            {"kind", "Namespace"},
            {"metadata", {{"name", "tenant-" + std::to_string(i)}}}});
    }
    for (int i = 0; i < kObjects; ++i) LoadObject("object-" + std::to_string(i), i);
  }

  void Run(std::vector<Row>& rows) {
    RunCold(rows);
    RunIdle(rows);
    RunChange(rows);
  }

 private:
  static std::unique_ptr<apiserver::TestCluster> StartCluster() {
    auto cluster = apiserver::TestCluster::Fake();
    if (!cluster) throw std::runtime_error(cluster.error().ToString());
    if (const Status loaded = (*cluster)->fake().LoadPath(CRD_FOLDER); !loaded) {
      throw std::runtime_error(loaded.error().ToString());
    }
    return *std::move(cluster);
  }

  static std::string Definition(int environment, const std::string& value) {
    return "values:\n  app:\n    user: app" + std::to_string(environment) +
           "\n    password: {fn::secret: " + value + "}\n";
  }

  void Load(const json& object) {
    if (const Status loaded = cluster_->fake().Load(object.dump(), "an object"); !loaded) {
      throw std::runtime_error(loaded.error().ToString());
    }
  }

  static std::string NamespaceOf(int number) {
    return "tenant-" + std::to_string(number / kEnvironments % kNamespaces);
  }

  void LoadObject(const std::string& name, int number) {
    json object = bed_.ExternalSecret(name, "env" + std::to_string(number % kEnvironments));
    object["metadata"]["namespace"] = NamespaceOf(number);
    object["spec"]["refreshInterval"] = "10s";
    Load(object);
  }

  std::uint64_t SecretWrites() const { return log_.Writes("secrets"); }
  std::uint64_t StatusWrites() const { return log_.Writes("externalsecrets/status"); }

  void RunCold(std::vector<Row>& rows) {
    log_.Reset();
    bed_.StartAgent();
    const auto start = steady_clock::now();
    Await("the first 2,000 Secrets", [&] { return SecretWrites() >= 2000; });
    const auto created = steady_clock::now();
    LoadObject("new", 0);
    const std::string path = "/api/v1/namespaces/" + NamespaceOf(0) + "/secrets/new";
    Await("the new Secret", [&] { return cluster_->Request("GET", path).status == 200; });
    const double new_one = SecondsSince(created);
    const bool was_burst = SecretWrites() < kObjects;
    Await("all Secrets and conditions",
          [&] { return SecretWrites() > kObjects && StatusWrites() > kObjects; });
    rows.push_back(
        Compare("10,000 ExternalSecrets from cold to synced", SecondsSince(start), 60, " s"));
    rows.push_back(
        Compare(was_burst ? "a new one in the middle of that" : "a new one, right after that",
                new_one, 1, " s"));
  }

  void RunIdle(std::vector<Row>& rows) {
    // What the burst has left to do (events) is not of the idle minute.
    SystemClock clock;
    clock.SleepUntil(clock.Now() + kInterval, {});
    const pid_t agent = bed_.agent().pid();
    log_.Reset();
    const int heads = bed_.node().RequestCount("HEAD");
    const double cpu = CpuSeconds(agent);
    clock.SleepUntil(clock.Now() + kIdle, {});
    const double used = CpuSeconds(agent) - cpu;
    rows.push_back(
        Compare("Secret writes in an idle minute", static_cast<double>(SecretWrites()), 0, ""));
    rows.push_back(
        Compare("status writes in an idle minute", static_cast<double>(StatusWrites()), 0, ""));
    rows.push_back(Compare("HEADs in 6 intervals of 10 s, 10 environments",
                           bed_.node().RequestCount("HEAD") - heads, 6.0 * kEnvironments, ""));
    rows.push_back(Compare("agent's CPU while idle, of a core",
                           100 * used / static_cast<double>(kIdle.count()), 2, " %"));
    rows.push_back(Compare("agent's RSS", static_cast<double>(ProcessStatus(agent, "VmRSS")) / 1024,
                           120, " MiB"));
  }

  void RunChange(std::vector<Row>& rows) {
    log_.Reset();
    bed_.WriteEnvironment("env1", Definition(1, "second"));
    const auto start = steady_clock::now();
    Await("the changed Secrets", [&] { return SecretWrites() >= kObjects / kEnvironments; });
    rows.push_back(Compare("a changed value in all 1,000 Secrets (an interval of 10 s and 5 s)",
                           SecondsSince(start), 15, " s"));
  }

  std::unique_ptr<apiserver::TestCluster> cluster_;
  MirrorBed bed_;
  apiserver::RequestLog& log_;
};

}  // namespace
}  // namespace escagent::testing

int main() {
  escagent::testing::EnterPrivateMountNamespace();
  std::vector<escagent::testing::Row> rows;
  try {
    escagent::testing::MirrorBench bench;
    bench.Run(rows);
  } catch (const std::runtime_error& e) {
    std::fprintf(stderr, "mirror_bench: %s\n", e.what());
    escagent::testing::PrintTable("So far", rows);
    return 1;
  }
  escagent::testing::PrintTable("10,000 ExternalSecrets over 10 environments, one agent", rows);
  return 0;
}
