#include "kube/client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/strings.h"
#include "kube/api_error.h"
#include "kube/rate_limiter.h"

namespace escagent::kube {
namespace {

using nlohmann::json;

// Kubernetes API concepts, "Resource representations".
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMetadata =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
constexpr std::string_view kMetadataList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
// A page of 500 objects; an object alone has 1.5 MiB at most (etcd's limit), doubled by escapes.
constexpr std::size_t kMaxList = std::size_t{64} << 20;
constexpr std::size_t kMaxObject = std::size_t{8} << 20;

// One request as the methods below describe it.
struct Call {
  std::string_view method;
  std::string path;
  std::string query{};   // "a=b&c=d"
  std::string action{};  // for errors: "get Secret podinfo/app"
  std::string_view accept = kJson;
  Secret body{};
  std::string_view content_type{};

  void AddQuery(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (!query.empty()) query += '&';
    query += std::string(name) + "=" + UrlEncode(value);
  }
};

std::string Describe(std::string_view verb, const Resource& resource, const ObjectKey& key) {
  std::string text = std::string(verb) + " " + resource.kind;
  if (!key.name.empty()) text += " " + key.ToString();
  return text;
}

// "externalsecrets.external-secrets.io in podinfo"
std::string DescribeList(const Resource& resource, std::string_view namespace_name) {
  std::string text = "list " + resource.plural;
  if (!resource.group.empty()) text += "." + resource.group;
  if (!namespace_name.empty()) text += " in " + std::string(namespace_name);
  return text;
}

Status CheckKey(std::string_view action, const Resource& resource, const ObjectKey& key,
                bool needs_name) {
  // An empty name would make it a call on the whole collection: a DELETE of everything.
  if (needs_name && key.name.empty()) {
    return InvalidArgument(std::string(action) + ": the object has no name");
  }
  // UrlEncode leaves dots, which HTTP clients resolve as steps up and down.
  for (const std::string& part : {key.name, key.namespace_name}) {
    if (part == "." || part == "..") {
      return InvalidArgument(std::string(action) + ": \"" + part + "\" is no name");
    }
  }
  if (resource.namespaced == key.namespace_name.empty()) {
    return InvalidArgument(std::string(action) +
                           (resource.namespaced ? ": the object has no namespace"
                                                : ": objects of this kind have no namespace"));
  }
  return {};
}

// The body with what identifies the object filled in.
Result<Secret> BodyOf(const Resource& resource, const Object& object, const ObjectKey& key,
                      std::string_view action) {
  Object copy = object.Clone();
  json& document = copy.json();
  if (document.is_null()) document = json::object();
  if (!document.is_object()) {
    return InvalidArgument(std::string(action) + ": the object is not a JSON object");
  }
  document["apiVersion"] = resource.ApiVersion();
  document["kind"] = resource.kind;
  if (!key.name.empty()) {
    json& metadata = document["metadata"];
    if (metadata.is_null()) metadata = json::object();
    if (!metadata.is_object()) {
      return InvalidArgument(std::string(action) + ": metadata is not a JSON object");
    }
    metadata["name"] = key.name;
    if (!key.namespace_name.empty()) metadata["namespace"] = key.namespace_name;
  }
  return SerializeJson(document, action);
}

std::string_view ContentTypeOf(PatchType type) {
  switch (type) {
    case PatchType::kMerge:
      return "application/merge-patch+json";
    case PatchType::kJson:
      return "application/json-patch+json";
    case PatchType::kStrategic:
      return "application/strategic-merge-patch+json";
    case PatchType::kApply:
      // JSON is YAML; servers before 1.32 know only this name.
      return "application/apply-patch+yaml";
  }
  return "application/merge-patch+json";
}

std::unexpected<Error> BadAnswer(std::string_view action, std::string_view cause) {
  return Unavailable(std::string(action) +
                     ": the answer is not what the Kubernetes API describes: " +
                     std::string(cause) + "; check the server's address and any proxy");
}

Result<Object> ReadObject(const HttpResponse& response, std::string_view action) {
  Result<json> document = ParseJson(response.body.Reveal(), "answer");
  if (!document) return BadAnswer(action, document.error().message);
  Object object(*std::move(document));
  if (!object.json().is_object()) return BadAnswer(action, "it is not a JSON object");
  return object;
}

Result<ListPage> ReadPage(const HttpResponse& response, const Resource& resource,
                          std::string_view action) {
  ESC_ASSIGN_OR_RETURN(Object list, ReadObject(response, action));
  const json& metadata = Member(list.json(), "metadata");
  ListPage page;
  page.resource_version = StringMember(metadata, "resourceVersion");
  page.continue_token = StringMember(metadata, "continue");
  const auto items = list.json().find("items");
  if (items == list.json().end() || items->is_null()) return page;
  if (!items->is_array()) return BadAnswer(action, "\"items\" is not an array");
  page.items.reserve(items->size());
  for (json& item : *items) {
    if (!item.is_object()) return BadAnswer(action, "an item is not a JSON object");
    Object& object = page.items.emplace_back(std::move(item));
    // Items of built-in kinds come without.
    if (!object.json().contains("kind")) {
      object.json()["kind"] = resource.kind;
      object.json()["apiVersion"] = resource.ApiVersion();
    }
  }
  return page;
}

}  // namespace

class Client::Impl {
 public:
  Impl(Options options, Connection& connection, HttpTransport& transport, Clock& clock)
      : options_(std::move(options)),
        connection_(connection),
        transport_(transport),
        clock_(clock),
        limiter_(
            {.qps = options_.qps, .burst = options_.burst, .max_in_flight = options_.max_in_flight},
            clock) {}

