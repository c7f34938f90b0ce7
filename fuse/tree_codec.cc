// The format, version 2; numbers are little-endian and unaligned, a string is its size (32 bits)
// and its bytes:
//
//   magic 64, version 32, cache profile 32
//   metadata string
//   INIT: capabilities 64, max_write 32, max_background 32, request string
//   first number 64, settled number 64, expired before 64, link number 64
//   names:       count 32, strings
//   contents:    count 32, strings
//   generations: count 32, each
//     number 64, time in ns 64, uid 32, gid 32, folder mode 32
//     files:         count 32, each path string, mode 32, position in contents 32
//     empty folders: count 32, path strings
//     revision string, withheld 32 (neither in version 1)

#include "fuse/tree_codec.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace escagent::fuse {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kMagic = 0x6565727463736531;
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kFirstVersion = 1;
constexpr std::size_t kMaxTreeSize = std::size_t{1} << 30;
// Of a generation's time: far from where adding to it overflows.
constexpr std::chrono::hours kLatest{24 * 365 * 200};
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
#ifdef MFD_NOEXEC_SEAL
constexpr unsigned kNoExec = MFD_NOEXEC_SEAL;
#else
constexpr unsigned kNoExec = 8;  // linux/memfd.h; Linux 6.3
#endif

// Writes, or only counts when it has nowhere to write to.
class Writer {
 public:
  explicit Writer(char* out) : out_(out) {}
  std::size_t Used() const { return used_; }

  template <class T>
    requires std::is_integral_v<T>
  void Number(T value) {
    Bytes(&value, sizeof value);
  }
  void Count(std::size_t count) { Number(static_cast<std::uint32_t>(count)); }
  void String(std::string_view text) {
    Count(text.size());
    Bytes(text.data(), text.size());
  }

 private:
  void Bytes(const void* data, std::size_t size) {
    if (out_ != nullptr && size > 0) std::memcpy(out_ + used_, data, size);
    used_ += size;
  }

  char* const out_;
  std::size_t used_ = 0;
};

