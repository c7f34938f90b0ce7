#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// PEM blocks (RFC 7468) and the X.509 certificates in them, read with OpenSSL.
namespace escagent::gotemplate {

struct PemBlock {
  std::string type;     // "CERTIFICATE"
  std::string headers;  // as OpenSSL keeps them, mostly empty
  std::string bytes;    // DER

  PemBlock() = default;
  PemBlock(PemBlock&&) = default;
  PemBlock& operator=(PemBlock&&) = default;
  ~PemBlock();  // wipes: it may hold a private key
};

// All blocks of a text; what stands between them is skipped.
std::vector<PemBlock> ReadPem(std::string_view text);

// Lines of 64 characters, ended by a line break.
std::string WritePem(const PemBlock& block);

struct Certificate {
  PemBlock block;
  std::string subject_key_id;
  std::string authority_key_id;  // empty when it has none
  // DNS names, IP addresses, e-mail addresses and URIs, each group in the order of the certificate.
  std::vector<std::string> alternative_names;

  // By its key ids alone, as ESO has it.
  bool IsRoot() const { return authority_key_id.empty() || authority_key_id == subject_key_id; }
};

// INVALID_ARGUMENT when the block is no certificate.
Result<Certificate> ReadCertificate(PemBlock block);

// The certificates from the leaf to the root, as their key ids link them. Nothing is verified.
Result<std::vector<Certificate>> ReadChain(std::string_view text);

}  // namespace escagent::gotemplate
