// Serves a volume from what fuse_takeover_test kept of it, until it is killed.
//   takeover_agent SESSION-NUMBER [journal] [resend]

#include <sys/prctl.h>

#include <csignal>
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

// Older ones are given up, as after the grace that others get for that.
constexpr std::uint64_t kKeptGenerations = 4;

// Has the renames made, and finishes what they do not.
void Rotate(Session& session, const Rotation& rotation, std::uint32_t number,
            const UniqueFd& state) {
  const std::uint64_t generation = rotation.current->Number();
  UniqueFd none;
  if (!Send(kSocketFd,
            {.said = Said::kRotate,
             .number = number,
             .old_generation = rotation.previous->Number(),
             .new_generation = generation},
            state.Get())) {
    std::_Exit(0);
  }
  const std::optional<Note> reply = Receive(kSocketFd, none);
  if (!reply) std::_Exit(0);
  if (reply->error != 0) Fail("the renames fail with errno " + std::to_string(reply->error));
  if (session.Tree().CurrentNumber() != generation) Fail("the renames have not committed");
  session.Tree().FinishRotation();
  session.Settle(generation);
  session.Expire(generation - kKeptGenerations);
  Send(kSocketFd, {.said = Said::kDone, .number = number});
}

void Publish(Session& session, CacheProfile cache, std::uint32_t number) {
  SecretTree& tree = session.Tree();
  const auto rotation = Need(tree.Prepare(NumberedSpec(number), std::chrono::system_clock::now()));
  if (!rotation) Fail("the rotation changes nothing");
  Rotate(session, *rotation, number,
         Need(EncodeTree({.tree = tree.Save(), .cache = cache, .init = session.Init()})));
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
  if (const auto rotation = session->Tree().LastRotation()) Rotate(*session, *rotation, 0, {});
  Send(kSocketFd, {.said = Said::kReady});
  UniqueFd none;
  while (const auto note = Receive(kSocketFd, none)) Publish(*session, saved.cache, note->number);
  return 0;
}

}  // namespace
}  // namespace escagent::fuse

int main(int argc, char** argv) {
  // The test may hang, and then its watchdog ends it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  bool journal = false;
  bool resend = false;
  for (int i = 2; i < argc; ++i) {
    journal = journal || std::string_view(argv[i]) == "journal";
    resend = resend || std::string_view(argv[i]) == "resend";
  }
  return argc < 2 ? 2 : escagent::fuse::Main(argv[1], journal, resend);
}
