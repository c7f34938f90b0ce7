#include "kube/informer.h"

#include <utility>

namespace escagent::kube {

InformerHandle::InformerHandle() = default;
InformerHandle::InformerHandle(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
InformerHandle::InformerHandle(InformerHandle&&) noexcept = default;
InformerHandle& InformerHandle::operator=(InformerHandle&&) noexcept = default;
InformerHandle::~InformerHandle() = default;

}  // namespace escagent::kube
