// How soon a change is visible in a pod, and whether readers ever see half of one: the real agent,
// the real dev server, a FUSE volume. Prints a Markdown table.
//
// usage: change_bench BIN_FOLDER

#include <fcntl.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "agent/freshness/webhook_receiver.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/unique_fd.h"
#include "tests/bench/table.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kChanges = 60;
constexpr int kReaders = 8;
// Of one value: more than a page and a FUSE request of 128 KiB.
constexpr int kWords = 30000;
constexpr std::string_view kSecret = "webhook-secret";

// Both keys of a revision consist of its number, again and again.
std::string Definition(int revision, int words) {
  std::string word = std::to_string(100000 + revision) + " ";
  std::string text;
  for (int i = 0; i < words; ++i) text += word;
  return "values: {app: {a: \"" + text + "\", b: \"" + text + "\"}}\n";
}

std::string Start(Testbed& testbed, const std::vector<std::string>& flags) {
  testbed.WriteEnvironment("acme/bench/dev", Definition(0, 1));
  testbed.WriteClusterStore("store", "acme/bench/dev");
  WriteAll(testbed.folder() + "/webhook-secret", kSecret);
  testbed.StartDevServer();
  testbed.StartAgent(flags);
  const auto target = testbed.kubelet().Publish(
      testbed.endpoint(),
      testbed.Volume("pod", {{"clusterSecretStore", "store"}, {"path", "app"}}));
  if (!target) throw std::runtime_error(target.error().message);
  return *target;
}

// As Pulumi sends it.
void SendWebhook(const Testbed& testbed, int number) {
  const std::string body = DumpJson({{"organization", {{"githubLogin", "acme"}}},
                                     {"projectName", "bench"},
                                     {"environmentName", "dev"},
                                     {"number", number}});
  httplib::Client client(testbed.AgentUrl());
  const httplib::Headers headers = {
      {"Pulumi-Webhook-ID", std::to_string(number)},
      {"Pulumi-Webhook-Kind", "environment_revision_created"},
      {"Pulumi-Webhook-Signature", freshness::WebhookSignature(Secret(kSecret), body)}};
  const auto answer = client.Post("/webhooks/pulumi-esc", headers, body, "application/json");
  if (!answer || answer->status != 200) throw std::runtime_error("a webhook was refused");
}

// The time until a read in the pod shows each of the changes.
std::vector<double> Changes(Testbed& testbed, const std::string& target, bool webhook) {
  std::vector<double> took;
  SystemClock clock;
  std::minstd_rand random(1);
  std::uniform_int_distribution<int> phase(0, 300);
  for (int i = 1; i <= kChanges; ++i) {
    // Changes come at any time within an interval.
    clock.SleepUntil(clock.Now() + milliseconds(phase(random)), {});
    const std::string expected = std::to_string(100000 + i) + " ";
    const auto start = steady_clock::now();
    testbed.WriteEnvironment("acme/bench/dev", Definition(i, 1));
    if (webhook) SendWebhook(testbed, i);
    if (!WaitFor([&] { return ReadAll(target + "/a") == expected; }, seconds(60))) {
      throw std::runtime_error("a change was never visible");
    }
    took.push_back(std::chrono::duration<double>(steady_clock::now() - start).count());
  }
  std::ranges::sort(took);
  return took;
}

void AddChanges(const std::string& how, double limit, const std::vector<double>& took,
                std::vector<Row>& rows) {
  const std::string what = "change to visible, " + how;
  rows.push_back({what + ", p50 of " + std::to_string(kChanges),
                  Decimal(took[took.size() / 2]) + " s", "-", "-"});
  rows.push_back(Compare(what + ", p99", took[took.size() * 99 / 100], limit, " s"));
}

std::string ReadAt(int folder, const char* name) {
  const UniqueFd fd(openat(folder, name, O_RDONLY | O_CLOEXEC));
  std::string text;
  std::vector<char> buffer(65536);
  while (fd) {
    const ssize_t n = read(fd.Get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

struct Reading {
  std::atomic<long> reads = 0;
  std::atomic<long> torn = 0;
};

// Reads both keys of what ..data is at the moment: they are of one revision, from end to end.
void ReadOnce(const std::string& target, Reading& reading) {
  const UniqueFd folder(open((target + "/..data").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string a = ReadAt(folder.Get(), "a");
  const std::string b = ReadAt(folder.Get(), "b");
  ++reading.reads;
  const std::string word = a.substr(0, 7);
  bool whole = a == b && a.size() == word.size() * kWords;
  for (std::size_t at = 0; whole && at < a.size(); at += word.size()) {
    whole = a.compare(at, word.size(), word) == 0;
  }
  if (!whole) ++reading.torn;
}

void AddTornReads(Testbed& testbed, const std::string& target, std::vector<Row>& rows) {
  testbed.WriteEnvironment("acme/bench/dev", Definition(kChanges + 1, kWords));
  SendWebhook(testbed, kChanges + 1);
  const auto size = static_cast<std::size_t>(kWords) * 7;
  if (!WaitFor([&] { return ReadAll(target + "/a").size() == size; }, seconds(60))) {
    throw std::runtime_error("the first large value was never visible");
  }
  Reading reading;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < kReaders; ++i) {
      readers.emplace_back([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) ReadOnce(target, reading);
      });
    }
    for (int i = kChanges + 2; i <= 2 * kChanges + 1; ++i) {
      const std::string expected = std::to_string(100000 + i);
      testbed.WriteEnvironment("acme/bench/dev", Definition(i, kWords));
      SendWebhook(testbed, i);
      if (!WaitFor([&] { return ReadAll(target + "/b").starts_with(expected); }, seconds(60))) {
        throw std::runtime_error("a rotation was never visible");
      }
    }
  }
  rows.push_back(Compare("torn reads by 8 readers, " + std::to_string(kChanges) + " rotations, " +
                             std::to_string(reading.reads) + " reads",
                         static_cast<double>(reading.torn), 0, ""));
}

std::vector<Row> Measure(const std::string& bin) {
  std::vector<Row> rows;
  {
    Testbed testbed(bin);
    const std::string target = Start(testbed, {"--refresh-interval", "1s"});
    AddChanges("polling every second", 1 + 1, Changes(testbed, target, /*webhook=*/false), rows);
  }
  Testbed testbed(bin);
  const std::string target = Start(testbed, {"--refresh-interval", "1h", "--webhook-secret-file",
                                             testbed.folder() + "/webhook-secret"});
  AddChanges("webhook", 1, Changes(testbed, target, /*webhook=*/true), rows);
  AddTornReads(testbed, target, rows);
  return rows;
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: change_bench BIN_FOLDER\n");
    return 2;
  }
  escagent::testing::EnterPrivateMountNamespace();
  try {
    escagent::testing::PrintTable("A change until a pod reads it",
                                  escagent::testing::Measure(argv[1]));
  } catch (const std::runtime_error& e) {
    std::fprintf(stderr, "change_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
