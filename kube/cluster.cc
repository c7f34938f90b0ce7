#include "kube/cluster.h"

#include <utility>

#include "base/curl_options.h"
#include "base/curl_streams.h"
#include "base/curl_transport.h"
#include "kube/connection.h"

namespace escagent::kube {
namespace {

CurlOptions TransportOptions(const Config& config, const Cluster::Options& options) {
  return {.user_agent = options.user_agent,
          .tls = config.tls,
          .proxy_url = config.proxy_url,
          // Whoever writes http:// into a kubeconfig means it.
          .allow_plain_http = true};
}

}  // namespace

class Cluster::Impl {
 public:
  Impl(const Config& config, const Options& options, Clock& clock)
      : connection_(config, clock),
        transport_(TransportOptions(config, options)),
        streams_(TransportOptions(config, options)),
        client_(options.client, connection_, transport_, clock),
        informers_(options.informers, client_, connection_, streams_, clock) {}

  const Config& config() const { return connection_.config(); }
  Api& api() { return client_; }
  Informers& informers() { return informers_; }

 private:
  Connection connection_;
  CurlTransport transport_;
  CurlStreams streams_;
  Client client_;
  InformerPool informers_;
};

Result<Config> FindConfig(const std::string& kubeconfig) {
  return kubeconfig.empty() ? InClusterConfig() : LoadKubeconfig(kubeconfig);
}

Cluster::Cluster(Config config, const Options& options, Clock& clock)
    : impl_(std::make_unique<Impl>(config, options, clock)) {}

Cluster::~Cluster() = default;

const Config& Cluster::config() const { return impl_->config(); }
Api& Cluster::api() { return impl_->api(); }
Informers& Cluster::informers() { return impl_->informers(); }

}  // namespace escagent::kube
