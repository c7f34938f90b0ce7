#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/template/function.h"
#include "agent/template/pem.h"
#include "base/strings.h"

// ESO's functions on PEM texts: filterPEM, filterCertChain and certSANs.
namespace escagent::gotemplate {
namespace {

// Blocks cost far more than the bytes that they hold.
constexpr std::size_t kStepsPerBlock = 100;

// The blocks of one type, one after the other.
Result<Value> FilterPem(Call& call) {
  TextBuilder out(call.heap);
  const std::vector<PemBlock> blocks = ReadPem(call.Text(1));
  for (const PemBlock& block : blocks) {
    call.heap.Spend(kStepsPerBlock);
    if (EqualsIgnoreCase(block.type, call.Text(0))) out.Append(WritePem(block));
  }
  if (blocks.empty() && !call.Text(1).empty()) {
    return InvalidArgument("error filtering pem: found junk");
  }
  return out.Finish();
}

// The "leaf", "intermediate" or "root" certificates of a chain; empty when it has none.
Result<Value> FilterChain(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Certificate> chain, ReadChain(call.Text(1)));
  call.heap.Spend(kStepsPerBlock * chain.size());
  const std::string_view wanted = call.Text(0);
  TextBuilder out(call.heap);
  if (wanted == "leaf" && !chain.front().IsRoot()) {
    out.Append(WritePem(chain.front().block));
  } else if (wanted == "root" && chain.back().IsRoot()) {
    out.Append(WritePem(chain.back().block));
  } else if (wanted == "intermediate") {
    for (std::size_t i = 1; i < chain.size() && !chain[i].IsRoot(); ++i) {
      out.Append(WritePem(chain[i].block));
    }
  }
  return out.Finish();
}

Result<Value> AlternativeNames(Call& call) {
  std::vector<PemBlock> blocks = ReadPem(call.Text(0));
  if (blocks.empty()) return InvalidArgument("failed to decode PEM block");
  ESC_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(std::move(blocks.front())));
  call.heap.Spend(kStepsPerBlock);
  return call.MakeStrings(certificate.alternative_names);
}

constexpr Function kPemFunctions[] = {
    {"certSANs", "s", AlternativeNames},
    {"filterCertChain", "ss", FilterChain},
    {"filterPEM", "ss", FilterPem},
};

}  // namespace

std::span<const Function> PemFunctions() { return kPemFunctions; }

}  // namespace escagent::gotemplate
