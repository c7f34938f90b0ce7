#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "csi/call_context.h"

namespace escagent::csi {

// Answers unary RPCs on a fixed number of threads. Calls beyond that wait inside gRPC, without a
// thread, until one is free; gRPC drops those whose caller gives up. (gRPC's own synchronous
// server starts a thread for each call instead, and refuses calls when it may start no more:
// a burst of slow publishes would make kubelet's and our own health probes fail.)
//
// A handler that has to wait for something else answers "again in a while" (Answer::again) and
// gives its thread back: the call is parked, with a timer of gRPC's. Up to kMaxCalls can be.
//
// `on_arrival`, if there is one, is told the peer of each call (ServerContext::peer) when it came,
// on any of the queue's threads.
//
// Use: construct with a queue of a ServerBuilder, BuildAndStart, Serve() every method, Start().
// EndWaits() before Server::Shutdown, Stop() after it. Serve, Start and Stop belong to one thread;
// handlers run on the queue's threads, `threads` at a time, and must be thread-safe.
class CallQueue {
 public:
  CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, const char* thread_name,
            int threads, std::function<void(const std::string& peer)> on_arrival = {});
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // Answers a method of the generated `service` (`request_next` is its Request<Method>) with
  // `(handler.*method)(context, request, response)`. Both must outlive the queue.
  // `Reply` is grpc::Status or Answer.
  template <class Service, class Base, class Handler, class Request, class Response, class Reply>
  void Serve(Service& service,
             void (Base::*request_next)(grpc::ServerContext*, Request*,
                                        grpc::ServerAsyncResponseWriter<Response>*,
                                        grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                        void*),
             Handler& handler, Reply (Handler::*method)(const CallContext&, Request&, Response&)) {
    auto shared = std::make_shared<const Method<Request, Response>>(Method<Request, Response>{
        *this,
        [&service, request_next, queue = queue_.get()](auto* context, auto* request,
                                                       auto* responder, void* tag) {
          (service.*request_next)(context, request, responder, queue, queue, tag);
        },
        [&handler, method](const CallContext& context, Request& request, Response& response)
            -> Answer { return (handler.*method)(context, request, response); }});
    for (int i = 0; i < thread_count_; ++i) UnaryCall<Request, Response>::Await(shared);
  }

  void Start();
  // No call waits any longer: those that are parked have their turn now, with
  // CallContext::stopping. Thread-safe.
  void EndWaits();
  // Returns when every call and every thread has ended. The server must have been shut down before.
  void Stop();

 private:
  // Parked calls included. More wait inside gRPC.
  static constexpr int kMaxCalls = 256;

  // One call, from waiting for it to having answered it. Deletes itself.
  class Call {
   public:
    // What gRPC reports about a call; the tags in the queue.
    struct Event {
      Call& call;
      void (Call::*happened)(bool ok);
    };

    explicit Call(CallQueue& owner) : owner_(owner) { owner_.Count(1); }
    virtual ~Call() { owner_.Count(-1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   protected:
    // Starts another call of the same method waiting, in place of this one.
    virtual void AwaitNext() = 0;
    virtual Answer Handle(const CallContext& context) = 0;
    virtual void Finish(const grpc::Status& status) = 0;

    grpc::ServerContext context_;
    // The call came, or its next turn has, or the answer is on its way.
    Event progress_{*this, &Call::OnProgress};
    // The call is over, since it was answered or its caller is gone. Comes once, if the call came.
    Event over_{*this, &Call::OnOver};

   private:
    friend class CallQueue;
    enum class State { kAwaited, kArrived, kAnswered };

    // `ok` is false when the server shut down before the call came.
    void OnProgress(bool ok);
    void OnOver(bool ok);
    void HaveTurn();
    void Release();

    CallQueue& owner_;
    State state_ = State::kAwaited;
    Answer::Turn next_turn_;
    // AwaitNext was called already.
    bool replaced_ = false;
    // Only with the owner's mutex.
    bool is_over_ = false;
    // Of the two kinds of events, how many are still to come.
    std::atomic<int> pending_{2};
  };

  template <class Request, class Response>
  struct Method {
    CallQueue& owner;
    std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                       void* tag)>
        await;
    std::function<Answer(const CallContext&, Request&, Response&)> handle;
  };

  template <class Request, class Response>
  class UnaryCall final : public Call {
   public:
    using MethodPtr = std::shared_ptr<const Method<Request, Response>>;

    static void Await(MethodPtr method) {
      auto* call = new UnaryCall(std::move(method));
      call->context_.AsyncNotifyWhenDone(&call->over_);
      call->method_->await(&call->context_, &call->request_, &call->responder_, &call->progress_);
    }

   private:
    explicit UnaryCall(MethodPtr method)
        : Call(method->owner), method_(std::move(method)), responder_(&context_) {}

    void AwaitNext() override { Await(method_); }
    Answer Handle(const CallContext& context) override {
      return method_->handle(context, request_, response_);
    }
    void Finish(const grpc::Status& status) override {
      responder_.Finish(response_, status, &progress_);
    }

    const MethodPtr method_;
    Request request_;
    Response response_;
    grpc::ServerAsyncResponseWriter<Response> responder_;
  };

  void Run();
  void Count(int change) EXCLUDES(mutex_);
  bool HasRoom() const EXCLUDES(mutex_);
  CallContext ContextOf(Call& call) EXCLUDES(mutex_);
  // From here on another thread may have the call's next turn, and end it.
  void Park(Call& call, std::chrono::milliseconds pause) EXCLUDES(mutex_);
  void NoteOver(Call& call) EXCLUDES(mutex_);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const char* const thread_name_;
  const int thread_count_;
  const std::function<void(const std::string& peer)> on_arrival_;
  std::vector<std::jthread> threads_;

  mutable Mutex mutex_;
  CondVar none_left_;
  // Calls that exist, in whatever state.
  int calls_ GUARDED_BY(mutex_) = 0;
  // Calls that wait for their next turn, each with what will wake it.
  std::map<Call*, grpc::Alarm> parked_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace escagent::csi
