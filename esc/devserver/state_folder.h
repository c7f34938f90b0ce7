#pragma once

#include <string>

#include "base/result.h"
#include "esc/devserver/durable_file.h"
#include "esc/devserver/environment_state.h"
#include "esc/devserver/folder_lock.h"

namespace escagent::devserver {

// Where the states of environments are kept, so that a restart loses nothing:
//
//   FOLDER/lock                                  the lock of all who change an environment
//   FOLDER/environments/ORG/PROJECT/ENV/state.json
//   FOLDER/environments/ORG/PROJECT/ENV/N.yaml   the text of revision N
//
// All of it for the owner only. state.json is replaced as a whole, after the texts that it names:
// a kill at any moment leaves the old or the new one. Several processes may use one folder.
//
// Without a folder nothing is kept; then the caller's copy is all there is. Thread-safe; Save() and
// Remove() need the lock.
class StateFolder {
 public:
  // Makes `folder` and tries to write there; FAILED_PRECONDITION says why it cannot be used.
  static Status Prepare(const std::string& folder);
  // Empty: nothing is kept.
  explicit StateFolder(std::string folder);

  Result<FolderLock::Hold> Lock() { return lock_.Take(); }
  bool keeps() const { return !folder_.empty(); }

  // `key` is "org/project/env". The zero stamp when nothing is kept of it.
  FileStamp StampOf(const std::string& key) const;
  // Texts that `known` has too are taken from it. A new state when nothing is kept. Errors name the
  // file.
  Result<EnvironmentState> Load(const std::string& key, const EnvironmentState* known) const;
  Status Save(const std::string& key, EnvironmentState& state) const;
  Status Remove(const std::string& key) const;

 private:
  std::string PathOf(const std::string& key) const;
  void RemoveForgottenTexts(const std::string& path, const EnvironmentState& state) const;

  const std::string folder_;
  FolderLock lock_;
};

}  // namespace escagent::devserver
