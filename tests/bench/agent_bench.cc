// What a node pays for the agent, measured on the real programs: latency of warm publishes, memory
// and threads at 500 volumes, and requests to ESC while nothing changes; with a keeper also its
// memory, and how long a read waits when the agent is killed. Prints a Markdown table for the agent
// alone and one for the agent with its keeper.
//
// usage: agent_bench BIN_FOLDER

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "csi/proto/csi.grpc.pb.h"
#include "tests/bench/table.h"
#include "tests/system/testbed.h"

namespace escagent::testing {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kPublishes = 1000;
constexpr int kVolumes = 500;
constexpr milliseconds kIdleInterval{10000};
constexpr int kIdleIntervals = 2;
constexpr int kKills = 20;

// NodePublishVolume and NodeUnpublishVolume on one connection: what the driver itself takes,
// without kubelet's dialling.
class Driver {
 public:
  Driver(Testbed& testbed)
      : testbed_(testbed),
        stub_(csi::v1::Node::NewStub(grpc::CreateChannel("unix://" + testbed.endpoint(),
                                                         grpc::InsecureChannelCredentials()))) {}

  double Publish(const InlineVolume& volume) {
    const auto request = testbed_.kubelet().PublishRequest(volume, true);
    std::filesystem::create_directories(std::filesystem::path(request.target_path()).parent_path());
    csi::v1::NodePublishVolumeResponse response;
    grpc::ClientContext context;
    const auto start = steady_clock::now();
    const grpc::Status status = stub_->NodePublishVolume(&context, request, &response);
    const std::chrono::duration<double, std::milli> took = steady_clock::now() - start;
    Check(status, "publish");
    return took.count();
  }

  void Unpublish(const InlineVolume& volume) {
    csi::v1::NodeUnpublishVolumeRequest request;
    request.set_volume_id(Kubelet::VolumeId(volume));
    request.set_target_path(testbed_.kubelet().TargetPath(volume));
    csi::v1::NodeUnpublishVolumeResponse response;
    grpc::ClientContext context;
    Check(stub_->NodeUnpublishVolume(&context, request, &response), "unpublish");
  }

 private:
  static void Check(const grpc::Status& status, const std::string& what) {
    if (!status.ok()) throw std::runtime_error(what + (": " + status.error_message()));
  }

  Testbed& testbed_;
  std::unique_ptr<csi::v1::Node::Stub> stub_;
};

const std::map<std::string, std::string> kAttributes = {{"clusterSecretStore", "store"},
                                                        {"path", "app"}};

// A node whose dev server and agent (and keeper) run.
void Start(Testbed& testbed, bool with_keeper) {
  std::string definition = "values:\n  app:\n";
  for (int i = 0; i < 10; ++i) {
    definition +=
        "    key" + std::to_string(i) + ": {fn::secret: value-" + std::to_string(i) + "}\n";
  }
  testbed.WriteEnvironment("acme/bench/dev", definition);
  testbed.WriteClusterStore("store", "acme/bench/dev");
  testbed.StartDevServer();
  if (with_keeper) testbed.StartKeeper();
  testbed.StartAgent({"--refresh-interval", "10s"});
}

void AddPublishes(Testbed& testbed, Driver& driver, std::vector<Row>& rows) {
  const double cold = driver.Publish(testbed.Volume("first", kAttributes));
  rows.push_back({"cold publish (opens the environment)", Decimal(cold) + " ms", "-", "-"});
  std::vector<double> latencies;
  for (int i = 0; i < kPublishes; ++i) {
    const InlineVolume volume = testbed.Volume("warm-" + std::to_string(i), kAttributes);
    latencies.push_back(driver.Publish(volume));
    driver.Unpublish(volume);
  }
  std::sort(latencies.begin(), latencies.end());
  rows.push_back(Compare("warm publish, p50 of 1,000", latencies[kPublishes / 2], 3, " ms"));
  rows.push_back(
      Compare("warm publish, p99 of 1,000", latencies[kPublishes * 99 / 100], 10, " ms"));
}

void AddAgentSize(pid_t agent, std::vector<Row>& rows) {
  rows.push_back(Compare("RSS with 500 volumes",
                         static_cast<double>(ProcessStatus(agent, "VmRSS")) / 1024, 25, " MiB"));
  rows.push_back(Compare("threads with 500 volumes",
                         static_cast<double>(ProcessStatus(agent, "Threads")), 24, ""));
}

void AddIdleRequests(Testbed& testbed, std::vector<Row>& rows) {
  const int heads = testbed.RequestCount("HEAD");
  const int opens = testbed.RequestCount("POST");
  SystemClock clock;
  clock.SleepUntil(clock.Now() + kIdleInterval * kIdleIntervals, {});
  rows.push_back(Compare("HEADs in 2 intervals of 10 s, 500 volumes",
                         testbed.RequestCount("HEAD") - heads, kIdleIntervals, ""));
  rows.push_back(Compare("opens in 2 intervals of 10 s, 500 volumes",
                         testbed.RequestCount("POST") - opens, 0, ""));
}

std::vector<Row> Measure(const std::string& bin) {
  Testbed testbed(bin);
  Start(testbed, /*with_keeper=*/false);
  Driver driver(testbed);
  std::vector<Row> rows;
  AddPublishes(testbed, driver, rows);
  for (int i = 1; i < kVolumes; ++i) {
    driver.Publish(testbed.Volume("pod-" + std::to_string(i), kAttributes));
  }
  AddAgentSize(testbed.agent().pid(), rows);
  AddIdleRequests(testbed, rows);
  return rows;
}

double MillisecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - start).count();
}

