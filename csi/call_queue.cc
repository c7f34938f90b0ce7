#include "csi/call_queue.h"

#include "base/thread.h"

namespace escagent::csi {

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, const char* thread_name,
                     int threads)
    : queue_(std::move(queue)), thread_name_(thread_name), thread_count_(threads) {}

CallQueue::~CallQueue() { Stop(); }

void CallQueue::Start() {
  for (int i = 0; i < thread_count_; ++i) {
    threads_.push_back(StartThread(thread_name_, [this] { Run(); }));
  }
}

void CallQueue::Stop() {
  queue_->Shutdown();
  threads_.clear();
  // What the threads did not get to (or all of it, when they never started). gRPC aborts when a
  // queue is destroyed with events in it.
  Run();
}

void CallQueue::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
}

}  // namespace escagent::csi
