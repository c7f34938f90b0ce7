// Serves a volume from what fuse_takeover_test kept of it, until it is killed.
//   takeover_agent SESSION-NUMBER [journal] [resend]

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuse/event_loop.h"
#include "fuse/journal.h"
#include "fuse/session.h"
#include "fuse/tree_codec.h"
#include "tests/component/fuse/takeover_protocol.h"

namespace escagent::fuse {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "takeover_agent: %s\n", what.c_str());
  std::_Exit(1);
}

template <class T>
T Need(Result<T> result) {
  if (!result) Fail(result.error().ToString());
  return *std::move(result);
}

void Show(Session& session, const Rotation& rotation) {
  session.Announce(rotation);
  session.Settle(rotation.current->Number());
  session.Tree().Expire(rotation.previous->Number());
}

void Rotate(Session& session, CacheProfile cache, std::uint32_t number) {
  SecretTree& tree = session.Tree();
  const auto rotation = Need(tree.Prepare(NumberedSpec(number), std::chrono::system_clock::now()));
  if (!rotation) Fail("the rotation changes nothing");
  const UniqueFd state =
      Need(EncodeTree({.tree = tree.Save(), .cache = cache, .init = session.Init()}));
  UniqueFd none;
  if (!Send(kSocketFd, {Said::kSaved, number}, state.Get()) || !Receive(kSocketFd, none)) {
    std::_Exit(0);
  }
  tree.Commit();
  Show(session, *rotation);
  Send(kSocketFd, {Said::kDone, number});
}

int Main(std::string_view id, bool with_journal, bool with_resend) {
  const std::uint64_t number = std::stoull(std::string(id));
  SavedVolume saved = Need(DecodeTree(UniqueFd(kStateFd)));
  const std::shared_ptr<Session> session =
      Need(Session::Resume(UniqueFd(kDeviceFd), Need(SecretTree::Restore(std::move(saved.tree))),
                           saved.cache, saved.init));
  std::shared_ptr<Journal> journal;
  if (with_journal) {
    journal = Need(Journal::Attach(UniqueFd(kJournalFd)));
    journal->Replay([&](std::uint64_t of, std::span<std::byte> request) {
      if (of != number) Fail("a request of another session");
      session->Answer(request);
    });
  }
  const std::unique_ptr<EventLoop> loop = Need(EventLoop::Create(2, journal));
  if (with_resend && !Need(session->Resend())) Fail("the kernel cannot resend");
  if (const Status added = loop->Add(session, number); !added) Fail(added.error().ToString());
  if (const auto rotation = session->Tree().LastRotation()) Show(*session, *rotation);
  Send(kSocketFd, {Said::kReady, 0});
  UniqueFd none;
  while (const auto note = Receive(kSocketFd, none)) Rotate(*session, saved.cache, note->number);
  return 0;
}

}  // namespace
}  // namespace escagent::fuse

int main(int argc, char** argv) {
  bool journal = false;
  bool resend = false;
  for (int i = 2; i < argc; ++i) {
    journal = journal || std::string_view(argv[i]) == "journal";
    resend = resend || std::string_view(argv[i]) == "resend";
  }
  return argc < 2 ? 2 : escagent::fuse::Main(argv[1], journal, resend);
}
