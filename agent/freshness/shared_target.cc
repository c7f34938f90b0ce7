#include "agent/freshness/shared_target.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"

namespace escagent::freshness {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kStates = {"ok", "absent", "denied", "failing"};
// What is longer is no ETag of ESC's, and has no place in an object that all agents hold.
constexpr std::size_t kMaxText = 256;

// FNV-1a, 64 bits (draft-eastlake-fnv).
std::uint64_t Hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

std::string Member(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return {};
  return it->get<std::string>();
}

std::optional<json> ParseObject(std::string_view text) {
  Result<json> parsed = ParseJson(text, "what agents share");
  if (!parsed || !parsed->is_object()) return std::nullopt;
  return *std::move(parsed);
}

}  // namespace

std::string SharedTarget::Id() const {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::uint64_t hash = Hash(backend + "\n" + ref.ToString() + "\n" + store);
  std::string id(16, '0');
  for (auto digit = id.rbegin(); digit != id.rend(); ++digit, hash /= 16) *digit = kHex[hash % 16];
  return id;
}

int SharedTarget::ShardOf(int shards) const {
  esc::EnvironmentRef any_version = ref;
  any_version.version.clear();
  const std::uint64_t hash = Hash(any_version.ToString());
  return static_cast<int>((hash ^ (hash >> 32U)) % static_cast<std::uint64_t>(shards));
}

std::size_t SharedTarget::TextSize() const {
  return backend.size() + ref.organization.size() + ref.project.size() + ref.environment.size() +
         ref.version.size() + store.size();
}

std::string ToText(const Registration& registration) {
  const auto seen =
      std::chrono::duration_cast<std::chrono::seconds>(registration.seen.time_since_epoch());
  return DumpJson({{"backend", registration.target.backend},
                   {"ref", registration.target.ref.ToString()},
                   {"seen", seen.count()},
                   {"store", registration.target.store}});
}

std::string ToText(const SharedAnswer& answer) {
  json text = {{"state", kStates.at(static_cast<std::size_t>(answer.state))}};
  if (answer.state == SharedAnswer::State::kOk) {
    text["etag"] = answer.head.etag;
    text["revision"] = answer.head.revision;
  }
  return DumpJson(text);
}

std::optional<Registration> ParseRegistration(std::string_view text) {
  const std::optional<json> object = ParseObject(text);
  if (!object) return std::nullopt;
  Result<esc::EnvironmentRef> ref = esc::EnvironmentRef::Parse(Member(*object, "ref"));
  const auto seen = object->find("seen");
  if (!ref || seen == object->end() || !seen->is_number_integer()) return std::nullopt;
  const auto seconds = seen->get<std::int64_t>();
  // Beyond what a time can be, in nanoseconds.
  if (seconds < 0 || seconds > 8'000'000'000) return std::nullopt;
  Registration registration{.target = {.backend = Member(*object, "backend"),
                                       .ref = *std::move(ref),
                                       .store = Member(*object, "store")},
                            .seen = Clock::WallTime(std::chrono::seconds(seconds))};
  const SharedTarget& target = registration.target;
  const bool fits = target.TextSize() <= kMaxTargetBytes;
  if (target.backend.empty() || target.store.empty() || !fits) return std::nullopt;
  return registration;
}

std::optional<SharedAnswer> ParseAnswer(std::string_view text) {
  const std::optional<json> object = ParseObject(text);
  if (!object) return std::nullopt;
  const std::string state = Member(*object, "state");
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (kStates.at(i) != state) continue;
    SharedAnswer answer{
        .state = static_cast<SharedAnswer::State>(i),
        .head = {.etag = Member(*object, "etag"), .revision = Member(*object, "revision")}};
    const bool told = !answer.head.etag.empty() || !answer.head.revision.empty();
    const bool fits =
        answer.head.etag.size() <= kMaxText && answer.head.revision.size() <= kMaxText;
    if (!fits || (answer.state == SharedAnswer::State::kOk && !told)) return std::nullopt;
    return answer;
  }
  return std::nullopt;
}

}  // namespace escagent::freshness
