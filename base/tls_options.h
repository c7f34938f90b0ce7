#pragma once

#include <memory>
#include <string>

#include "base/secret.h"

namespace escagent {

// How a client of HTTPS checks the server and proves who it is. Each of the three is given as a
// file, which is read again for every new connection (so that a rotated one is used), or as PEM
// text, which wins. Copyable.
struct TlsOptions {
  // The CAs to trust instead of the system's. Both empty: the system's.
  std::string ca_file{};
  std::string ca_pem{};
  // The client's certificate chain and its private key. Both or neither.
  std::string certificate_file{};
  std::string certificate_pem{};
  std::string key_file{};
  std::shared_ptr<const Secret> key_pem{};
  // The name that the server's certificate must have, instead of the URL's host. Empty: the host.
  std::string server_name{};
  // Do not check the server's certificate at all (kubeconfig's insecure-skip-tls-verify).
  bool insecure = false;
};

}  // namespace escagent
