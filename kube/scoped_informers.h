#pragma once

#include <memory>

#include "kube/informer.h"
#include "kube/namespace_scope.h"

namespace escagent::kube {

// Informers for who may look at some namespaces only: a selection of all namespaces becomes one
// informer for each namespace of the scope, joined into one.
//
// Its handler is told as by one informer: one call at a time, and OnSynced once, after what all
// namespaces had. A namespace that may not be read (PERMISSION_DENIED: its Role, or the namespace
// itself, is missing) holds nobody up: it counts as empty until it can be read. OnHealth tells of
// each namespace that fails; OK when none does.
//
// Other selections are passed on as they are: those of one namespace, and those of kinds without
// namespaces, for which a caller with a narrow scope has no rights and should not ask.
//
// Thread-safe. Borrows the informers below.
class ScopedInformers final : public Informers {
 public:
  ScopedInformers(NamespaceScope scope, Informers& informers);

  InformerHandle Start(Selection selection, std::shared_ptr<InformerHandler> handler) override;

 private:
  const NamespaceScope scope_;
  Informers& informers_;
};

}  // namespace escagent::kube
