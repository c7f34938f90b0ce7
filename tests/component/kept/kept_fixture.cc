#include "tests/component/kept/kept_fixture.h"

#include <utility>

namespace escagent::fuse {

Agent::~Agent() {
  restored.clear();
  volume.reset();
  mounter.reset();
}

std::unique_ptr<Agent> KeptTest::StartAgent(std::chrono::milliseconds timeout) {
  auto agent = std::make_unique<Agent>();
  auto link = KeeperLink::Connect(
      SocketPath(),
      {.on_drain = {}, .on_reconnected = [raw = agent.get()] { ++raw->reconnections; }},
      keeper::kDeadline, timeout);
  if (!link) throw std::runtime_error(link.error().ToString());
  agent->link = *std::move(link);
  KeptMounter::Options options{.kubelet_dir = Kubelet(), .serving = {}};
  options.serving.publish_timeout = keeper::kDeadline;
  agent->mounter = KeptMounter::Create(std::move(options), *agent->link).value();
  auto restored = agent->mounter->Restore();
  if (!restored) throw std::runtime_error(restored.error().ToString());
  agent->restored = *std::move(restored);
  if (!agent->restored.empty()) agent->volume = std::move(agent->restored.front().volume);
  EXPECT_TRUE(agent->link->Client()->Ready(true));
  return agent;
}

void KeptTest::Mount(Agent& agent, const VolumeSpec& spec, Backend backend,
                     const std::string& name) {
  const keeper::Target target = NewTarget(name);
  MountOptions options;
  options.volume_id = target.volume;
  options.mountpoint = keeper::KeeperTest::MountOf(target);
  options.backend = backend;
  options.metadata = "pod-" + name;
  auto volume = agent.mounter->Mount(options, spec);
  ASSERT_TRUE(volume) << volume.error().ToString();
  agent.volume = *std::move(volume);
}

VolumeSpec SpecOf(const std::vector<std::pair<std::string, std::string>>& files) {
  VolumeSpec spec;
  for (const auto& [path, text] : files) {
    spec.files.push_back({.path = path,
                          .mode = 0444,
                          .content = std::make_shared<const Secret>(std::string_view(text))});
  }
  return spec;
}

}  // namespace escagent::fuse