  // An answer of 2xx.
  Result<HttpResponse> Send(Call call, const Resource& resource, const CallOptions& options,
                            std::chrono::milliseconds timeout, std::size_t max_body) {
    std::shared_ptr<const Secret> refused;
    std::optional<Error> refusal;
    while (true) {
      ESC_ASSIGN_OR_RETURN(Connection::Request request, Prepare(call, options));
      // The same again would be refused again.
      if (refusal && (request.token == nullptr || request.token->Equals(*refused))) {
        return std::unexpected(*std::move(refusal));
      }
      request.http.total_timeout = timeout;
      request.http.max_body = max_body;
      request.http.body = std::move(call.body);
      Result<HttpResponse> response = SendOnce(request.http, call.action, options);
      if (!response) return response;
      if (response->status >= 200 && response->status < 300) return response;
      Error error = Fail(*response, call.action, resource);
      if (response->status != 401 || refusal || request.token == nullptr) {
        return std::unexpected(std::move(error));
      }
      connection_.Refused(request.token);
      refused = request.token;
      refusal = std::move(error);
      call.body = std::move(request.http.body);
    }
  }

  void AddFieldManager(Call& call, const CallOptions& options) const {
    call.AddQuery("fieldManager",
                  options.field_manager.empty() ? options_.field_manager : options.field_manager);
  }

  // A call whose answer is one object.
  Result<Object> SendForObject(Call call, const Resource& resource, const CallOptions& options) {
    const std::string action = call.action;
    ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                         Send(std::move(call), resource, options, TimeoutOf(options), kMaxObject));
    return ReadObject(response, action);
  }

  Result<Object> GetAs(std::string_view accept, const Resource& resource, const ObjectKey& key,
                       const CallOptions& options) {
    Call call{.method = "GET", .path = resource.Path(key.namespace_name, key.name)};
    call.action = Describe("get", resource, key);
    call.accept = accept;
    ESC_RETURN_IF_ERROR(CheckKey(call.action, resource, key, true));
    return SendForObject(std::move(call), resource, options);
  }

  const Options& options() const { return options_; }

  std::chrono::milliseconds TimeoutOf(const CallOptions& options) const {
    return options.timeout.count() > 0 ? std::min(options.timeout, options_.call_timeout)
                                       : options_.call_timeout;
  }

 private:
  Result<Connection::Request> Prepare(const Call& call, const CallOptions& options) {
    const std::string target = call.query.empty() ? call.path : call.path + "?" + call.query;
    Result<Connection::Request> request = connection_.Prepare(call.method, target, options.stop);
    if (!request) return std::unexpected(Annotate(std::move(request).error(), call.action));
    request->http.headers.push_back({"Accept", std::string(call.accept)});
    request->http.content_type = call.content_type;
    return request;
  }

  Result<HttpResponse> SendOnce(const HttpRequest& request, const std::string& action,
                                const CallOptions& options) {
    Result<RateLimiter::Permit> permit = limiter_.Acquire(options.priority, options.stop);
    if (!permit) return std::unexpected(Annotate(std::move(permit).error(), action));
    Result<HttpResponse> response = transport_.Send(request, options.stop);
    if (!response) return std::unexpected(Annotate(std::move(response).error(), action));
    return response;
  }

  Error Fail(const HttpResponse& response, std::string_view action, const Resource& resource) {
    Error error = ApiError(response, action, resource, clock_.WallNow());
    if (response.status == 429 || response.status == 503) limiter_.HoldBack(error.retry_after);
    if (error.code == Code::kUnauthenticated) {
      error.message += "; check the credential of the kubeconfig or service account";
    }
    return error;
  }

  const Options options_;
  Connection& connection_;
  HttpTransport& transport_;
  Clock& clock_;
  RateLimiter limiter_;
};

Client::Client(Options options, Connection& connection, HttpTransport& transport, Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), connection, transport, clock)) {}

Client::~Client() = default;

Result<Object> Client::Get(const Resource& resource, const ObjectKey& key,
                           const CallOptions& options) {
  return impl_->GetAs(kJson, resource, key, options);
}

Result<Object> Client::GetMetadata(const Resource& resource, const ObjectKey& key,
                                   const CallOptions& options) {
  return impl_->GetAs(kMetadata, resource, key, options);
}

