#include "esc/devserver/key_file.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "esc/devserver/durable_file.h"
#include "esc/devserver/random.h"

namespace escagent::devserver {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr mode_t kKeyMode = 0600;

}  // namespace

Secret MakeKey() { return Secret(RandomHex(kKeyBytes)); }

Result<Secret> ReadOrMakeKey(const std::string& file) {
  if (::access(file.c_str(), F_OK) != 0) {
    // Of all who are at it, link(2) lets one succeed.
    const std::string candidate = file + "-" + RandomHex(8);
    ESC_RETURN_IF_ERROR(WriteFileDurably(candidate, MakeKey().Reveal(), kKeyMode));
    const int error = ::link(candidate.c_str(), file.c_str()) == 0 ? 0 : errno;
    ::unlink(candidate.c_str());
    if (error != 0 && error != EEXIST) return ErrnoError(error, "make the key file " + file);
    ESC_RETURN_IF_ERROR(SyncFolder(std::filesystem::path(file).parent_path()));
  }
  ESC_ASSIGN_OR_RETURN(Secret key, ReadFile(file));
  const bool good = key.Size() == 2 * kKeyBytes &&
                    key.Reveal().find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (good) return key;
  return FailedPrecondition(
      "read the key file " + file +
      ": it does not hold a key; restore it, or remove it to begin with a new "
      "key, which cannot read the ciphertext in definitions");
}

}  // namespace escagent::devserver