// Reads; behind the end it reads zeros and is not Good any more.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool Good() const { return good_; }
  bool AtEnd() const { return good_ && rest_.empty(); }

  template <class T>
    requires std::is_integral_v<T>
  T Number() {
    T value = 0;
    const std::string_view bytes = Take(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view String() { return Take(Number<std::uint32_t>()); }
  // How many of something follow that takes at least `least` bytes each: never more than fit.
  std::size_t Count(std::size_t least) {
    const std::size_t count = Number<std::uint32_t>();
    if (count > rest_.size() / least) good_ = false;
    return good_ ? count : 0;
  }

 private:
  std::string_view Take(std::size_t size) {
    if (!good_ || size > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool good_ = true;
};

// Every content once, in the order of their first use.
struct Contents {
  std::vector<const Secret*> all;
  std::map<const Secret*, std::uint32_t> position;

  void Add(const Secret* content) {
    if (position.emplace(content, static_cast<std::uint32_t>(all.size())).second) {
      all.push_back(content);
    }
  }
};

std::int64_t ToNanoseconds(Generation::Time time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

struct NumberedSpec {
  const Generation* generation = nullptr;
  VolumeSpec spec;
};

void WriteGeneration(const NumberedSpec& numbered, const Contents& contents, Writer& out) {
  const auto& [generation, spec] = numbered;
  out.Number(generation->Number());
  out.Number(ToNanoseconds(generation->CreatedAt()));
  out.Number(std::uint32_t{spec.uid});
  out.Number(std::uint32_t{spec.gid});
  out.Number(std::uint32_t{spec.folder_mode});
  out.Count(spec.files.size());
  for (const FileSpec& file : spec.files) {
    out.String(file.path);
    out.Number(std::uint32_t{file.mode});
    out.Number(contents.position.at(file.content.get()));
  }
  out.Count(spec.empty_folders.size());
  for (const FolderSpec& folder : spec.empty_folders) out.String(folder.path);
  out.String(spec.revision);
  out.Number(std::uint32_t{spec.withheld ? 1U : 0U});
}

void WriteAll(const SavedVolume& volume, const std::vector<NumberedSpec>& specs,
              const Contents& contents, Writer& out) {
  out.Number(kMagic);
  out.Number(kVersion);
  out.Number(static_cast<std::uint32_t>(volume.cache));
  out.String(volume.metadata);
  out.Number(volume.init.capabilities);
  out.Number(volume.init.max_write);
  out.Number(volume.init.max_background);
  const std::vector<std::byte>& request = volume.init.request;
  out.String({reinterpret_cast<const char*>(request.data()), request.size()});
  out.Number(volume.tree.first_number);
  out.Number(volume.tree.settled_number);
  out.Number(volume.tree.expired_before);
  out.Number(volume.tree.link_number);
  out.Count(volume.tree.names.size());
  for (const std::string& name : volume.tree.names) out.String(name);
  out.Count(contents.all.size());
  for (const Secret* content : contents.all) out.String(content->Reveal());
  out.Count(specs.size());
  for (const NumberedSpec& spec : specs) WriteGeneration(spec, contents, out);
}

// A shared mapping of all of a memfd.
class Mapping {
 public:
  Mapping(const UniqueFd& fd, std::size_t size, int protection)
      : size_(size), data_(mmap(nullptr, size, protection, MAP_SHARED, fd.Get(), 0)) {
    if (data_ != MAP_FAILED) madvise(data_, size_, MADV_DONTDUMP);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != MAP_FAILED) munmap(data_, size_);
  }
  bool Failed() const { return data_ == MAP_FAILED; }
  char* Data() const { return static_cast<char*>(data_); }

 private:
  const std::size_t size_;
  void* const data_;
};

Result<UniqueFd> NewMemfd(std::size_t size) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(memfd_create("esc-agent-volume", kFlags | kNoExec));
  if (!fd && errno == EINVAL) fd.Reset(memfd_create("esc-agent-volume", kFlags));
  if (!fd) return ErrnoError(errno, "save volume: make a memfd");
  // Memory now or an error, but no SIGBUS while writing.
  if (ftruncate(fd.Get(), static_cast<off_t>(size)) != 0 ||
      fallocate(fd.Get(), 0, 0, static_cast<off_t>(size)) != 0) {
    return MakeError(Code::kResourceExhausted,
                     "save volume: no memory for a memfd of " + std::to_string(size) + " bytes");
  }
  return fd;
}

std::unexpected<Error> Damaged(const char* what) {
  return InvalidArgument(std::string("restore volume: the saved state is damaged (") + what +
                         "); publish the volume anew");
}

Result<std::shared_ptr<const Generation>> ReadGeneration(
    Reader& in, std::uint32_t version, const std::vector<std::shared_ptr<const Secret>>& contents,
    NameTable& names) {
  const auto number = in.Number<std::uint64_t>();
  const Generation::Time time(std::chrono::duration_cast<Generation::Time::duration>(
      std::chrono::nanoseconds(in.Number<std::int64_t>())));
  VolumeSpec spec;
  spec.uid = in.Number<std::uint32_t>();
  spec.gid = in.Number<std::uint32_t>();
  spec.folder_mode = in.Number<std::uint32_t>();
  for (std::size_t left = in.Count(12); left > 0; --left) {
    std::string path(in.String());
    const auto mode = in.Number<std::uint32_t>();
    const auto position = in.Number<std::uint32_t>();
    if (!in.Good() || position >= contents.size()) return Damaged("file");
    spec.files.push_back({.path = std::move(path), .mode = mode, .content = contents[position]});
  }
  for (std::size_t left = in.Count(4); left > 0; --left) {
    spec.empty_folders.push_back({.path = std::string(in.String())});
  }
  if (version > kFirstVersion) {
    spec.revision = in.String();
    spec.withheld = in.Number<std::uint32_t>() != 0;
  }
  if (!in.Good() || number == 0 || number > kMaxGeneration || time.time_since_epoch() > kLatest ||
      time.time_since_epoch() < -kLatest) {
    return Damaged("generation");
  }
  const std::size_t known = names.Size();
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<const Generation> made,
                       Generation::Create(spec, number, time, names));
  if (names.Size() != known) return Damaged("a path without a number");
  return made;
}

Status ReadTree(Reader& in, std::uint32_t version, TreeState& tree, ContentPool& pool) {
  tree.first_number = in.Number<std::uint64_t>();
  tree.settled_number = in.Number<std::uint64_t>();
  tree.expired_before = in.Number<std::uint64_t>();
  tree.link_number = in.Number<std::uint64_t>();
  for (std::size_t left = in.Count(4); left > 0; --left) tree.names.emplace_back(in.String());
  if (!in.Good() || tree.names.size() > kMaxIndex - kFirstNameIndex) return Damaged("names");
  NameTable names(tree.names);
  if (names.Size() != tree.names.size()) return Damaged("a name is there twice");

  std::vector<std::shared_ptr<const Secret>> contents;
  for (std::size_t left = in.Count(4); left > 0; --left) {
    contents.push_back(pool.Share(in.String()));
  }
  for (std::size_t left = in.Count(36); left > 0; --left) {
    ESC_ASSIGN_OR_RETURN(std::shared_ptr<const Generation> generation,
                         ReadGeneration(in, version, contents, names));
    tree.generations.push_back(std::move(generation));
  }
  if (!in.AtEnd()) return Damaged("size");
  return {};
}

}  // namespace

