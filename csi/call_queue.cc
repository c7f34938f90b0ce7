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
  {
    // gRPC aborts when an answer is written after the queue's shutdown, and Server::Shutdown does
    // not wait for handlers whose caller is gone.
    MutexLock lock(mutex_);
    while (calls_ > 0) none_left_.Wait(mutex_);
  }
  queue_->Shutdown();
  threads_.clear();
  // gRPC aborts, too, when a queue is destroyed that was not read to its end.
  Run();
}

void CallQueue::Count(int change) {
  MutexLock lock(mutex_);
  calls_ += change;
  if (calls_ == 0) none_left_.NotifyAll();
}

void CallQueue::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
}

}  // namespace escagent::csi
