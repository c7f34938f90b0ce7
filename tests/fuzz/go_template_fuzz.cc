// Any text as a template, over fields of which one is the text itself: it is refused, fails or
// renders within its limits, and never gives away a value in an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/template/render.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using escagent::Result;
  using escagent::Secret;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kCanary =
      "\x01"
      "canary\x02";
  if (text.find("canary") != std::string_view::npos) return 0;
  const escagent::gotemplate::Fields fields = {
      {"a", kCanary}, {"json", R"({"a":[1,{"b":null}],"c":"d"})"}, {"text", text}, {"n", "42"}};
  // Small, so that the fuzzer sees many templates in a second.
  const escagent::gotemplate::Limits limits = {
      .max_output = 1 << 16, .max_memory = 1 << 20, .max_steps = 20'000};
  const Result<Secret> result = escagent::gotemplate::Render("t", text, fields, limits);
  if (result) {
    if (result->Size() > limits.max_output) std::abort();
  } else if (result.error().message.find("canary") != std::string_view::npos) {
    std::abort();
  }
  return 0;
}