Result<UniqueFd> EncodeTree(const SavedVolume& volume) {
  std::vector<NumberedSpec> specs;
  Contents contents;
  for (const auto& generation : volume.tree.generations) {
    specs.push_back({.generation = generation.get(), .spec = generation->ToSpec()});
    for (const FileSpec& file : specs.back().spec.files) contents.Add(file.content.get());
  }
  Writer counter(nullptr);
  WriteAll(volume, specs, contents, counter);
  if (counter.Used() > kMaxTreeSize) {
    return MakeError(Code::kResourceExhausted, "save volume: it is larger than 1 GiB");
  }
  ESC_ASSIGN_OR_RETURN(UniqueFd fd, NewMemfd(counter.Used()));
  {
    const Mapping mapping(fd, counter.Used(), PROT_READ | PROT_WRITE);
    if (mapping.Failed()) return ErrnoError(errno, "save volume: map the memfd");
    Writer out(mapping.Data());
    WriteAll(volume, specs, contents, out);
  }
  if (fcntl(fd.Get(), F_ADD_SEALS, kSeals) != 0) {
    return ErrnoError(errno, "save volume: seal the memfd");
  }
  return fd;
}

Result<SavedVolume> DecodeTree(const UniqueFd& memfd, ContentPool& contents) {
  struct stat found = {};
  const int seals = fcntl(memfd.Get(), F_GET_SEALS);
  // Unsealed it could shrink while it is read.
  if (seals < 0 || (seals & kSeals) != kSeals) return Damaged("not a sealed memfd");
  if (fstat(memfd.Get(), &found) != 0) return ErrnoError(errno, "restore volume: stat the memfd");
  const auto size = static_cast<std::size_t>(found.st_size);
  if (size == 0 || size > kMaxTreeSize) return Damaged("size");
  const Mapping mapping(memfd, size, PROT_READ);
  if (mapping.Failed()) return ErrnoError(errno, "restore volume: map the memfd");
  return DecodeTreeBytes({mapping.Data(), size}, contents);
}

Result<SavedVolume> DecodeTreeBytes(std::string_view bytes, ContentPool& contents) {
  Reader in(bytes);
  if (in.Number<std::uint64_t>() != kMagic) return Damaged("magic");
  const auto version = in.Number<std::uint32_t>();
  if (version < kFirstVersion || version > kVersion) {
    return FailedPrecondition("restore volume: its state has version " + std::to_string(version) +
                              ", this esc-agent reads up to " + std::to_string(kVersion) +
                              "; use a newer one, or publish the volume anew");
  }
  SavedVolume volume;
  const auto cache = in.Number<std::uint32_t>();
  if (cache > static_cast<std::uint32_t>(CacheProfile::kFull)) return Damaged("cache profile");
  volume.cache = static_cast<CacheProfile>(cache);
  volume.metadata = in.String();
  volume.init.capabilities = in.Number<std::uint64_t>();
  volume.init.max_write = in.Number<std::uint32_t>();
  volume.init.max_background = in.Number<std::uint32_t>();
  const std::string_view request = in.String();
  const auto* const first = reinterpret_cast<const std::byte*>(request.data());
  volume.init.request.assign(first, first + request.size());
  ESC_RETURN_IF_ERROR(ReadTree(in, version, volume.tree, contents));
  return volume;
}

}  // namespace escagent::fuse
