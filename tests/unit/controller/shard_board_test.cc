#include "agent/controller/shard_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace escagent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = ShardBoard::Kind;

constexpr int kShards = 8;

// The API server's leases, as the boards' actions write them.
class Server {
 public:
  // Code::kOk, or why it was not written.
  Code Write(const ShardBoard::Action& action, kube::Lease& written) {
    kube::Lease& stored = leases_[action.shard];
    const bool exists = !stored.resource_version.empty();
    if (action.kind == Kind::kCreate && exists) return Code::kAlreadyExists;
    if (action.kind != Kind::kCreate && !exists) return Code::kNotFound;
    if (action.kind != Kind::kCreate && action.lease.resource_version != stored.resource_version) {
      return Code::kAborted;
    }
    stored = action.lease;
    stored.resource_version = std::to_string(++version_);
    written = stored;
    return Code::kOk;
  }
  const kube::Lease& Get(int shard) { return leases_[shard]; }
  void Delete(int shard) { leases_.erase(shard); }
  const std::map<int, kube::Lease>& leases() const { return leases_; }

 private:
  std::map<int, kube::Lease> leases_;
  int version_ = 100;
};

// One agent: a board that talks to the server without delay.
class Agent {
 public:
  Agent(Server& server, const std::string& identity)
      : server_(server),
        identity_(identity),
        board_({.namespace_name = "esc", .identity = identity}, 7) {}

  // What the watch tells: everything that is new.
  void Watch(ShardBoard::Time now) {
    for (const auto& [shard, lease] : server_.leases()) board_.Observe(shard, lease, now);
    board_.NoteListed();
  }
  // Acts until there is nothing to do now. Work ends at once.
  void Act(ShardBoard::Time now) {
    const Clock::WallTime wall(now.time_since_epoch());
    while (const auto action = board_.Next(now, wall)) {
      ShardBoard::Action written = *action;
      if (action->kind == Kind::kAsk) {
        written.lease.annotations[kWantedByAnnotation] = identity_;
        ++asked_;
      }
      kube::Lease lease;
      const Code code = server_.Write(written, lease);
      if (code == Code::kOk) {
        board_.Succeeded(*action, lease, now);
      } else {
        board_.Failed(*action, code, now);
        if (code == Code::kAborted || code == Code::kAlreadyExists) {
          board_.ObserveNewest(action->shard, server_.Get(action->shard), now);
        }
      }
      TakeEvents();
    }
    TakeEvents();
  }
  void Step(ShardBoard::Time now) {
    Watch(now);
    Act(now);
  }
  int Usable(ShardBoard::Time now) const {
    int count = 0;
    for (int shard = 0; shard < kShards; ++shard) count += Uses(shard, now) ? 1 : 0;
    return count;
  }
  bool Uses(int shard, ShardBoard::Time now) const {
    const auto until = board_.UsableUntil(shard);
    return until && now < *until;
  }

  ShardBoard& board() { return board_; }
  bool work_ends = true;
  std::vector<int> lost;
  int asked() const { return asked_; }

 private:
  void TakeEvents() {
    for (const ShardBoard::Event& event : board_.TakeEvents()) {
      if (event.held) continue;
      lost.push_back(event.shard);
      if (work_ends) board_.Drained(event.shard);
    }
  }

  Server& server_;
  const std::string identity_;
  ShardBoard board_;
  int asked_ = 0;
};

class ShardBoardTest : public ::testing::Test {
 protected:
  // Lets the agents act every 50 ms, and checks that no shard is used by two.
  void Run(std::vector<Agent*> agents, milliseconds time) {
    for (const auto end = now_ + time; now_ < end; now_ += milliseconds(50)) {
      for (Agent* agent : agents) agent->Step(now_);
      Check(agents);
    }
  }
  void Check(const std::vector<Agent*>& agents) const {
    for (int shard = 0; shard < kShards; ++shard) {
      const auto users = std::ranges::count_if(
          agents, [&](const Agent* agent) { return agent->Uses(shard, now_); });
      ASSERT_LE(users, 1) << "shard " << shard;
    }
  }

  Server server_;
  ShardBoard::Time now_{std::chrono::hours(1000)};
};

TEST_F(ShardBoardTest, NamesOfLeases) {
  const ShardBoard board({.namespace_name = "esc", .identity = "a"}, 1);
  EXPECT_EQ(board.LeaseName(3), "esc-agent-mirror-3");
  EXPECT_EQ(board.ShardOfLease("esc-agent-mirror-3"), 3);
  for (const char* name : {"esc-agent-mirror-8", "esc-agent-mirror-", "esc-agent-mirror-1x",
                           "esc-agent-mirror--1", "other-3"}) {
    EXPECT_EQ(board.ShardOfLease(name), std::nullopt) << name;
  }
}

