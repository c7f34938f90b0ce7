#pragma once

#include <sys/types.h>

#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/secret_store.h"
#include "base/result.h"
#include "base/yaml.h"

namespace escagent::store {

// What the stores of one folder's YAML files (*.yaml, *.yml, several documents each) say at one
// time. Names beginning with a dot are left out, as kubelet's "..data" is, and so are objects of
// other kinds. Immutable.
class StoreFiles {
 public:
  // Appends what else is wrong with a store that could be parsed.
  using Check = std::function<void(const SecretStoreSpec&, std::vector<std::string>& problems)>;

  // Reads the folder. Files that have not changed since `previous` (may be null) are not read
  // again. Fails only when the folder itself cannot be read.
  static Result<std::shared_ptr<const StoreFiles>> Scan(
      const std::string& directory, const std::shared_ptr<const StoreFiles>& previous,
      const Check& check);

  // Everything that is wrong, as "<file>:<line> (<store>): <field>: <what>".
  std::vector<std::string> Problems() const;

  // NOT_FOUND when there is no such store; FAILED_PRECONDITION, with the problems, when the store
  // is faulty, is there twice, or was in a file that cannot be read any more.
  Result<const SecretStoreSpec*> Find(const StoreId& id) const;
  // All good stores, by id.
  std::vector<const SecretStoreSpec*> All() const;

 private:
  // Whether two looks at a file saw the same: everything that a write or a replacement changes.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified = {};
    timespec changed = {};

    bool operator==(const Stamp& other) const;
  };
  struct Document {
    ParsedStore store;
    std::string where;  // "app.yaml:12"
  };
  struct File {
    Stamp stamp;
    // The file was written so long before it was read that another write would show in the stamp.
    bool settled = false;
    std::vector<Document> documents;
    std::string problem;  // why there are no documents
    // What was in it when it could last be read.
    std::vector<StoreId> last_ids;
  };
  using FilePtr = std::shared_ptr<const File>;

  static FilePtr ReadStoreFile(const std::string& directory, const std::string& name,
                               const FilePtr& previous, const Check& check);
  static void ParseDocuments(const std::string& name, const std::vector<YamlDocument>& documents,
                             const Check& check, File& file);
  void Index();

  std::map<std::string, FilePtr> files_;
  std::map<StoreId, std::vector<const Document*>> by_id_;
};

}  // namespace escagent::store
