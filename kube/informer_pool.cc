#include "kube/informer_pool.h"

#include <random>
#include <utility>

#include "kube/reflector.h"
#include "kube/task_pool.h"

namespace escagent::kube {

namespace {

class ReflectorHandle final : public InformerHandle::Impl {
 public:
  explicit ReflectorHandle(std::shared_ptr<Reflector> reflector)
      : reflector_(std::move(reflector)) {}
  ~ReflectorHandle() override { reflector_->Close(); }

 private:
  const std::shared_ptr<Reflector> reflector_;
};

}  // namespace

class InformerPool::Impl {
 public:
  Impl(Options options, Api& api, Connection& connection, HttpStreams& streams, Clock& clock)
      : network_("kube-network", options.workers, clock),
        handlers_("kube-informer", options.workers, clock),
        environment_{.api = api,
                     .connection = connection,
                     .streams = streams,
                     .clock = clock,
                     .network = network_,
                     .handlers = handlers_,
                     .min_watch = options.min_watch,
                     .idle_watch = options.idle_watch,
                     .settle = options.settle} {}

  InformerHandle Start(Selection selection, std::shared_ptr<InformerHandler> handler) {
    auto reflector = std::make_shared<Reflector>(environment_, std::move(selection),
                                                 std::move(handler), std::random_device()());
    reflector->Start();
    return InformerHandle(std::make_unique<ReflectorHandle>(std::move(reflector)));
  }

 private:
  TaskPool network_;
  TaskPool handlers_;
  const Reflector::Environment environment_;
};

InformerPool::InformerPool(Options options, Api& api, Connection& connection, HttpStreams& streams,
                           Clock& clock)
    : impl_(std::make_unique<Impl>(options, api, connection, streams, clock)) {}

InformerPool::~InformerPool() = default;

InformerHandle InformerPool::Start(Selection selection, std::shared_ptr<InformerHandler> handler) {
  return impl_->Start(std::move(selection), std::move(handler));
}

}  // namespace escagent::kube
