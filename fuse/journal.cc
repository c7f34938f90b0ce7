#include "fuse/journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace escagent::fuse {
namespace {

constexpr std::size_t kHeaderSize = 40;  // struct fuse_in_header

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Create() {
  UniqueFd memfd(memfd_create("esc-agent-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return ErrnoError(errno, "make the FUSE journal");
  if (ftruncate(memfd.Get(), off_t{kSize}) != 0 ||
      fcntl(memfd.Get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return ErrnoError(errno, "make the FUSE journal");
  }
  return Attach(std::move(memfd));
}

Result<std::unique_ptr<Journal>> Journal::Attach(UniqueFd memfd) {
  struct stat found = {};
  if (fstat(memfd.Get(), &found) != 0) return ErrnoError(errno, "attach the FUSE journal");
  const int seals = fcntl(memfd.Get(), F_GET_SEALS);
  if (found.st_size < off_t{kSize} || seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return InvalidArgument(
        "attach the FUSE journal: it is not a memfd of the expected size with F_SEAL_SHRINK");
  }
  // Populated, so that the kernel meets no missing page while it hands out a request.
  void* const memory =
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memfd.Get(), 0);
  if (memory == MAP_FAILED) return ErrnoError(errno, "map the FUSE journal");
  madvise(memory, kSize, MADV_DONTDUMP);
  return std::unique_ptr<Journal>(new Journal(std::move(memfd), static_cast<Slot*>(memory)));
}

Journal::Journal(UniqueFd memfd, Slot* slots)
    : memfd_(std::move(memfd)),
      slots_(slots),
      folders_(std::span(reinterpret_cast<OpenFolders::Note*>(slots + kWorkers),
                         (kSlots - kWorkers) * sizeof(Slot) / sizeof(OpenFolders::Note))) {}

Journal::~Journal() { munmap(slots_, kSize); }

std::size_t Journal::Replay(const AnswerFunction& answer) {
  std::size_t answered = 0;
  alignas(8) std::array<std::byte, Session::kBufferSize> copy;
  for (Slot& slot : std::span(slots_, kWorkers)) {
    const std::span<std::byte> buffer = slot.Buffer();
    std::uint32_t size = 0;
    std::memcpy(&size, buffer.data(), sizeof size);
    if (size >= kHeaderSize && size <= buffer.size()) {
      std::ranges::copy(buffer.first(size), copy.begin());
      answer(slot.Session(), std::span(copy).first(size));
      ++answered;
    }
    std::fill_n(buffer.begin(), sizeof size, std::byte{0});
  }
  return answered;
}

}  // namespace escagent::fuse
