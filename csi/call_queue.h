#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace escagent::csi {

// What a handler knows of its call besides the request.
struct CallContext {
  std::chrono::system_clock::time_point deadline;

  // Whether the caller has given up already (the call waited too long for its turn).
  bool Expired() const { return std::chrono::system_clock::now() >= deadline; }
};

// Answers unary RPCs on a fixed number of threads. Calls beyond that wait inside gRPC, without a
// thread, until one is free; gRPC drops those whose caller gives up. (gRPC's own synchronous
// server starts a thread for each call instead, and refuses calls when it may start no more:
// a burst of slow publishes would make kubelet's and our own health probes fail.)
//
// Use: construct with a queue of a ServerBuilder, BuildAndStart, Serve() every method, Start().
// Stop() after Server::Shutdown. Serve, Start and Stop belong to one thread; handlers run on the
// queue's threads, `threads` at a time, and must be thread-safe.
class CallQueue {
 public:
  CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, const char* thread_name,
            int threads);
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // Answers a method of the generated `service` (`request_next` is its Request<Method>) with
  // `(handler.*method)(context, request, response)`. Both must outlive the queue.
  template <class Service, class Base, class Handler, class Request, class Response>
  void Serve(Service& service,
             void (Base::*request_next)(grpc::ServerContext*, Request*,
                                        grpc::ServerAsyncResponseWriter<Response>*,
                                        grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                        void*),
             Handler& handler,
             grpc::Status (Handler::*method)(const CallContext&, Request&, Response&)) {
    auto shared = std::make_shared<const Method<Request, Response>>(Method<Request, Response>{
        *this,
        [&service, request_next, queue = queue_.get()](auto* context, auto* request,
                                                       auto* responder, void* tag) {
          (service.*request_next)(context, request, responder, queue, queue, tag);
        },
        [&handler, method](const CallContext& context, Request& request, Response& response) {
          return (handler.*method)(context, request, response);
        }});
    for (int i = 0; i < thread_count_; ++i) UnaryCall<Request, Response>::Await(shared);
  }

  void Start();
  // Returns when every call and every thread has ended. The server must have been shut down before.
  void Stop();

 private:
  // One call, from waiting for it to having answered it. Deletes itself; the tag in the queue.
  class Call {
   public:
    explicit Call(CallQueue& owner) : owner_(owner) { owner_.Count(1); }
    virtual ~Call() { owner_.Count(-1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // `ok` is false when the server shut down before the call came.
    virtual void Proceed(bool ok) = 0;

   private:
    CallQueue& owner_;
  };

  template <class Request, class Response>
  struct Method {
    CallQueue& owner;
    std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                       void* tag)>
        await;
    std::function<grpc::Status(const CallContext&, Request&, Response&)> handle;
  };

  template <class Request, class Response>
  class UnaryCall final : public Call {
   public:
    using MethodPtr = std::shared_ptr<const Method<Request, Response>>;

    static void Await(MethodPtr method) {
      auto* call = new UnaryCall(std::move(method));
      call->method_->await(&call->context_, &call->request_, &call->responder_,
                           static_cast<Call*>(call));
    }

    void Proceed(bool ok) override {
      if (answered_) {
        // While this call lives, Stop keeps the queue open. When the server has shut down, the new
        // one is told so at once.
        Await(method_);
        delete this;
      } else if (!ok) {
        delete this;
      } else {
        answered_ = true;
        const CallContext context{context_.deadline()};
        Response response;
        const grpc::Status status = method_->handle(context, request_, response);
        responder_.Finish(response, status, static_cast<Call*>(this));
      }
    }

   private:
    explicit UnaryCall(MethodPtr method)
        : Call(method->owner), method_(std::move(method)), responder_(&context_) {}

    const MethodPtr method_;
    grpc::ServerContext context_;
    Request request_;
    grpc::ServerAsyncResponseWriter<Response> responder_;
    bool answered_ = false;
  };

  void Run();
  void Count(int change);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const char* const thread_name_;
  const int thread_count_;
  std::vector<std::jthread> threads_;

  Mutex mutex_;
  CondVar none_left_;
  // Calls that exist, in whatever state.
  int calls_ GUARDED_BY(mutex_) = 0;
};

}  // namespace escagent::csi
