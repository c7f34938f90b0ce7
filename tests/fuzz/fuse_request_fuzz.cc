// Requests of the kernel, as a journal that was tampered with may hold them: whatever inode,
// handle, name or size they name, each gets one answer of the right shape, and the volume stays
// whole. The frame of a request is as the kernel makes it (libfuse trusts it): a size that is true,
// texts that end.
//
// Input: requests, each a byte with the operation, one with the inode, one with the length of the
// arguments, and these.
#include <linux/fuse.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fuse/session.h"

namespace {

using escagent::Secret;
using escagent::UniqueFd;
namespace fuse = escagent::fuse;

constexpr std::uint64_t kNumber = 1700000000;
// What a connection like ours can be asked.
constexpr std::array<std::uint32_t, 29> kOperations = {
    FUSE_LOOKUP,   FUSE_GETATTR,   FUSE_SETATTR,   FUSE_READLINK,    FUSE_SYMLINK, FUSE_MKNOD,
    FUSE_MKDIR,    FUSE_UNLINK,    FUSE_RMDIR,     FUSE_RENAME,      FUSE_LINK,    FUSE_OPEN,
    FUSE_READ,     FUSE_WRITE,     FUSE_STATFS,    FUSE_RELEASE,     FUSE_FSYNC,   FUSE_SETXATTR,
    FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_FLUSH,     FUSE_OPENDIR,     FUSE_READDIR, FUSE_RELEASEDIR,
    FUSE_ACCESS,   FUSE_CREATE,    FUSE_FALLOCATE, FUSE_REMOVEXATTR, FUSE_RENAME2};

void Require(bool condition) {
  if (!condition) std::abort();
}

fuse::VolumeSpec Spec(std::string_view value) {
  fuse::VolumeSpec spec;
  for (const char* path : {"key", "app/user", "app/db/password"}) {
    spec.files.push_back(
        {.path = path, .mode = 0444, .content = std::make_shared<const Secret>(value)});
  }
  spec.empty_folders.push_back({.path = "none"});
  return spec;
}

std::unique_ptr<fuse::SecretTree> MakeTree() {
  const fuse::Generation::Time now{std::chrono::seconds(kNumber)};
  auto tree = *fuse::SecretTree::Create(Spec("first"), kNumber, now);
  // A helper's turn: some of the requests may be its steps.
  Require(tree->Prepare(Spec("second"), now).has_value());
  return tree;
}

template <class T>
void Append(std::vector<std::byte>& out, const T& part) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&part);
  out.insert(out.end(), bytes, bytes + sizeof part);
}

std::vector<std::byte> InitRequest() {
  fuse_in_header header = {};
  header.len = sizeof(fuse_in_header) + sizeof(fuse_init_in);
  header.opcode = FUSE_INIT;
  header.unique = 1;
  fuse_init_in init = {};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = 36;
  init.max_readahead = 131072;
  init.flags = ~0U;
  std::vector<std::byte> out;
  Append(out, header);
  Append(out, init);
  return out;
}

std::uint64_t InodeOf(std::uint8_t choice, std::span<const std::byte> arguments) {
  if (choice == 0xff && arguments.size() >= sizeof(std::uint64_t)) {
    std::uint64_t any = 0;
    std::memcpy(&any, arguments.data(), sizeof any);
    return any;
  }
  if (choice % 4 == 0) return fuse::kRootInode;
  return fuse::MakeInode({.generation = choice % 4 == 1 ? 0 : kNumber + choice % 2,
                          .index = choice < 0x40 ? std::uint32_t{choice} / 4 : 15U + choice / 16U,
                          .pinned = choice % 4 == 3});
}

// Reads what was answered; the sizes and the number must be true.
void CheckAnswer(int kernel, std::uint64_t unique) {
  std::array<std::byte, 1 << 18> buffer;
  const ssize_t size = recv(kernel, buffer.data(), buffer.size(), MSG_DONTWAIT);
  Require(size >= ssize_t{sizeof(fuse_out_header)});
  fuse_out_header header = {};
  std::memcpy(&header, buffer.data(), sizeof header);
  Require(header.len == static_cast<std::uint32_t>(size) && header.unique == unique);
  Require(header.error <= 0 && header.error > -4096);
  Require(recv(kernel, buffer.data(), buffer.size(), MSG_DONTWAIT) < 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<int, 2> ends{};
  Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  const UniqueFd kernel(ends[0]);
  const std::vector<std::byte> init = InitRequest();
  Require(send(kernel.Get(), init.data(), init.size(), 0) == static_cast<ssize_t>(init.size()));
  const auto cache = static_cast<fuse::CacheProfile>(size % 3);
  const auto session =
      fuse::Session::Start(UniqueFd(ends[1]), MakeTree(), cache, std::chrono::milliseconds(1000));
  Require(session.has_value());
  CheckAnswer(kernel.Get(), 1);

  std::span<const std::uint8_t> rest(data, size);
  for (std::uint64_t unique = 2; rest.size() >= 3; ++unique) {
    const std::size_t length = std::min<std::size_t>(rest[2], rest.size() - 3);
    const auto arguments = std::as_bytes(rest.subspan(3, length));
    fuse_in_header header = {};
    header.opcode = kOperations[rest[0] % kOperations.size()];
    header.unique = unique;
    header.nodeid = InodeOf(rest[1], arguments);
    header.uid = rest[0] < 0x80 ? 0 : 1000;
    std::vector<std::byte> request;
    Append(request, header);
    request.insert(request.end(), arguments.begin(), arguments.end());
    request.resize(request.size() + 256);  // the end of texts and of arguments that are missing
    header.len = static_cast<std::uint32_t>(request.size());
    std::memcpy(request.data(), &header, sizeof header);
    (*session)->Answer(request);
    CheckAnswer(kernel.Get(), unique);
    rest = rest.subspan(3 + length);
  }
  // What is shown is one of the two generations, and whole.
  const auto current = (*session)->Tree().Current();
  Require(current->Shows(Spec("first")) || current->Shows(Spec("second")));
  return 0;
}
