#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

#include "fuse/keeper/keeper.h"
#include "fuse/keeper/sockets.h"

// The new keeper's side: it asks, so that the old one never waits for it.
namespace escagent::keeper {
namespace {

constexpr long kBusyMs = 30000;
constexpr int kPauseMs = 20;

int Ask(int old_keeper, Verb verb, std::uint64_t index, Received* in) {
  *in = Received();
  Message request = NewMessage(verb);
  request.numbers[0] = index;
  if (const int error = Send(old_keeper, request, nullptr, 0, 0)) return error;
  if (Receive(old_keeper, in, 0) != Arrival::kMessage) return ECONNRESET;
  return in->message.status;
}

}  // namespace

int Keeper::TakeOver(int old_keeper) {
  const timeval patience = {5, 0};
  setsockopt(old_keeper, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  Received first;
  const long deadline = NowMs() + kBusyMs;
  int error = Ask(old_keeper, Verb::kTakeover, 0, &first);
  while (error == EBUSY && NowMs() < deadline) {
    poll(nullptr, 0, kPauseMs);
    error = Ask(old_keeper, Verb::kTakeover, 0, &first);
  }
  if (error == 0) error = FetchKept(old_keeper);
  Received done;
  if (error == 0) error = Ask(old_keeper, Verb::kTakeoverDone, 0, &done);
  if (error != 0) {
    Log("cannot take over from the old keeper", "", error);
    return error;
  }
  predecessor_died_ = (first.message.flags & kPredecessorDied) != 0;
  if ((first.message.flags & kHasAgent) == 0) return 0;
  agent_ = &connections_[0];
  agent_->socket = std::move(first.fds[0]);
  agent_->process = std::move(first.fds[1]);
  agent_->id = ++last_id_;
  agent_ready_ = (first.message.flags & kAgentReady) != 0;
  if (agent_ready_) watchdog_deadline_ = 0;
  Message hint = NewMessage(Verb::kNewKeeper);
  hint.numbers[1] = static_cast<std::uint64_t>(rotator_.Thread());
  Send(agent_->socket.Get(), hint, nullptr, 0, MSG_DONTWAIT);
  return 0;
}

int Keeper::FetchKept(int old_keeper) {
  Received in;
  if (const int error = Ask(old_keeper, Verb::kGetJournal, 0, &in)) return error;
  journal_ = std::move(in.fds[0]);
  if (const int error = Ask(old_keeper, Verb::kGetSockets, 0, &in)) return error;
  unsigned next = 0;
  listener_ = std::move(in.fds[next++]);
  if ((in.message.flags & kHasCsi) != 0) csi_ = std::move(in.fds[next++]);
  if ((in.message.flags & kHasRegistration) != 0) registration_ = std::move(in.fds[next]);
  std::uint64_t index = 0;
  int error = 0;
  while ((error = Ask(old_keeper, Verb::kList, index, &in)) == 0) {
    const Message& m = in.message;
    index = m.numbers[2];
    Volume* const v = volumes_.Add(m.volume, m.pod_uid, m.volume_name);
    if (v == nullptr) return ENOMEM;
    v->generation = m.numbers[0];
    v->device_number = m.numbers[1];
    v->tmpfs = (m.flags & kTmpfs) != 0;
    v->no_swap = (m.flags & kNoSwap) != 0;
    v->aborted = (m.flags & kAborted) != 0;
    next = 0;
    if ((m.flags & kHasDevice) != 0) v->device = std::move(in.fds[next++]);
    if ((m.flags & kHasState) != 0) v->state = std::move(in.fds[next++]);
    if ((m.flags & kHasMount) != 0) v->mount = std::move(in.fds[next++]);
    if ((m.flags & kHasNewState) != 0) v->new_state = std::move(in.fds[next]);
  }
  index = 0;
  if (error != ENOENT) return error;
  while ((error = Ask(old_keeper, Verb::kListBlobs, index, &in)) == 0) {
    index = in.message.numbers[2];
    Blob* const blob = volumes_.AddBlob(in.message.text);
    if (blob == nullptr) return ENOMEM;
    next = 0;
    if ((in.message.flags & kHasState) != 0) blob->state = std::move(in.fds[next++]);
    if ((in.message.flags & kHasNewState) != 0) blob->new_state = std::move(in.fds[next]);
  }
  return error == ENOENT ? 0 : error;
}

}  // namespace escagent::keeper
