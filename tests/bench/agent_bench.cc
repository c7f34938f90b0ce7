// What a node pays for the agent, measured on the real programs: latency of warm publishes, memory
// and threads at 500 volumes, and requests to ESC while nothing changes. Prints one Markdown table.
//
// usage: agent_bench BIN_FOLDER

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "csi/proto/csi.grpc.pb.h"
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

struct Row {
  std::string figure;
  std::string ours;
  std::string limit;
  std::string ratio;
};

std::string Decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

// A figure beside its limit; both in `unit`.
Row Compare(const std::string& figure, double ours, double limit, const std::string& unit) {
  const auto with_unit = [&](double value) {
    return (value == std::floor(value) ? std::to_string(std::llround(value)) : Decimal(value)) +
           unit;
  };
  return {figure, with_unit(ours), with_unit(limit), limit > 0 ? Decimal(ours / limit) : "-"};
}

// The number behind "<key>:" in /proc/<pid>/status.
long ProcessStatus(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::strtol(line.c_str() + key.size() + 1, nullptr, 10);
  }
  return 0;
}

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

std::vector<Row> Measure(const std::string& bin) {
  Testbed testbed(bin);
  std::string definition = "values:\n  app:\n";
  for (int i = 0; i < 10; ++i) {
    definition +=
        "    key" + std::to_string(i) + ": {fn::secret: value-" + std::to_string(i) + "}\n";
  }
  testbed.WriteEnvironment("acme/bench/dev", definition);
  testbed.WriteClusterStore("store", "acme/bench/dev");
  testbed.StartDevServer();
  testbed.StartAgent({"--refresh-interval", "10s"});
  Driver driver(testbed);
  const std::map<std::string, std::string> attributes = {{"clusterSecretStore", "store"},
                                                         {"path", "app"}};
  std::vector<Row> rows;

  const double cold = driver.Publish(testbed.Volume("first", attributes));
  rows.push_back({"cold publish (opens the environment)", Decimal(cold) + " ms", "-", "-"});

  std::vector<double> latencies;
  for (int i = 0; i < kPublishes; ++i) {
    const InlineVolume volume = testbed.Volume("warm-" + std::to_string(i), attributes);
    latencies.push_back(driver.Publish(volume));
    driver.Unpublish(volume);
  }
  std::sort(latencies.begin(), latencies.end());
  rows.push_back(Compare("warm publish, p50 of 1,000", latencies[kPublishes / 2], 3, " ms"));
  rows.push_back(
      Compare("warm publish, p99 of 1,000", latencies[kPublishes * 99 / 100], 10, " ms"));

  for (int i = 1; i < kVolumes; ++i) {
    driver.Publish(testbed.Volume("pod-" + std::to_string(i), attributes));
  }
  const pid_t agent = testbed.agent().pid();
  rows.push_back(Compare("RSS with 500 volumes",
                         static_cast<double>(ProcessStatus(agent, "VmRSS")) / 1024, 25, " MiB"));
  rows.push_back(Compare("threads with 500 volumes",
                         static_cast<double>(ProcessStatus(agent, "Threads")), 24, ""));

  const int heads = testbed.RequestCount("HEAD");
  const int opens = testbed.RequestCount("POST");
  SystemClock clock;
  clock.SleepUntil(clock.Now() + kIdleInterval * kIdleIntervals, {});
  rows.push_back(Compare("HEADs in 2 intervals of 10 s, 500 volumes",
                         testbed.RequestCount("HEAD") - heads, kIdleIntervals, ""));
  rows.push_back(Compare("opens in 2 intervals of 10 s, 500 volumes",
                         testbed.RequestCount("POST") - opens, 0, ""));
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
    const auto rows = escagent::testing::Measure(argv[1]);
    std::printf("| figure | ours | limit | ratio |\n|---|---|---|---|\n");
    for (const auto& row : rows) {
      std::printf("| %s | %s | %s | %s |\n", row.figure.c_str(), row.ours.c_str(),
                  row.limit.c_str(), row.ratio.c_str());
    }
  } catch (const std::runtime_error& e) {
    std::fprintf(stderr, "agent_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
