#include "fuse/session.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "fuse/session_ops.h"

namespace escagent::fuse {
namespace {

// Frozen: see the class comment. READDIRPLUS, splice and the write-back cache bring nothing here.
// AUTO_INVAL_DATA drops the pages of a file whose time changed, which is how retired files that
// follow the rotations stay right without anybody keeping a list of them.
constexpr unsigned kWantedCapabilities = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
                                         FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_AUTO_INVAL_DATA;
constexpr unsigned kMaxWrite = 4096;
// RELEASE counts as a background request; the kernel's default of 12 would slow closing down.
constexpr unsigned kMaxBackground = 64;

constexpr double kSecondsNone = 1;
constexpr double kSecondsPage = 60;
constexpr double kSecondsFull = 24 * 60 * 60;

// linux/fuse.h: struct fuse_out_header, and FUSE_NOTIFY_RESEND of Linux 6.9, which the headers of
// older systems lack. A message with unique 0 is a notification and `error` its code.
struct NotificationHeader {
  std::uint32_t size;
  std::int32_t code;
  std::uint64_t unique;
};
constexpr std::int32_t kNotifyResend = 7;

void MarkAnswered(std::span<std::byte> buffer) {
  constexpr std::uint32_t kNoSize = 0;
  std::memcpy(buffer.data(), &kNoSize, sizeof kNoSize);
}

}  // namespace

Session::Session(std::unique_ptr<SecretTree> tree, CacheProfile cache)
    : tree_(std::move(tree)), cache_(cache) {}

Session::~Session() {
  if (session_ != nullptr) fuse_session_destroy(session_);
}

Result<std::shared_ptr<Session>> Session::Start(UniqueFd device, std::unique_ptr<SecretTree> tree,
                                                CacheProfile cache,
                                                std::chrono::milliseconds timeout) {
  std::shared_ptr<Session> made(new Session(std::move(tree), cache));
  ESC_RETURN_IF_ERROR(made->Open(std::move(device)));
  ESC_RETURN_IF_ERROR(made->AnswerInit(timeout));
  return made;
}

Result<std::shared_ptr<Session>> Session::Resume(UniqueFd device, std::unique_ptr<SecretTree> tree,
                                                 CacheProfile cache, const SessionInit& init) {
  const int flags = fcntl(device.Get(), F_GETFL);
  if (flags < 0 || fcntl(device.Get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError(errno, "resume FUSE session: use the descriptor");
  }
  // What libfuse answers to the replayed FUSE_INIT must not reach the kernel.
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return ErrnoError(errno, "resume FUSE session: open /dev/null");
  std::shared_ptr<Session> made(new Session(std::move(tree), cache));
  ESC_RETURN_IF_ERROR(made->Open(std::move(null)));
  made->init_.request = init.request;
  ESC_RETURN_IF_ERROR(made->ProcessInit());
  if (!made->init_.SameAgreement(init)) {
    return FailedPrecondition(
        "resume FUSE session: this version of esc-agent wants another agreement with the kernel "
        "than the one that mounted the volume; start its pod anew");
  }
  if (dup3(device.Get(), made->fd_, O_CLOEXEC) < 0) {
    return ErrnoError(errno, "resume FUSE session: put the descriptor in place");
  }
  return made;
}

Status Session::Open(UniqueFd device) {
  std::string program = "esc-agent";
  std::array<char*, 2> arguments = {program.data(), nullptr};
  fuse_args args = {.argc = 1, .argv = arguments.data(), .allocated = 0};
  session_ = fuse_session_new(&args, &SessionOps(), sizeof(fuse_lowlevel_ops), this);
  // Parsing has put a copy of its own into args.
  fuse_opt_free_args(&args);
  if (session_ == nullptr) return Internal("start FUSE session: libfuse refused it");
  const std::string descriptor = "/dev/fd/" + std::to_string(device.Get());
  if (fuse_session_mount(session_, descriptor.c_str()) != 0) {
    return Internal("start FUSE session: libfuse refused the descriptor");
  }
  fd_ = device.Release();
  return {};
}

Status Session::AnswerInit(std::chrono::milliseconds timeout) {
  pollfd waiting = {.fd = fd_, .events = POLLIN, .revents = 0};
  const int ready = poll(&waiting, 1, static_cast<int>(timeout.count()));
  if (ready < 0) return ErrnoError(errno, "wait for the kernel's FUSE_INIT");
  if (ready == 0) {
    return MakeError(Code::kDeadlineExceeded, "wait for the kernel's FUSE_INIT: it did not come");
  }
  alignas(8) std::array<std::byte, kBufferSize> buffer;
  const ssize_t size = read(fd_, buffer.data(), buffer.size());
  if (size < 0) return ErrnoError(errno, "read the kernel's FUSE_INIT");
  // Without the buffer's spare room: there is one of these for each volume.
  init_.request.assign(buffer.begin(), buffer.begin() + size);
  return ProcessInit();
}

Status Session::ProcessInit() {
  // struct fuse_in_header and the two versions that begin fuse_init_in (linux/fuse.h): libfuse
  // looks at no more before it knows the version, and does not check.
  constexpr std::size_t kLeast = 40 + 16;
  if (init_.request.size() < kLeast || init_.request.size() > kBufferSize) {
    return InvalidArgument("answer FUSE_INIT: this is none");
  }
  // libfuse may write into it.
  alignas(8) std::array<std::byte, kBufferSize> buffer = {};
  std::ranges::copy(init_.request, buffer.begin());
  fuse_buf request = {};
  request.size = init_.request.size();
  request.mem = buffer.data();
  fuse_session_process_buf(session_, &request);
  if (fuse_session_exited(session_)) {
    return FailedPrecondition("answer FUSE_INIT: libfuse cannot speak this kernel's version");
  }
  return {};
}

bool Session::Serve(std::span<std::byte> buffer, int max_requests) {
  MarkAnswered(buffer);
  for (int i = 0; i < max_requests; ++i) {
    const ssize_t size = read(fd_, buffer.data(), buffer.size());
    if (size < 0) {
      // ENOENT: whoever asked was interrupted between our read and the kernel's answer to it.
      if (errno == EINTR || errno == ENOENT) continue;
      if (errno == EAGAIN) return true;
      ended_.store(true, std::memory_order_release);
      fuse_session_exit(session_);
      return false;
    }
    Answer(buffer.first(static_cast<std::size_t>(size)));
    MarkAnswered(buffer);
  }
  return true;
}

void Session::Answer(std::span<std::byte> request) {
  fuse_buf buffer = {};
  buffer.size = request.size();
  buffer.mem = request.data();
  fuse_session_process_buf(session_, &buffer);
}

Result<bool> Session::Resend() {
  const NotificationHeader message = {
      .size = sizeof(NotificationHeader), .code = kNotifyResend, .unique = 0};
  if (write(fd_, &message, sizeof message) == ssize_t{sizeof message}) return true;
  if (errno == EINVAL) return false;
  return ErrnoError(errno, "ask the kernel for unanswered FUSE requests");
}

// What the kernel never cached answers ENOENT, and a connection that is over ENODEV or ENOTCONN:
// both leave nothing stale behind.
void Session::ForgetEntry(std::uint64_t folder, std::string_view name) {
  fuse_lowlevel_notify_inval_entry(session_, folder, name.data(), name.size());
}

void Session::Announce(const Rotation& rotation) {
  if (Ended()) return;
  ForgetEntry(kRootInode, kDataLink);
  for (const std::string& key : rotation.removed_keys) ForgetEntry(kRootInode, key);
  fuse_lowlevel_notify_inval_inode(session_, kRootInode, -1, 0);
  ExpireFiles(*rotation.previous);
}

// From now on the files of the retired generation's folders are looked up as pinned ones. Expired
// and not dropped, where the kernel can: a dropped one that is bind-mounted (subPath) cannot be
// bound again when its container restarts.
void Session::ExpireFiles(const Generation& retired) {
  for (const GenerationNode& node : retired.Nodes()) {
    if (!node.is_folder) continue;
    const std::uint64_t folder = MakeInode({.generation = retired.Number(), .index = node.index});
    for (const GenerationNode::Child& child : node.children) {
      if (retired.Nodes()[child.slot].is_folder || Ended()) continue;
      const int result = fuse_lowlevel_notify_expire_entry(session_, folder, child.name.data(),
                                                           child.name.size(), FUSE_LL_EXPIRE_ONLY);
      if (result == -ENOSYS) ForgetEntry(folder, child.name);
    }
  }
}

void Session::Settle(std::uint64_t number) {
  for (const auto& generation : tree_->Settle(number)) {
    for (const GenerationNode& node : generation->Nodes()) {
      if (node.is_folder || Ended()) continue;
      const std::uint64_t inode =
          MakeInode({.generation = generation->Number(), .index = node.index});
      // The attributes only: the next read finds another time, and drops the pages. Those who have
      // the file open find the same time, and still read from them.
      fuse_lowlevel_notify_inval_inode(session_, inode, -1, 0);
    }
  }
}

void Session::Expire(std::uint64_t number) {
  for (const auto& generation : tree_->Retained()) {
    if (generation->Number() < number) ExpireFiles(*generation);
  }
  tree_->Expire(number);
}

void Session::NoteOpen(const fuse_ctx& caller, std::uint64_t inode, std::uint64_t handle,
                       int error) const {
  if (!open_listener_) return;
  Reply<ShownFile> file = tree_->Describe(inode, handle);
  if (!file) return;
  open_listener_({.file = *std::move(file),
                  .uid = caller.uid,
                  .gid = caller.gid,
                  .pid = caller.pid,
                  .error = error});
}

void Session::NoteFolder(std::uint64_t inode, std::uint64_t handle, bool open) const {
  if (folder_listener_ && inode != kRootInode) folder_listener_(handle & kMaxGeneration, open);
}

double Session::CacheSeconds() const {
  switch (cache_) {
    case CacheProfile::kNone:
      return kSecondsNone;
    case CacheProfile::kPage:
      return kSecondsPage;
    case CacheProfile::kFull:
      return kSecondsFull;
  }
  return 0;
}

void Session::Negotiate(fuse_conn_info* connection) {
  connection->want = kWantedCapabilities & connection->capable;
  connection->max_write = kMaxWrite;
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground * 3 / 4;
  init_.capabilities = connection->want;
  init_.max_write = kMaxWrite;
  init_.max_background = kMaxBackground;
}

}  // namespace escagent::fuse