// What a fork, exec and dynamic linking of the agent take: no recovery can be faster.
double StartOfAProcess(const Testbed& testbed) {
  std::vector<double> times;
  for (int i = 0; i < kKills; ++i) {
    const auto start = steady_clock::now();
    Process process({testbed.program(), "--version"}, {}, testbed.folder() + "/version");
    process.Wait(std::chrono::seconds(10));
    times.push_back(MillisecondsSince(start));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// How long one read waits whose agent is killed and replaced just before it.
void AddRecovery(Testbed& testbed, const InlineVolume& volume, int volumes, double limit,
                 std::vector<Row>& rows) {
  const std::string path = testbed.kubelet().TargetPath(volume) + "/key9";
  std::vector<double> waits;
  std::unique_ptr<Process> agent;
  for (int i = 0; i < kKills; ++i) {
    const auto start = steady_clock::now();
    (agent == nullptr ? testbed.agent() : *agent).Signal(SIGKILL);
    agent = std::make_unique<Process>(
        testbed.AgentCommand({"--refresh-interval", "10s"}), std::map<std::string, std::string>{},
        testbed.folder() + "/recovery" + std::to_string(volumes) + "-" + std::to_string(i));
    if (ReadAll(path) != "value-9") throw std::runtime_error("a read failed after a kill");
    waits.push_back(MillisecondsSince(start));
    if (!agent->WaitForOutput("http listening", std::chrono::seconds(10))) {
      throw std::runtime_error("an agent did not start: " + agent->Err());
    }
  }
  std::sort(waits.begin(), waits.end());
  const std::string what = "read right after kill -9, " + std::to_string(volumes) +
                           (volumes == 1 ? " volume" : " volumes");
  rows.push_back(Compare(what + ", p50 of 20", waits[kKills / 2], limit, " ms"));
  rows.push_back(Compare(what + ", worst", waits.back(), limit, " ms"));
  if (volumes == kVolumes) AddAgentSize(agent->pid(), rows);
  agent.reset();
  testbed.StartAgent({"--refresh-interval", "10s"});
}

std::vector<Row> MeasureWithKeeper(const std::string& bin) {
  Testbed testbed(bin);
  Start(testbed, /*with_keeper=*/true);
  std::vector<Row> rows;
  {
    Driver driver(testbed);
    AddPublishes(testbed, driver, rows);
  }
  const double process_start = StartOfAProcess(testbed);
  rows.push_back({"fork, exec and end of `esc-agent --version`, p50 of 20",
                  Decimal(process_start) + " ms", "-", "-"});
  int published = 1;
  for (const int volumes : {1, 100, kVolumes}) {
    Driver driver(testbed);  // its connection ends with the agent
    InlineVolume last = testbed.Volume("first", kAttributes);
    for (; published < volumes; ++published) {
      last = testbed.Volume("pod-" + std::to_string(published), kAttributes);
      driver.Publish(last);
    }
    AddRecovery(testbed, last, volumes, process_start, rows);
  }
  rows.push_back(Compare("keeper's RSS with 500 volumes",
                         static_cast<double>(ProcessStatus(testbed.keeper().pid(), "VmRSS")) / 1024,
                         3, " MiB"));
  return rows;
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: agent_bench BIN_FOLDER\n");
    return 2;
  }
  escagent::testing::EnterPrivateMountNamespace();
  try {
    escagent::testing::PrintTable("Alone", escagent::testing::Measure(argv[1]));
    escagent::testing::PrintTable(
        "With its keeper (a recovery's limit is a mere start of the process)",
        escagent::testing::MeasureWithKeeper(argv[1]));
  } catch (const std::runtime_error& e) {
    std::fprintf(stderr, "agent_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
