#include "agent/mirror/external_secret_spec.h"

namespace escagent::mirror {

std::set<store::StoreId> ExternalSecretSpec::StoresUsed() const {
  std::set<store::StoreId> stores;
  const auto add = [&](const std::unique_ptr<store::StoreId>& source) {
    stores.insert(source == nullptr ? store : *source);
  };
  for (const DataEntry& entry : data) add(entry.source);
  for (const DataFromEntry& entry : data_from) add(entry.source);
  return stores;
}

}  // namespace escagent::mirror
