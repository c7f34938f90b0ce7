#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::kube {

// One event of a watch (metav1.WatchEvent). BOOKMARK objects have only their metadata.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark };

  // A bookmark that ends the initial events of sendInitialEvents.
  bool EndsInitialEvents() const;

  Type type = Type::kBookmark;
  Object object;
};

// Cuts the bytes of a watch into its events: one JSON document a line, however the bytes come.
// Not thread-safe.
class WatchDecoder {
 public:
  static constexpr std::size_t kMaxEvent = std::size_t{8} << 20;

  explicit WatchDecoder(std::size_t max_event = kMaxEvent) : max_event_(max_event) {}

  // Appends the lines that are whole now. RESOURCE_EXHAUSTED for a line over the limit, after which
  // the decoder is of no more use.
  Status Feed(std::string_view bytes, std::vector<Secret>& lines);
  // Whether bytes of an unfinished line are held.
  bool HasPart() const { return part_.Size() > 0; }

 private:
  const std::size_t max_event_;
  SecretBuilder part_;
};

// Reads one line of WatchDecoder. An ERROR event is the Error that its Status means: see
// StatusError (FAILED_PRECONDITION: 410 Gone). UNAVAILABLE when the text is no event. `action`
// names the watch.
Result<WatchEvent> ParseWatchEvent(const Secret& line, std::string_view action,
                                   const Resource& resource);

}  // namespace escagent::kube
