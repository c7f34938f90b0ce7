#include "tests/fakes/apiserver/api_server.h"

#include <utility>

#include "base/strings.h"
#include "tests/fakes/apiserver/backend.h"
#include "tests/fakes/apiserver/dispatcher.h"
#include "tests/fakes/apiserver/http_server.h"
#include "tests/fakes/apiserver/object_loader.h"
#include "tests/fakes/apiserver/object_meta.h"
#include "tests/fakes/apiserver/tls_context.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kAdmin = "kubernetes-admin";
constexpr const char* kMasters = "system:masters";

std::string Base64(std::string_view bytes) {
  SecretBuilder encoded;
  EncodeBase64(bytes, encoded);
  return std::string(encoded.Reveal());
}

std::string HostOf(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  return listen.substr(0, colon == std::string::npos ? 0 : colon);
}

}  // namespace

class ApiServer::Impl {
 public:
  explicit Impl(const Options& options)
      : backend_(options.watch_history),
        loader_(backend_),
        admin_token_("admin-" + MakeUid()),
        tls_(options.tls ? std::make_unique<TlsContext>(HostOf(options.listen)) : nullptr) {
    backend_.enforce_rbac = options.rbac;
    backend_.bookmark_interval = options.bookmark_interval;
    backend_.remover.EnableControllers(options.controllers);
    backend_.authenticator.AllowAnonymous(options.anonymous);
    backend_.authenticator.AddToken(
        admin_token_, {.name = kAdmin, .uid = {}, .groups = {kMasters, "system:authenticated"}});
    for (const auto& [token, user] : options.tokens) backend_.authenticator.AddToken(token, user);
  }

  ~Impl() {
    backend_.stop.request_stop();
    backend_.store.Stop();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status Start(const std::string& listen) {
    for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
      ESC_RETURN_IF_ERROR(loader_.Put(
          {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}}));
    }
    ESC_ASSIGN_OR_RETURN(
        http_, HttpServer::Start(listen, tls_ == nullptr ? nullptr : tls_->context(),
                                 [this](const httplib::Request& request,
                                        httplib::Response& response, Connection& connection) {
                                   Dispatch(backend_, request, response, connection);
                                 }));
    return {};
  }

  std::string Kubeconfig(const std::string& user, const std::string& credential,
                         const std::string& name_space) const {
    std::string text =
        "apiVersion: v1\nkind: Config\ncurrent-context: fake\n"
        "clusters:\n- name: fake\n  cluster:\n    server: " +
        Url() + "\n";
    if (tls_ != nullptr) {
      text += "    certificate-authority-data: " + Base64(tls_->AuthorityPem()) + "\n";
    }
    text += "contexts:\n- name: fake\n  context:\n    cluster: fake\n    user: " + user +
            "\n    namespace: " + name_space + "\nusers:\n- name: " + user + "\n  user:\n" +
            credential;
    return text;
  }

  std::string AdminCredential() const {
    if (tls_ == nullptr) return "    token: " + admin_token_ + "\n";
    const auto client = tls_->MakeClient(kAdmin, {kMasters});
    return "    client-certificate-data: " + Base64(client.Pem()) +
           "\n    client-key-data: " + Base64(client.KeyPem()) + "\n";
  }

  std::string Url() const {
    std::string host = http_->host();
    // Where a server on every address is reached.
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host.contains(':')) host = "[" + host + "]";
    return (tls_ == nullptr ? "http://" : "https://") + host + ":" + std::to_string(http_->port());
  }

  Backend& backend() { return backend_; }
  ObjectLoader& loader() { return loader_; }
  const TlsContext* tls() const { return tls_.get(); }
  const HttpServer& http() const { return *http_; }
  const std::string& admin_token() const { return admin_token_; }

 private:
  Backend backend_;
  ObjectLoader loader_;
  const std::string admin_token_;
  const std::unique_ptr<TlsContext> tls_;
  // Last: its threads use the rest until it is gone.
  std::unique_ptr<HttpServer> http_;
};

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiServer::~ApiServer() = default;

Result<std::unique_ptr<ApiServer>> ApiServer::Start(Options options) {
  auto impl = std::make_unique<Impl>(options);
  ESC_RETURN_IF_ERROR(impl->Start(options.listen));
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

int ApiServer::port() const { return impl_->http().port(); }
std::string ApiServer::url() const { return impl_->Url(); }
const std::string& ApiServer::admin_token() const { return impl_->admin_token(); }

std::string ApiServer::ca_pem() const {
  return impl_->tls() == nullptr ? std::string() : impl_->tls()->AuthorityPem();
}

std::string ApiServer::Kubeconfig() const {
  return impl_->Kubeconfig(kAdmin, impl_->AdminCredential(), "default");
}

std::string ApiServer::KubeconfigFor(const std::string& token,
                                     const std::string& name_space) const {
  return impl_->Kubeconfig("user", "    token: " + token + "\n", name_space);
}

void ApiServer::AddToken(const std::string& token, User user) {
  impl_->backend().authenticator.AddToken(token, std::move(user));
}

void ApiServer::RevokeToken(const std::string& token) {
  impl_->backend().authenticator.RevokeToken(token);
}

Status ApiServer::Load(std::string_view text, std::string_view what) {
  return impl_->loader().Load(text, what);
}

Status ApiServer::LoadPath(const std::string& path) { return impl_->loader().LoadPath(path); }

void ApiServer::Compact() { impl_->backend().store.Compact(); }

void ApiServer::CutWatches(const std::string& table) {
  impl_->backend().store.EndWatches(table, Store::End::kCut);
}

void ApiServer::ExpireWatches(const std::string& table) {
  impl_->backend().store.EndWatches(table, Store::End::kExpired);
}

std::size_t ApiServer::watches() const { return impl_->backend().store.Watches(); }
std::uint64_t ApiServer::revision() const { return impl_->backend().store.Revision(); }
Faults& ApiServer::faults() { return impl_->backend().faults; }
RequestLog& ApiServer::log() { return impl_->backend().log; }

}  // namespace escagent::apiserver
