#include "agent/mirror/data_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <memory>

namespace escagent::mirror {
namespace {

// SHA3-224 of what is appended, piece by piece: the text of values is never put together.
class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_sha3_224(), nullptr);
  }

  void Append(std::string_view text) { EVP_DigestUpdate(context_.get(), text.data(), text.size()); }

  // A []byte as Go prints it: "[104 105]".
  void AppendBytes(std::string_view bytes) {
    Append("[");
    // A byte has at most three digits and a blank; written in blocks, as a call for each is slow.
    std::array<char, 4096> block;
    char* at = block.data();
    bool first = true;
    for (const char c : bytes) {
      if (block.data() + block.size() - at < 4) {
        Append({block.data(), static_cast<std::size_t>(at - block.data())});
        at = block.data();
      }
      if (!first) *at++ = ' ';
      first = false;
      at = std::to_chars(at, block.data() + block.size(), static_cast<unsigned char>(c)).ptr;
    }
    Append({block.data(), static_cast<std::size_t>(at - block.data())});
    OPENSSL_cleanse(block.data(), block.size());
    Append("]");
  }

  // A map[string]string as Go prints it: "map[a:1 b:2]".
  void AppendMap(const StringMap& map) {
    Append("map[");
    bool first = true;
    for (const auto& [key, value] : map) {
      if (!first) Append(" ");
      first = false;
      Append(key);
      Append(":");
      Append(value);
    }
    Append("]");
  }

  std::string Finish() {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kHex[digest[i] >> 4U];
      text += kHex[digest[i] & 0xFU];
    }
    return text;
  }

 private:
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
};

}  // namespace

std::string DataHash(const SecretData& data) {
  DataView view;
  for (const auto& [key, value] : data) view.emplace(key, value.Reveal());
  return DataHash(view);
}

std::string DataHash(const DataView& data) {
  Hasher hasher;
  hasher.Append("map[");
  bool first = true;
  for (const auto& [key, value] : data) {
    if (!first) hasher.Append(" ");
    first = false;
    hasher.Append(key);
    hasher.Append(":");
    hasher.AppendBytes(value);
  }
  hasher.Append("]");
  return hasher.Finish();
}

std::string CreatedByHash(std::string_view namespace_name, std::string_view name) {
  return Sha3Hex(std::string(namespace_name) + "/" + std::string(name));
}

std::string SyncedResourceVersion(const ExternalSecret& object) {
  return SyncedResourceVersion(object.generation, object.labels, object.annotations);
}

std::string SyncedResourceVersion(std::int64_t generation, const StringMap& labels,
                                  const StringMap& annotations) {
  Hasher hasher;
  hasher.Append("{annotations:");
  hasher.AppendMap(annotations);
  hasher.Append(" labels:");
  hasher.AppendMap(labels);
  hasher.Append("}");
  return std::to_string(generation) + "-" + hasher.Finish();
}

std::string Sha3Hex(std::string_view text) {
  Hasher hasher;
  hasher.Append(text);
  return hasher.Finish();
}

}  // namespace escagent::mirror
