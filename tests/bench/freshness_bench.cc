// A thousand agents with twenty environments each, on a virtual clock, in one process: what they
// ask ESC for while nothing happens, how soon a change is visible, and what an outage of ten
// minutes and its end are like. The agents' decisions are the real ones (EnvironmentState,
// RunAttempt, ProbeTable, SharedHeads, ProbeDuty); ESC, the API server and the delays between them
// are played.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/cache/attempt.h"
#include "agent/cache/environment_state.h"
#include "agent/cache/import_closure.h"
#include "agent/freshness/probe_duty.h"
#include "agent/freshness/shared_heads.h"
#include "tests/bench/played_esc.h"
#include "tests/bench/table.h"

namespace escagent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Compare;
using testing::PlayedEsc;
using testing::Row;
using testing::VirtualClock;

constexpr int kAgents = 1000;
constexpr int kEnvironments = 20;
constexpr milliseconds kInterval{10000};
constexpr milliseconds kStep{50};
// Between a request that is made and its answer.
constexpr milliseconds kEscTakes{50};
// "One interval and jitter": EnvironmentCache::Options::jitter is a tenth.
constexpr double kFreshWithin = 11;
// Static environments are opened again once a day (--max-age), by two requests each.
constexpr double kOpensByAge = 2.0 * kAgents * kEnvironments / (24 * 3600);
// The API server: how often it tells of what was written, which comes at up to kWatch more.
constexpr milliseconds kCommit{100};
constexpr milliseconds kWatch{150};
constexpr milliseconds kNewsWithin{700};
constexpr char kBackend[] = "https://esc.test/api/esc";
constexpr char kStore[] = "ClusterSecretStore app";

struct Environment {
  Environment(cache::EnvironmentKey k, std::uint64_t seed) : key(std::move(k)), state({}, seed) {}
  cache::EnvironmentKey key;
  cache::EnvironmentState state;
};

struct Agent {
  Agent(VirtualClock& clock, std::uint_fast32_t seed)
      : heads({}, clock, seed), probes(clock, &heads, [](const cache::EnvironmentKey&) {}) {}
  freshness::SharedHeads heads;
  cache::ProbeTable probes;
  std::vector<Environment> environments;
  milliseconds watch_takes{0};
  std::array<std::size_t, freshness::kProbeShards> seen{};
  // When one of the environments is due, and when something is to be registered.
  Clock::TimePoint next{};
  Clock::TimePoint next_registration{};

  void Plan() {
    next = Clock::TimePoint::max();
    for (const Environment& environment : environments) {
      next = std::min(next, environment.state.next_attempt());
    }
    next_registration = heads.NextRegistration();
  }
};

// The API server's part: the shards' objects.
struct Shard {
  freshness::ShardData data;
  freshness::ProbeDuty::Writes pending;
  // Of each version.
  std::vector<Clock::TimePoint> written_at;
};

class Simulation {
 public:
  explicit Simulation(bool sharing) : esc_(clock_, kEnvironments) {
    for (int i = 0; i < kAgents; ++i) {
      agents_.push_back(std::make_unique<Agent>(clock_, random_()));
      Agent& agent = *agents_.back();
      agent.watch_takes = milliseconds(random_() % static_cast<unsigned>(kWatch.count()));
      if (sharing) agent.heads.NoteStore(kBackend, "identity", kStore);
      agent.heads.FollowLeases([](int shard) { return "agent-" + std::to_string(shard); });
      for (int e = 0; e < kEnvironments; ++e) {
        agent.environments.emplace_back(cache::EnvironmentKey{.backend = kBackend,
                                                              .ref = *esc::EnvironmentRef::Parse(
                                                                  "acme/web/" + std::to_string(e)),
                                                              .identity = "identity"},
                                        random_());
      }
    }
    for (int shard = 0; shard < freshness::kProbeShards; ++shard) {
      duties_.emplace_back(
          freshness::ProbeDuty::Options{.identity = "agent-" + std::to_string(shard),
                                        .interval = kInterval},
          random_());
    }
    Start();
  }

  void Run(milliseconds time) {
    const Clock::TimePoint end = clock_.now + time;
    while (clock_.now < end) {
      clock_.now += kStep;
      Cluster();
      for (const auto& agent : agents_) {
        if (agent->next > clock_.now) continue;
        for (Environment& environment : agent->environments) {
          if (environment.state.next_attempt() <= clock_.now) Attempt(*agent, environment);
        }
        agent->Plan();
      }
    }
  }