TEST_F(ShardBoardTest, NothingIsMadeBeforeTheListing) {
  Agent a(server_, "a");
  a.Act(now_);
  EXPECT_TRUE(server_.leases().empty());
}

TEST_F(ShardBoardTest, OneAgentTakesAllSoon) {
  Agent a(server_, "a");
  Run({&a}, milliseconds(1000));
  EXPECT_EQ(a.Usable(now_), kShards);
  const kube::Lease& lease = server_.Get(5);
  EXPECT_EQ(lease.key, (kube::ObjectKey{"esc", "esc-agent-mirror-5"}));
  EXPECT_EQ(lease.labels.at(kShardLabel), "5");
  EXPECT_EQ(lease.holder_identity, "a");
  EXPECT_EQ(lease.duration, seconds(12));
  EXPECT_TRUE(lease.renew_time && lease.acquire_time);
  Run({&a}, seconds(60));
  EXPECT_EQ(a.Usable(now_), kShards);
  EXPECT_TRUE(a.lost.empty());
  EXPECT_EQ(server_.Get(5).transitions, 1) << "a renewal is no transition";
}

TEST_F(ShardBoardTest, AgentsThatStartTogetherShareAlike) {
  Agent a(server_, "a");
  Agent b(server_, "b");
  Run({&a, &b}, seconds(30));
  EXPECT_EQ(a.Usable(now_), kShards / 2);
  EXPECT_EQ(b.Usable(now_), kShards / 2);
}

TEST_F(ShardBoardTest, AnAgentThatComesLaterGetsItsShareOneByOne) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  Agent b(server_, "b");
  Run({&a, &b}, milliseconds(500));
  EXPECT_EQ(b.Usable(now_), 1) << "the first one at once";
  Run({&a, &b}, seconds(3));
  EXPECT_EQ(b.Usable(now_), 1) << "one move in five seconds";
  Run({&a, &b}, seconds(30));
  EXPECT_EQ(b.Usable(now_), kShards / 2);
  Agent c(server_, "c");
  Run({&a, &b, &c}, seconds(40));
  EXPECT_GE(c.Usable(now_), 2);
  EXPECT_EQ(a.Usable(now_) + b.Usable(now_) + c.Usable(now_), kShards);
  const std::size_t moves = a.lost.size() + b.lost.size() + c.lost.size();
  Run({&a, &b, &c}, seconds(60));
  EXPECT_EQ(a.lost.size() + b.lost.size() + c.lost.size(), moves) << "and then all is quiet";
}

TEST_F(ShardBoardTest, AShardIsGivenAwayWhenTheWorkOnItHasEnded) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  a.work_ends = false;
  Agent b(server_, "b");
  Run({&a, &b}, seconds(20));
  ASSERT_FALSE(a.lost.empty());
  const int shard = a.lost.front();
  EXPECT_FALSE(a.Uses(shard, now_));
  EXPECT_EQ(server_.Get(shard).holder_identity, "a") << "renewed until the work has ended";
  EXPECT_EQ(b.Usable(now_), 0);
  a.board().Drained(shard);
  Run({&a, &b}, milliseconds(200));
  EXPECT_EQ(server_.Get(shard).holder_identity, "b");
  EXPECT_TRUE(b.Uses(shard, now_));
  EXPECT_FALSE(server_.Get(shard).annotations.contains(kWantedByAnnotation));
}

TEST_F(ShardBoardTest, AnotherAgentFollowsACrash) {
  Agent a(server_, "a");
  Agent b(server_, "b");
  Run({&a, &b}, seconds(30));
  ASSERT_EQ(a.Usable(now_), kShards / 2);
  Run({&b}, seconds(9));
  EXPECT_EQ(b.Usable(now_), kShards / 2) << "not before the leases are over";
  Run({&b}, milliseconds(5500));
  EXPECT_EQ(b.Usable(now_), kShards);
}

