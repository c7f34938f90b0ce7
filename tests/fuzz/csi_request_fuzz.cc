// What kubelet's socket may bring, as bytes of a NodePublishVolumeRequest: refused or understood,
// and either way no secret is left in the message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "csi/publish_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ::csi::v1::NodePublishVolumeRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto parsed = escagent::csi::ParsePublishRequest(request);
  if (!parsed && parsed.error().code != escagent::Code::kInvalidArgument) std::abort();
  for (const auto& [key, value] : request.secrets()) {
    if (value.find_first_not_of('\0') != std::string::npos) std::abort();
  }
  constexpr std::string_view kPrefix = "csi.storage.k8s.io/serviceAccount.tokens";
  const auto tokens = request.volume_context().find(std::string(kPrefix));
  if (tokens != request.volume_context().end() &&
      tokens->second.find_first_not_of('\0') != std::string::npos) {
    std::abort();
  }
  if (!parsed) return 0;
  for (const auto& [key, value] : parsed->attributes) {
    if (key.starts_with("csi.storage.k8s.io/")) std::abort();
  }
  return 0;
}