  // A new revision; how long until each agent had its values. `told`: one agent by webhook.
  std::vector<double> Change(int number, bool told) {
    const auto index = static_cast<std::size_t>(number);
    const std::string revision = std::to_string(++esc_.revisions.at(index));
    const Clock::TimePoint start = clock_.now;
    if (told) {
      for (std::size_t i = 0; i < agents_.size(); ++i) {
        cache::EnvironmentState& state = agents_[i]->environments[index].state;
        state.RequestOpen();
        // The first one was told; the others watch what it writes.
        state.NewsAt(i == 0 ? start : start + kCommit / 2 + agents_[i]->watch_takes,
                     i == 0 ? milliseconds(0) : kNewsWithin);
        agents_[i]->Plan();
      }
    }
    std::set<std::size_t> waiting;
    for (std::size_t i = 0; i < agents_.size(); ++i) waiting.insert(i);
    std::vector<double> took;
    while (!waiting.empty() && clock_.now - start < seconds(60)) {
      Run(kStep);
      std::erase_if(waiting, [&](std::size_t i) {
        const auto& snapshot = agents_[i]->environments[index].state.snapshot();
        if (snapshot->properties.Find("revision")->ScalarText() != revision) return false;
        took.push_back(std::chrono::duration<double>(clock_.now - start + 3 * kEscTakes).count());
        return true;
      });
    }
    took.resize(agents_.size(), 60);
    return took;
  }

  // How many environments of all agents are not known to be current.
  int Stale() const {
    int stale = 0;
    for (const auto& agent : agents_) {
      stale += static_cast<int>(
          std::ranges::count_if(agent->environments, [](const Environment& environment) {
            return environment.state.last_error().has_value();
          }));
    }
    return stale;
  }

  VirtualClock clock_;
  PlayedEsc esc_;

 private:
  // All have been opened before, at different times.
  void Start() {
    for (const auto& agent : agents_) {
      for (Environment& environment : agent->environments) {
        clock_.now += milliseconds(1);
        Attempt(*agent, environment);
      }
      agent->Plan();
    }
    Run(seconds(60));
  }

  void Attempt(Agent& agent, Environment& environment) {
    const cache::AttemptPlan plan = environment.state.Plan(clock_.now, kInterval);
    cache::AttemptResult result = cache::RunAttempt(agent.probes, esc_, environment.key, plan, {});
    environment.state.Apply(
        std::move(result),
        {.started = clock_.now, .finished = clock_.now, .wall_finished = clock_.WallNow()},
        kInterval);
    const auto session = environment.state.ClosureDue(clock_.now);
    if (!session) return;
    environment.state.TakeClosure(
        cache::LearnClosure(agent.probes, esc_, environment.key, *session, {}), clock_.now,
        kInterval);
  }

  void Cluster() {
    const bool commits = clock_.now.time_since_epoch() % kCommit == milliseconds(0);
    for (int number = 0; number < freshness::kProbeShards; ++number) {
      const auto index = static_cast<std::size_t>(number);
      for (const freshness::SharedTarget& target : duties_[index].TakeDue(clock_.now)) {
        duties_[index].Answered(target, esc_.Head(target.ref, {}), clock_.now);
      }
      if (commits) Commit(index);
      Tell(number);
    }
    if (!commits) return;
    for (const auto& agent : agents_) {
      if (agent->next_registration > clock_.now) continue;
      for (const auto& [number, targets] : agent->heads.TakeRegistrations()) {
        for (const freshness::SharedTarget& target : targets) {
          shards_.at(static_cast<std::size_t>(number))
              .pending[freshness::kTargetKey + target.Id()] =
              ToText(freshness::Registration{.target = target, .seen = clock_.WallNow()});
        }
      }
      agent->next_registration = agent->heads.NextRegistration();
    }
  }

  void Commit(std::size_t index) {
    Shard& shard = shards_.at(index);
    freshness::ProbeDuty::Writes writes = std::exchange(shard.pending, {});
    writes.merge(duties_[index].PendingWrites(clock_.now));
    if (writes.empty()) return;
    for (const auto& [name, text] : writes) {
      if (text) {
        shard.data[name] = *text;
      } else {
        shard.data.erase(name);
      }
    }
    shard.written_at.push_back(clock_.now);
    duties_[index].Observe(shard.data, clock_.now);
  }