Result<ListPage> Client::List(const Resource& resource, const ListOptions& list,
                              const CallOptions& options) {
  Call call{.method = "GET", .path = resource.Path(list.namespace_name, "")};
  call.action = DescribeList(resource, list.namespace_name);
  if (list.metadata_only) call.accept = kMetadataList;
  call.AddQuery("labelSelector", list.label_selector);
  call.AddQuery("fieldSelector", list.field_selector);
  if (list.limit > 0) call.AddQuery("limit", std::to_string(list.limit));
  call.AddQuery("continue", list.continue_token);
  // A continue token says itself which version it continues.
  if (list.continue_token.empty() && !list.resource_version.empty()) {
    call.AddQuery("resourceVersion", list.resource_version);
    call.AddQuery("resourceVersionMatch", "NotOlderThan");
  }
  const std::string action = call.action;
  ESC_ASSIGN_OR_RETURN(
      const HttpResponse response,
      impl_->Send(std::move(call), resource, options, impl_->options().list_timeout, kMaxList));
  return ReadPage(response, resource, action);
}

Result<Object> Client::Create(const Resource& resource, const Object& object,
                              const CallOptions& options) {
  const ObjectKey key = object.Key();
  Call call{.method = "POST", .path = resource.Path(key.namespace_name, "")};
  call.action = Describe("create", resource, key);
  ESC_RETURN_IF_ERROR(CheckKey(call.action, resource, key, false));
  ESC_ASSIGN_OR_RETURN(call.body, BodyOf(resource, object, key, call.action));
  call.content_type = kJson;
  impl_->AddFieldManager(call, options);
  return impl_->SendForObject(std::move(call), resource, options);
}

Result<Object> Client::Replace(const Resource& resource, const Object& object,
                               const CallOptions& options) {
  const ObjectKey key = object.Key();
  Call call{.method = "PUT", .path = resource.Path(key.namespace_name, key.name)};
  call.action = Describe("replace", resource, key);
  ESC_RETURN_IF_ERROR(CheckKey(call.action, resource, key, true));
  ESC_ASSIGN_OR_RETURN(call.body, BodyOf(resource, object, key, call.action));
  call.content_type = kJson;
  impl_->AddFieldManager(call, options);
  return impl_->SendForObject(std::move(call), resource, options);
}

Result<Object> Client::Patch(const Resource& resource, const ObjectKey& key, PatchType type,
                             const Object& patch, std::string_view subresource,
                             const CallOptions& options) {
  Call call{.method = "PATCH", .path = resource.Path(key.namespace_name, key.name)};
  call.action = Describe(type == PatchType::kApply ? "apply" : "patch", resource, key);
  if (!subresource.empty()) {
    call.path += "/" + UrlEncode(subresource);
    call.action += " (" + std::string(subresource) + ")";
  }
  ESC_RETURN_IF_ERROR(CheckKey(call.action, resource, key, true));
  call.content_type = ContentTypeOf(type);
  if (type == PatchType::kApply) {
    ESC_ASSIGN_OR_RETURN(call.body, BodyOf(resource, patch, key, call.action));
    call.AddQuery("force", "true");
  } else {
    ESC_ASSIGN_OR_RETURN(call.body, SerializeJson(patch.json(), call.action));
  }
  impl_->AddFieldManager(call, options);
  return impl_->SendForObject(std::move(call), resource, options);
}

Status Client::Delete(const Resource& resource, const ObjectKey& key,
                      const Preconditions& preconditions, const CallOptions& options) {
  Call call{.method = "DELETE", .path = resource.Path(key.namespace_name, key.name)};
  call.action = Describe("delete", resource, key);
  ESC_RETURN_IF_ERROR(CheckKey(call.action, resource, key, true));
  json body = {
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
  if (!preconditions.uid.empty()) body["preconditions"]["uid"] = preconditions.uid;
  if (!preconditions.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = preconditions.resource_version;
  }
  ESC_ASSIGN_OR_RETURN(call.body, SerializeJson(body, call.action));
  call.content_type = kJson;
  ESC_RETURN_IF_ERROR(
      impl_->Send(std::move(call), resource, options, impl_->TimeoutOf(options), kMaxObject));
  return {};
}

Result<Object> Client::CreateSubresource(const Resource& resource, const ObjectKey& key,
                                         std::string_view subresource, const Object& object,
                                         const CallOptions& options) {
  Call call{.method = "POST", .path = resource.Path(key.namespace_name, key.name)};
  call.path += "/" + UrlEncode(subresource);
  call.action = Describe("create " + std::string(subresource) + " of", resource, key);
  ESC_RETURN_IF_ERROR(CheckKey(call.action, resource, key, true));
  ESC_ASSIGN_OR_RETURN(call.body, SerializeJson(object.json(), call.action));
  call.content_type = kJson;
  impl_->AddFieldManager(call, options);
  return impl_->SendForObject(std::move(call), resource, options);
}

}  // namespace escagent::kube
