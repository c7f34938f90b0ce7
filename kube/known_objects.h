#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kube/object.h"

namespace escagent::kube {

// Which objects of a selection have been told, and in which version: what an informer needs to find
// out, after it was away, what is new and what has gone. Keeps hashes, not texts, as there may be
// tens of thousands; they are only compared with those of the same key. Not thread-safe.
class KnownObjects {
 public:
  enum class Change {
    kNew,
    kChanged,
    kSame,      // this version has been told
    kReplaced,  // it was deleted, and another object of its name made
  };

  // Notes the object as it is now.
  Change Update(const Object& object);
  // Forgets it. False when it was not known, or another object of its name is.
  bool Remove(const Object& object);

  // What is not updated from here on ...
  void BeginListing() { ++listing_; }
  // ... has vanished: forgets it.
  std::vector<ObjectKey> TakeVanished();

  std::size_t Size() const { return entries_.size(); }

 private:
  struct Entry {
    std::size_t uid = 0;
    std::size_t version = 0;
    std::uint32_t listing = 0;
  };

  std::uint32_t listing_ = 0;
  std::unordered_map<std::string, Entry> entries_;  // by "namespace/name"
};

}  // namespace escagent::kube
