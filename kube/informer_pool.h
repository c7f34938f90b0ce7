#pragma once

#include <memory>

#include "base/clock.h"
#include "base/http_streams.h"
#include "kube/api.h"
#include "kube/connection.h"
#include "kube/informer.h"

namespace escagent::kube {

// Informers over an Api (lists) and HttpStreams (watches), with `workers` threads for listing and
// for calling handlers. Borrows what it is given. All handles are gone before it.
class InformerPool final : public Informers {
 public:
  struct Options {
    int workers = 2;
    std::chrono::seconds min_watch{300};  // timeoutSeconds of a watch: from this to twice this
  };

  InformerPool(Options options, Api& api, Connection& connection, HttpStreams& streams,
               Clock& clock);
  ~InformerPool() override;
  InformerPool(const InformerPool&) = delete;
  InformerPool& operator=(const InformerPool&) = delete;

  InformerHandle Start(Selection selection, std::shared_ptr<InformerHandler> handler) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::kube
