#include "tests/fakes/apiserver/faults.h"

#include <utility>

#include "base/duration.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

bool Applies(const Fault& fault, const RequestLabel& request) {
  return MatchesPattern(fault.verb, request.verb) &&
         MatchesPattern(fault.resource, request.resource) &&
         MatchesPattern(fault.name_space, request.name_space) &&
         MatchesPattern(fault.name, request.name);
}

std::unexpected<Error> Bad(const std::string& member, std::string_view expected) {
  return InvalidArgument("read fault: \"" + member + "\" must be " + std::string(expected));
}

Status ReadNumber(const std::string& name, const json& value, Fault& fault) {
  if (!value.is_number_integer()) return Bad(name, "a whole number");
  const auto number = value.get<std::int64_t>();
  if (name == "times") {
    fault.times = number;
  } else if (name == "status") {
    if (number != 0 && (number < 200 || number > 599)) return Bad(name, "0 or a status 200..599");
    fault.status = static_cast<int>(number);
  } else {
    if (number < 0) return Bad(name, "a number of seconds");
    fault.retry_after = std::chrono::seconds(number);
  }
  return {};
}

Status ReadDelay(const json& value, Fault& fault) {
  if (value.is_number_integer() && value.get<std::int64_t>() >= 0) {
    fault.delay = std::chrono::milliseconds(value.get<std::int64_t>());
    return {};
  }
  if (!value.is_string()) return Bad("delay", "a duration (\"250ms\") or milliseconds");
  ESC_ASSIGN_OR_RETURN(fault.delay, ParseDuration(value.get<std::string>(), "delay"));
  return {};
}

Status ReadReset(const json& value, Fault& fault) {
  if (value == "before") {
    fault.reset = Fault::Reset::kBefore;
  } else if (value == "after") {
    fault.reset = Fault::Reset::kAfter;
  } else if (value == "middle") {
    fault.reset = Fault::Reset::kMiddle;
  } else {
    return Bad("reset", "\"before\", \"after\" or \"middle\"");
  }
  return {};
}

std::string* TextMember(const std::string& name, Fault& fault) {
  if (name == "verb") return &fault.verb;
  if (name == "resource") return &fault.resource;
  if (name == "namespace") return &fault.name_space;
  if (name == "name") return &fault.name;
  return name == "message" ? &fault.message : nullptr;
}

bool* SwitchMember(const std::string& name, Fault& fault) {
  if (name == "hang") return &fault.hang;
  if (name == "garbage") return &fault.garbage;
  if (name == "gone") return &fault.gone;
  return name == "cut" ? &fault.cut : nullptr;
}

Status ReadMember(const std::string& name, const json& value, Fault& fault) {
  if (std::string* text = TextMember(name, fault)) {
    if (!value.is_string()) return Bad(name, "a string");
    *text = value.get<std::string>();
    return {};
  }
  if (bool* flag = SwitchMember(name, fault)) {
    if (!value.is_boolean()) return Bad(name, "true or false");
    *flag = value.get<bool>();
    return {};
  }
  if (name == "delay") return ReadDelay(value, fault);
  if (name == "reset") return ReadReset(value, fault);
  if (name == "status" || name == "retryAfter" || name == "times") {
    return ReadNumber(name, value, fault);
  }
  return InvalidArgument("read fault: unknown member \"" + name +
                         "\"; known are verb, resource, namespace, name, status, message, "
                         "retryAfter, delay, hang, reset, garbage, gone, cut and times");
}

json FaultToJson(const Fault& fault) {
  json document = {
      {"verb", fault.verb}, {"resource", fault.resource}, {"namespace", fault.name_space},
      {"name", fault.name}, {"status", fault.status},     {"message", fault.message},
      {"hang", fault.hang}, {"garbage", fault.garbage},   {"gone", fault.gone},
      {"cut", fault.cut},   {"times", fault.times},       {"delay", FormatDuration(fault.delay)}};
  if (fault.retry_after) document["retryAfter"] = fault.retry_after->count();
  constexpr const char* kResets[] = {"", "before", "after", "middle"};
  if (fault.reset != Fault::Reset::kNone) {
    document["reset"] = kResets[static_cast<std::size_t>(fault.reset)];
  }
  return document;
}

// Whether it does more than delay.
bool Acts(const Fault& fault) {
  return fault.status != 0 || fault.hang || fault.reset != Fault::Reset::kNone || fault.garbage ||
         fault.gone || fault.cut;
}

}  // namespace

bool MatchesPattern(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return true;
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  if (rest.empty()) return true;
  for (std::size_t at = star; at <= text.size(); ++at) {
    if (MatchesPattern(rest, text.substr(at))) return true;
  }
  return false;
}

void Faults::Add(Fault fault) {
  MutexLock lock(mutex_);
  if (fault.times != 0) faults_.push_back(std::move(fault));
}

void Faults::Clear() {
  MutexLock lock(mutex_);
  faults_.clear();
  down_ = false;
}

void Faults::SetDown(bool down) {
  MutexLock lock(mutex_);
  down_ = down;
}

bool Faults::down() const {
  MutexLock lock(mutex_);
  return down_;
}

Fault Faults::Take(const RequestLabel& request) {
  Fault taken;
  MutexLock lock(mutex_);
  std::erase_if(faults_, [&](Fault& fault) {
    if (!Applies(fault, request)) return false;
    const bool acts = Acts(fault);
    if (acts && Acts(taken)) return false;
    const auto delay = taken.delay + fault.delay;
    if (acts) taken = fault;
    taken.delay = delay;
    return fault.times > 0 && --fault.times == 0;
  });
  return taken;
}

Result<std::vector<Fault>> Faults::FromJson(const json& document) {
  const json list = document.is_array() ? document : json::array({document});
  std::vector<Fault> faults;
  for (const json& item : list) {
    if (!item.is_object()) return InvalidArgument("read fault: it must be an object");
    Fault fault;
    for (const auto& [name, value] : item.items()) {
      ESC_RETURN_IF_ERROR(ReadMember(name, value, fault));
    }
    faults.push_back(std::move(fault));
  }
  return faults;
}

json Faults::ToJson() const {
  MutexLock lock(mutex_);
  json list = json::array();
  for (const Fault& fault : faults_) list.push_back(FaultToJson(fault));
  return {{"down", down_}, {"faults", std::move(list)}};
}

}  // namespace escagent::apiserver