  void Tell(int number) {
    const auto index = static_cast<std::size_t>(number);
    const Shard& shard = shards_.at(index);
    for (const auto& agent : agents_) {
      std::size_t& seen = agent->seen.at(index);
      if (seen == shard.written_at.size()) continue;
      if (clock_.now < shard.written_at[seen] + agent->watch_takes) continue;
      seen = shard.written_at.size();
      for (const freshness::SharedHeads::News& news : agent->heads.Observe(number, shard.data)) {
        for (Environment& environment : agent->environments) {
          if (std::ranges::find(news.keys, environment.key) == news.keys.end()) continue;
          environment.state.NewsAt(clock_.now, news.recovered ? kInterval / 5 : kNewsWithin);
        }
      }
      agent->Plan();
    }
  }

  std::minstd_rand random_{1};
  std::vector<std::unique_ptr<Agent>> agents_;
  std::vector<freshness::ProbeDuty> duties_;
  std::array<Shard, freshness::kProbeShards> shards_;
};

double Percentile99(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() * 99 / 100);
}

void Steady(Simulation& simulation, bool sharing, std::vector<Row>& rows) {
  const Clock::TimePoint start = simulation.clock_.now;
  simulation.Run(seconds(100));
  const double rate = simulation.esc_.Since(start) / 100.0 + kOpensByAge;
  const std::string unit = " /s";
  if (sharing) {
    rows.push_back(Compare("requests at ESC, shared, nothing changes", rate,
                           1.5 * kEnvironments / 10.0, unit));
  } else {
    rows.push_back({"the same, each agent by itself", testing::Decimal(rate) + unit, "-", "-"});
  }
}

void Changes(Simulation& simulation, bool told, std::vector<Row>& rows) {
  std::vector<double> all;
  for (int number = 0; number < 5; ++number) {
    const std::vector<double> took = simulation.Change(number, told);
    all.insert(all.end(), took.begin(), took.end());
    simulation.Run(milliseconds(7300));
  }
  rows.push_back(Compare(told ? "change to visible on all nodes, webhook, p99"
                              : "change to visible on all nodes, polling, p99",
                         Percentile99(all), told ? 1 : 11, " s"));
}

// `steady`: what may be asked for in a second when nothing is wrong; at the end of an outage not
// more than twice that.
void Outage(Simulation& simulation, const std::string& what, seconds length, double steady,
            std::vector<Row>& rows) {
  simulation.esc_.down = true;
  simulation.Run(length / 2);
  const Clock::TimePoint middle = simulation.clock_.now;
  simulation.Run(length / 2);
  const double during = simulation.esc_.Since(middle) / static_cast<double>((length / 2).count());
  simulation.esc_.down = false;
  const Clock::TimePoint back = simulation.clock_.now;
  int steps = 0;
  while (simulation.Stale() > 0 && steps++ < 600) simulation.Run(milliseconds(100));
  const double all_fresh = std::chrono::duration<double>(simulation.clock_.now - back).count();
  const Clock::TimePoint end = simulation.clock_.now;
  const double mean = simulation.esc_.Since(back) / std::max(all_fresh, 1.0);
  simulation.Run(seconds(60));
  const double after = simulation.esc_.Since(end) / 60.0;
  rows.push_back(Compare(what + ": requests while ESC is away", during, 2 * steady, " /s"));
  rows.push_back(Compare(what + ": at recovery, peak in a second", simulation.esc_.PeakSince(back),
                         2 * steady, " /s"));
  rows.push_back(Compare(what + ": at recovery, mean", mean, 2 * steady, " /s"));
  rows.push_back(Compare(what + ": in the minute after it", after, 2 * steady, " /s"));
  rows.push_back(Compare(what + ": all fresh again after", all_fresh, kFreshWithin, " s"));
}

int Main() {
  std::vector<Row> rows;
  // A look of each agent at each environment an interval.
  constexpr double kAll = kAgents * kEnvironments / 10.0;
  {
    Simulation simulation(/*sharing=*/true);
    Steady(simulation, /*sharing=*/true, rows);
    Changes(simulation, /*told=*/true, rows);
    Changes(simulation, /*told=*/false, rows);
    // Beside the looks for all each agent tries once in half a minute.
    Outage(simulation, "shared, 10 min outage", seconds(600),
           1.5 * kEnvironments / 10.0 + kAgents / 30.0, rows);
  }
  {
    Simulation simulation(/*sharing=*/false);
    Steady(simulation, /*sharing=*/false, rows);
    Outage(simulation, "each by itself, 2 min outage", seconds(120), kAll, rows);
  }
  testing::PrintTable("1,000 agents with 20 environments, looked at every 10 s (simulated)", rows);
  std::printf("\nsimulated in %.0f s of CPU time\n", testing::CpuSeconds(getpid()));
  return 0;
}

}  // namespace
}  // namespace escagent

int main() { return escagent::Main(); }