TEST_F(ShardBoardTest, WhoCannotRenewStopsBeforeOthersBegin) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  Agent b(server_, "b");
  b.Watch(now_);
  // The last renewal that the others see is older than the one that counts for `a`.
  for (const auto end = now_ + seconds(14); now_ < end; now_ += milliseconds(50)) {
    // `a` has no connection: its actions fail.
    while (const auto action = a.board().Next(now_, {})) {
      a.board().Failed(*action, Code::kUnavailable, now_);
    }
    b.Step(now_);
    Check({&a, &b});
  }
  EXPECT_EQ(a.Usable(now_), 0);
  EXPECT_EQ(b.Usable(now_), kShards);
  const std::vector<ShardBoard::Event> events = a.board().TakeEvents();
  EXPECT_EQ(events.size(), static_cast<std::size_t>(kShards)) << "told to stop";
  EXPECT_TRUE(std::ranges::none_of(events, &ShardBoard::Event::held));
}

TEST_F(ShardBoardTest, AShardIsNotTakenBackWhileWorkOnItGoesOn) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  a.work_ends = false;
  for (const auto end = now_ + seconds(12); now_ < end; now_ += milliseconds(100)) {
    while (const auto action = a.board().Next(now_, {})) {
      a.board().Failed(*action, Code::kUnavailable, now_);
    }
  }
  Run({&a}, seconds(2));
  EXPECT_EQ(a.Usable(now_), 0);
  for (int shard = 0; shard < kShards; ++shard) a.board().Drained(shard);
  Run({&a}, seconds(2));
  EXPECT_EQ(a.Usable(now_), kShards);
}

TEST_F(ShardBoardTest, AFreeLeaseIsTakenAtOnce) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  for (kube::Lease lease : a.board().Held()) {
    lease.holder_identity.clear();
    kube::Lease written;
    const int shard = *a.board().ShardOfLease(lease.key.name);
    ASSERT_EQ(server_.Write({Kind::kTake, shard, lease}, written), Code::kOk);
  }
  Agent b(server_, "b");
  Run({&b}, milliseconds(1000));
  EXPECT_EQ(b.Usable(now_), kShards);
}

TEST_F(ShardBoardTest, AnOlderStateFromTheWatchIsNoLoss) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  kube::Lease old = server_.Get(3);
  old.holder_identity = "somebody";
  old.resource_version = "50";
  a.board().Observe(3, old, now_);
  a.Act(now_);
  EXPECT_TRUE(a.Uses(3, now_));
  EXPECT_TRUE(a.lost.empty());
}

TEST_F(ShardBoardTest, AStolenLeaseIsLostAtTheNextWrite) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  kube::Lease stolen = server_.Get(3);
  stolen.holder_identity = "thief";
  kube::Lease written;
  ASSERT_EQ(server_.Write({Kind::kTake, 3, stolen}, written), Code::kOk);
  a.Step(now_);
  EXPECT_FALSE(a.Uses(3, now_));
  EXPECT_THAT(a.lost, ::testing::ElementsAre(3));
}

TEST_F(ShardBoardTest, ADeletedLeaseIsLostAndMadeAgain) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  server_.Delete(3);
  a.board().ObserveGone(3, now_);
  EXPECT_FALSE(a.Uses(3, now_)) << "somebody else could have it by now";
  Run({&a}, seconds(2));
  EXPECT_THAT(a.lost, ::testing::ElementsAre(3));
  EXPECT_TRUE(a.Uses(3, now_));
  EXPECT_EQ(server_.Get(3).transitions, 1) << "a new one";
}

TEST_F(ShardBoardTest, ARequestOfOneThatHasEnoughIsNotHeard) {
  Agent a(server_, "a");
  Agent b(server_, "b");
  Run({&a, &b}, seconds(30));
  ASSERT_EQ(b.Usable(now_), kShards / 2);
  const int shard = a.Uses(0, now_) ? 0 : *a.board().ShardOfLease(a.board().Held()[0].key.name);
  kube::Lease lease = server_.Get(shard);
  lease.annotations[kWantedByAnnotation] = "b";
  kube::Lease written;
  ASSERT_EQ(server_.Write({Kind::kAsk, shard, lease}, written), Code::kOk);
  const std::size_t lost = a.lost.size();
  Run({&a, &b}, seconds(10));
  EXPECT_EQ(a.lost.size(), lost);
  EXPECT_FALSE(server_.Get(shard).annotations.contains(kWantedByAnnotation))
      << "the next renewal removes it";
}

TEST_F(ShardBoardTest, NextTimeIsWhenSomethingHappens) {
  Agent a(server_, "a");
  Run({&a}, seconds(2));
  const auto next = a.board().NextTime(now_);
  EXPECT_GT(next, now_);
  EXPECT_LE(next, now_ + seconds(4));
  a.Act(next);
  EXPECT_GT(a.board().NextTime(next), next);
}

}  // namespace
}  // namespace escagent::controller
