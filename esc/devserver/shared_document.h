#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "esc/devserver/durable_file.h"
#include "esc/devserver/folder_lock.h"

namespace escagent::devserver {

// A JSON object that is kept in a file, for its owner only, and shared by all processes that name
// this file. Who changes it holds a lock and begins with what the file says, so no change is lost;
// a kill at any moment leaves the object before or after the change. Without a file it lives as
// long as this. Thread-safe.
class SharedDocument {
 public:
  using Snapshot = std::shared_ptr<const nlohmann::json>;

  // Empty: no file. Beside it is a lock file.
  explicit SharedDocument(std::string file);
  SharedDocument(const SharedDocument&) = delete;
  SharedDocument& operator=(const SharedDocument&) = delete;

  // What it is now; {} before the first change. What cannot be read counts as {}, and a line in the
  // log says so.
  Snapshot Now();
  // Nothing changes when `change`, or keeping the result, fails.
  Status Change(const std::function<Status(nlohmann::json&)>& change);

 private:
  // Copies of what may be secret are wiped with the last of those who use them.
  static Snapshot MakeSnapshot(nlohmann::json document);
  Result<nlohmann::json> Read() const;
  Status Write(const nlohmann::json& document) const;

  const std::string file_;
  FolderLock lock_;
  Mutex mutex_;
  Snapshot document_ GUARDED_BY(mutex_);
  FileStamp stamp_ GUARDED_BY(mutex_);
};

}  // namespace escagent::devserver
