#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/http_streams.h"
#include "kube/api.h"
#include "kube/connection.h"
#include "kube/informer.h"

namespace escagent::kube {

// Informers over an Api (lists) and HttpStreams (watches), with `workers` threads for listing and
// as many for calling handlers with what watches bring, so that a slow list holds up no watch.
// Borrows what it is given. All handles are gone before it.
class InformerPool final : public Informers {
 public:
  struct Options {
    int workers = 2;
    std::chrono::seconds min_watch{300};  // timeoutSeconds of a watch: from this to twice this
    // A watch that brings nothing for so long is begun anew where it was: servers send a bookmark
    // about once a minute, so the connection may be dead.
    std::chrono::milliseconds idle_watch{150000};
    // How long a plain watch (see Selection::watch_only) must be quiet to count as synced.
    std::chrono::milliseconds settle{1000};
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
