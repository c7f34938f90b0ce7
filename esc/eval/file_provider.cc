#include "esc/eval/file_provider.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/strings.h"
#include "base/unique_fd.h"
#include "esc/eval/json_reader.h"

namespace escagent::eval {
namespace {

constexpr std::size_t kMaxFileSize = std::size_t{1} << 20;

// A regular file below the folder, whatever the path and its links say.
Result<UniqueFd> OpenBelow(const std::string& folder, const std::string& path) {
  const std::string what = "open file " + path + " for fn::open";
  const UniqueFd root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return ErrnoError(errno, "open the folder of the file provider");
  open_how how = {};
  // Not to wait for the other end of a pipe.
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, root.Get(), path.c_str(), &how, sizeof(how))));
  if (!file && errno == EXDEV) {
    return PermissionDenied(what + ": the path leads out of the folder of the file provider");
  }
  if (!file) return ErrnoError(errno, what);
  struct stat status = {};
  if (::fstat(file.Get(), &status) != 0) return ErrnoError(errno, what);
  if (!S_ISREG(status.st_mode)) return InvalidArgument(what + ": not a regular file");
  return file;
}

Result<Secret> ReadAll(const UniqueFd& file, const std::string& path) {
  SecretBuilder text;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t size = ::read(file.Get(), buffer.data(), buffer.size());
    if (size == 0) return text.Finish();
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoError(errno, "read file " + path + " for fn::open");
    text.Append(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
    if (text.Size() > kMaxFileSize) {
      return FailedPrecondition("read file " + path + " for fn::open: longer than 1 MiB");
    }
  }
}

}  // namespace

SchemaPtr FileProvider::InputSchema() const {
  Schema format;
  format.type = "string";
  for (const std::string_view name : {"text", "json", "base64"}) {
    format.enumeration.push_back(MakeString(Secret(name), /*secret=*/false, nullptr));
  }
  Schema schema;
  schema.type = "object";
  schema.properties["path"] = TypeSchema("string");
  schema.properties["format"] = std::make_shared<const Schema>(std::move(format));
  schema.additional_properties = NeverSchema();
  schema.required = {"path"};
  return std::make_shared<const Schema>(std::move(schema));
}

Result<esc::Value> FileProvider::Open(const esc::Value& inputs, const ProviderContext&) {
  const esc::Value* path_input = inputs.Find("path");
  if (path_input == nullptr) return InvalidArgument("fn::open::file needs a path");
  const std::string path(path_input->ScalarText());
  const esc::Value* format = inputs.Find("format");
  ESC_ASSIGN_OR_RETURN(const UniqueFd file, OpenBelow(folder_, path));
  ESC_ASSIGN_OR_RETURN(Secret text, ReadAll(file, path));
  esc::Value output;
  if (format != nullptr && format->ScalarText() == "json") {
    Budget budget(64 * kMaxFileSize);
    auto json = ReadJsonValue(text.Reveal(), /*secret=*/true, nullptr, budget);
    if (!json) return InvalidArgument("read file " + path + ": " + json.error().message);
    output = ToValue(**json);
  } else if (format != nullptr && format->ScalarText() == "base64") {
    SecretBuilder base64;
    EncodeBase64(text.Reveal(), base64);
    output = esc::Value::String(base64.Finish());
  } else if (!IsValidUtf8(text.Reveal())) {
    return InvalidArgument("read file " + path + ": not UTF-8; use format: base64");
  } else {
    output = esc::Value::String(std::move(text));
  }
  output.MarkSecret();
  return output;
}

}  // namespace escagent::eval
