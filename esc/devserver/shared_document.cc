#include "esc/devserver/shared_document.h"

#include <cstdint>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr mode_t kDocumentMode = 0600;
constexpr std::uint64_t kGenerations = 1'000'000'000;
// Members of what is in the file.
constexpr const char* kGeneration = "generation";
constexpr const char* kContent = "content";

}  // namespace

SharedDocument::SharedDocument(std::string file)
    : file_(std::move(file)),
      lock_(file_.empty() ? "" : file_ + ".lock"),
      document_(MakeSnapshot(json::object())) {}

SharedDocument::Snapshot SharedDocument::MakeSnapshot(json document) {
  return {new json(std::move(document)), [](const json* last) {
            auto* const mine = const_cast<json*>(last);  // made by this function, not const
            Scrub(*mine);
            delete mine;
          }};
}

Result<json> SharedDocument::Read() const {
  auto text = ReadFile(file_, std::size_t{64} << 20);
  if (!text && text.error().code == Code::kNotFound) {
    return json{{kGeneration, 0}, {kContent, json::object()}};
  }
  if (!text) return std::unexpected(text.error());
  ESC_ASSIGN_OR_RETURN(json document, ParseJson(text->Reveal(), file_));
  const bool good = document.is_object() && document.contains(kGeneration) &&
                    document[kGeneration].is_number_unsigned() && document.contains(kContent) &&
                    document[kContent].is_object();
  if (good) return document;
  Scrub(document);
  return FailedPrecondition("read " + file_ + ": it is not what this program writes");
}

SharedDocument::Snapshot SharedDocument::Now() {
  // Before the content: a change in between is seen the next time.
  const FileStamp stamp = file_.empty() ? FileStamp() : StampOfFile(file_);
  {
    MutexLock lock(mutex_);
    if (stamp == stamp_) return document_;
  }
  auto document = Read();
  if (!document)
    LogWarning("a file of the server is ignored", {{log_key::kError, document.error()}});
  Snapshot snapshot = MakeSnapshot(document ? std::move((*document)[kContent]) : json::object());
  MutexLock lock(mutex_);
  document_ = snapshot;
  stamp_ = stamp;
  return snapshot;
}

Status SharedDocument::Change(const std::function<Status(json&)>& change) {
  ESC_ASSIGN_OR_RETURN(const auto hold, lock_.Take());
  json next = *Now();
  Status done = change(next);
  if (done && !file_.empty()) done = Write(next);
  if (!done) {
    Scrub(next);
    return done;
  }
  if (!file_.empty()) {
    Scrub(next);
    return {};
  }
  Snapshot snapshot = MakeSnapshot(std::move(next));
  MutexLock lock(mutex_);
  document_ = std::move(snapshot);
  return {};
}

// The generation gives each version a stamp of its own, as times are coarse and the numbers of
// files come back.
Status SharedDocument::Write(const json& content) const {
  auto before = Read();
  const std::uint64_t generation =
      before ? (*before)[kGeneration].get<std::uint64_t>() + 1 : std::uint64_t{1};
  if (before) Scrub(*before);
  json document = {{kGeneration, generation}, {kContent, content}};
  std::string text = DumpJson(document);
  const Status written = WriteFileDurably(file_, text, kDocumentMode,
                                          static_cast<std::int64_t>(generation % kGenerations));
  Scrub(document);
  WipeString(text);
  return written;
}

}  // namespace escagent::devserver
